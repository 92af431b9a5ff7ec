"""States with states inside: Parallel, and Map over the items of the input or of S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import pulumi

from components.core.iam import Statement
from components.core.validation import Range
from components.workflows.retries import Catch, Retry
from components.workflows.states import leading_to, problems_of_path

if TYPE_CHECKING:
    from components.compute.task import Task
    from components.workflows.definition import Definition

__all__ = [
    "MAX_CHILDREN",
    "DistributedMap",
    "InlineMap",
    "InputType",
    "Items",
    "ItemsInObject",
    "ObjectList",
    "Parallel",
    "Results",
]

MAX_INLINE_CONCURRENCY = 40
MAX_CHILDREN = 10_000
"""Step Functions quotas: concurrent iterations of an inline map, child executions of a distributed one."""


class _Storage(Protocol):
    """A bucket: `components.stores.bucket.Bucket`, or another one by name."""

    @property
    def arn(self) -> pulumi.Input[str]: ...

    @property
    def bucket_name(self) -> pulumi.Input[str]: ...


@dataclass(frozen=True, kw_only=True)
class _Container:
    """Attributes:
    name: unique in the state machine, up to 80 characters.
    next: the state after it; default None, the end.
    retry, catch: default none.
    result_path: where the results go in the input; default ``$``, instead of it; None drops them.
    """

    name: str
    next: str | None = None
    retry: Sequence[Retry] = ()
    catch: Sequence[Catch] = ()
    result_path: str | None = "$"

    def successors(self) -> Sequence[str]:
        return [*(() if self.next is None else (self.next,)), *(item.next for item in self.catch)]

    def tasks(self) -> Sequence[tuple[Task, bool]]:
        return ()

    def statements(self) -> Sequence[Statement]:
        return ()

    def _frame(self) -> dict[str, Any]:
        document: dict[str, Any] = {"ResultPath": self.result_path}
        if self.retry:
            document["Retry"] = [item.to_json() for item in self.retry]
        if self.catch:
            document["Catch"] = [item.to_json() for item in self.catch]
        return document | leading_to(self.next)


@dataclass(frozen=True, kw_only=True)
class Parallel(_Container):
    """Branches side by side; it ends when all have, with the list of their results, or with the first failure.

    Attributes:
        branches: two or more.
    """

    branches: Sequence[Definition]

    def inner(self) -> Sequence[Definition]:
        return self.branches

    def problems(self) -> Iterator[str]:
        yield from problems_of_path("result_path", self.result_path)
        if len(self.branches) < 2:
            yield f"branches has {len(self.branches)} entries; side by side are at least 2"

    def document(self) -> dict[str, Any]:
        return {"Type": "Parallel", "Branches": [item.document() for item in self.branches], **self._frame()}


@dataclass(frozen=True, kw_only=True)
class InlineMap(_Container):
    """One run of `processor` for each item of a list in the input, in the same execution: up to 40 at a time.

    Attributes:
        processor: what is done with an item.
        items_path: JSONPath of the list; default ``$``.
        item_selector: what the processor gets, with ``.$`` names for paths; ``$$.Map.Item.Value`` is the item. Default
            None, the item.
        max_concurrency: 1 to 40; default 40.
    """

    processor: Definition
    items_path: str = "$"
    item_selector: Mapping[str, Any] | None = None
    max_concurrency: int = MAX_INLINE_CONCURRENCY

    def inner(self) -> Sequence[Definition]:
        return [self.processor]

    def problems(self) -> Iterator[str]:
        yield from problems_of_path("items_path", self.items_path)
        yield from problems_of_path("result_path", self.result_path)
        yield from Range("max_concurrency", 1, MAX_INLINE_CONCURRENCY, "items").problems(self)

    def document(self) -> dict[str, Any]:
        selector = {"ItemSelector": dict(self.item_selector)} if self.item_selector is not None else {}
        return {
            "Type": "Map",
            "ItemsPath": self.items_path,
            **selector,
            "MaxConcurrency": self.max_concurrency,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **self.processor.document()},
            **self._frame(),
        }


class Items(Protocol):
    """Where a distributed map reads its items."""

    def reader(self) -> dict[str, Any]:
        """``ItemReader``, Outputs still inside."""
        ...

    def statements(self) -> Sequence[Statement]:
        """What the state machine's role must allow for it."""
        ...


@dataclass(frozen=True, kw_only=True)
class ObjectList:
    """The objects of a bucket: each item has ``Key``, ``Size``, ``Etag``, ``LastModified``, ``StorageClass``.

    Attributes:
        bucket: whose.
        prefix: what the keys begin with; default None, all.
        prefix_path: JSONPath of it in the input; default None. One of the two.
        max_items: 1 to 100,000,000; default None, all.
    """

    bucket: _Storage
    prefix: str | None = None
    prefix_path: str | None = None
    max_items: int | None = None

    def reader(self) -> dict[str, Any]:
        parameters: dict[str, Any] = {"Bucket": self.bucket.bucket_name}
        if self.prefix is not None:
            parameters["Prefix"] = self.prefix
        if self.prefix_path is not None:
            parameters["Prefix.$"] = self.prefix_path
        config = {"ReaderConfig": {"MaxItems": self.max_items}} if self.max_items is not None else {}
        return {"Resource": "arn:aws:states:::s3:listObjectsV2", **config, "Parameters": parameters}

    def statements(self) -> Sequence[Statement]:
        return [Statement(actions=["s3:ListBucket"], resources=[self.bucket.arn])]


class InputType(StrEnum):
    """How the object with the items is written."""

    CSV = "CSV"
    """Its first row names the columns."""
    JSON = "JSON"
    JSONL = "JSONL"
    MANIFEST = "MANIFEST"
    """Of an S3 inventory, in CSV."""


@dataclass(frozen=True, kw_only=True)
class ItemsInObject:
    """The items that one object lists.

    Attributes:
        bucket: whose.
        key_path: JSONPath of the object's key.
        input_type: default JSON, an array.
        max_items: 1 to 100,000,000; default None, all.
    """

    bucket: _Storage
    key_path: str
    input_type: InputType = InputType.JSON
    max_items: int | None = None

    def reader(self) -> dict[str, Any]:
        config: dict[str, Any] = {"InputType": self.input_type.value}
        if self.input_type is InputType.CSV:
            config["CSVHeaderLocation"] = "FIRST_ROW"
        if self.max_items is not None:
            config["MaxItems"] = self.max_items
        return {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": config,
            "Parameters": {"Bucket": self.bucket.bucket_name, "Key.$": self.key_path},
        }

    def statements(self) -> Sequence[Statement]:
        return [Statement(actions=["s3:GetObject"], resources=[pulumi.Output.concat(self.bucket.arn, "/*")])]


@dataclass(frozen=True, kw_only=True)
class Results:
    """Where a distributed map writes what became of its items: what they returned, and why they failed.

    Attributes:
        bucket: whose objects they become, below `prefix` and the map run's name: ``manifest.json`` names them.
        prefix: of their keys; default ``results``.
    """

    bucket: _Storage
    prefix: str = "results"

    def writer(self) -> dict[str, Any]:
        """``ResultWriter``, Outputs still inside."""
        return {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": self.bucket.bucket_name, "Prefix": self.prefix},
        }

    def statements(self) -> Sequence[Statement]:
        """Writing in parts, and reading back what a redrive goes on with."""
        return [
            Statement(
                actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
                resources=[pulumi.Output.concat(self.bucket.arn, f"/{self.prefix}/*")],
            )
        ]


@dataclass(frozen=True, kw_only=True)
class DistributedMap(_Container):
    """One child execution of `processor` for each item: up to 10,000 at a time, of up to 100 million items.

    Attributes:
        processor: what is done with an item.
        items: where they are.
        item_selector: what the processor gets, with ``.$`` names for paths; ``$$.Map.Item.Value`` is the item. Default
            None, the item.
        max_concurrency: 1 to 10,000 child executions; default 1,000.
        tolerated_failure_percentage: 0 to 100 of the items may fail before the map does; default 0.
        batch_size: items of one child execution, 1 to 1,000,000; its input then is ``{"Items": [...]}``; default None:
            one, and its input is the item.
        results: where the results go; default None: into the state's, which holds 256 KiB.
        label: of the map run, up to 40 letters, digits and hyphens; default the state's name.
    """

    processor: Definition
    items: Items
    item_selector: Mapping[str, Any] | None = None
    max_concurrency: int = 1_000
    tolerated_failure_percentage: float = 0
    batch_size: int | None = None
    results: Results | None = None
    label: str | None = None
    result_path: str | None = field(default=None)

    def inner(self) -> Sequence[Definition]:
        return [self.processor]

    def statements(self) -> Sequence[Statement]:
        return [*self.items.statements(), *(self.results.statements() if self.results else ())]

    def problems(self) -> Iterator[str]:
        yield from problems_of_path("result_path", self.result_path)
        yield from Range("max_concurrency", 1, MAX_CHILDREN, "child executions").problems(self)
        yield from Range("tolerated_failure_percentage", 0, 100, "per cent", whole=False).problems(self)
        yield from Range("batch_size", 1, 1_000_000, "items").problems(self)
        if len(self.label or self.name) > 40:
            yield f"label is {self.label or self.name!r}; allowed are up to 40 characters"

    def document(self) -> dict[str, Any]:
        selector = {"ItemSelector": dict(self.item_selector)} if self.item_selector is not None else {}
        return {
            "Type": "Map",
            "ItemReader": self.items.reader(),
            **selector,
            "MaxConcurrency": self.max_concurrency,
            "ToleratedFailurePercentage": self.tolerated_failure_percentage,
            "Label": self.label or self.name,
            **({"ItemBatcher": {"MaxItemsPerBatch": self.batch_size}} if self.batch_size else {}),
            **({"ResultWriter": self.results.writer()} if self.results else {}),
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                **self.processor.document(),
            },
            **self._frame(),
        }
