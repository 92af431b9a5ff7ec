"""States of the Amazon States Language that run nothing: Pass, Choice, Wait, Succeed, Fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from components.core.iam import Statement
from components.core.validation import Range

if TYPE_CHECKING:
    from components.compute.task import Task
    from components.workflows.definition import Definition

__all__ = ["Branch", "Choice", "Fail", "Pass", "State", "Succeed", "Wait", "leading_to", "problems_of_path"]


class State(Protocol):
    """One state. A new kind is a new class."""

    @property
    def name(self) -> str:
        """Unique in the state machine."""
        ...

    def document(self) -> dict[str, Any]:
        """As the Amazon States Language writes it, Outputs still inside."""
        ...

    def successors(self) -> Sequence[str]:
        """The states that it leads to; none ends the branch."""
        ...

    def problems(self) -> Iterator[str]:
        """A sentence for each thing that is wrong about it alone."""
        ...

    def inner(self) -> Sequence[Definition]:
        """The branches inside it."""
        ...

    def tasks(self) -> Sequence[tuple[Task, bool]]:
        """The tasks that it runs, and whether it waits for them with ``.sync``."""
        ...

    def statements(self) -> Sequence[Statement]:
        """What the state machine's role must allow beside running `tasks`."""
        ...


def leading_to(next_state: str | None) -> dict[str, Any]:
    """``Next``, or the end."""
    return {"End": True} if next_state is None else {"Next": next_state}


def problems_of_path(what: str, path: str | None) -> Iterator[str]:
    """A JSONPath begins with ``$``."""
    if path is not None and not path.startswith("$"):
        yield f"{what} is {path!r}; allowed is a JSONPath, e.g. $.detail.data"


@dataclass(frozen=True, kw_only=True)
class _Plain:
    name: str

    def problems(self) -> Iterator[str]:
        yield from ()

    def successors(self) -> Sequence[str]:
        return ()

    def inner(self) -> Sequence[Definition]:
        return ()

    def tasks(self) -> Sequence[tuple[Task, bool]]:
        return ()

    def statements(self) -> Sequence[Statement]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Pass(_Plain):
    """Hands its input on, or replaces it.

    Attributes:
        name: unique in the state machine, up to 80 characters.
        next: the state after it; default None, the end.
        parameters: what to hand on, with ``.$`` names for paths; default None, the input.
        result_path: where it goes in the input; default ``$``, instead of it.
    """

    next: str | None = None
    parameters: Mapping[str, Any] | None = None
    result_path: str = "$"

    def document(self) -> dict[str, Any]:
        made = {"Parameters": dict(self.parameters)} if self.parameters is not None else {}
        return {"Type": "Pass", **made, "ResultPath": self.result_path, **leading_to(self.next)}

    def successors(self) -> Sequence[str]:
        return () if self.next is None else (self.next,)

    def problems(self) -> Iterator[str]:
        yield from problems_of_path("result_path", self.result_path)


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One rule of a `Choice`.

    Attributes:
        condition: as the Amazon States Language writes it, e.g. ``{"Variable": "$.price", "NumericGreaterThan": 100}``.
        next: the state that it leads to.
    """

    condition: Mapping[str, Any]
    next: str


@dataclass(frozen=True, kw_only=True)
class Choice(_Plain):
    """Goes where the first condition that holds leads.

    Attributes:
        name: unique in the state machine, up to 80 characters.
        branches: one or more.
        default: the state when none holds. Without it such an execution would fail, so it is required.
    """

    branches: Sequence[Branch]
    default: str

    def document(self) -> dict[str, Any]:
        rules = [{**branch.condition, "Next": branch.next} for branch in self.branches]
        return {"Type": "Choice", "Choices": rules, "Default": self.default}

    def successors(self) -> Sequence[str]:
        return [*(branch.next for branch in self.branches), self.default]

    def problems(self) -> Iterator[str]:
        if not self.branches:
            yield "branches has 0 entries; name at least one"
        for branch in self.branches:
            if not {"Variable", "And", "Or", "Not"} & branch.condition.keys():
                yield f"condition {dict(branch.condition)!r} has neither Variable nor And, Or, Not"


@dataclass(frozen=True, kw_only=True)
class Wait(_Plain):
    """Waits.

    Attributes:
        name: unique in the state machine, up to 80 characters.
        next: the state after it; default None, the end.
        seconds: 1 to 99,999,999; exactly one of it and `until_path`.
        until_path: JSONPath of an RFC 3339 time in the input.
    """

    next: str | None = None
    seconds: int | None = None
    until_path: str | None = None

    def document(self) -> dict[str, Any]:
        what = {"Seconds": self.seconds} if self.seconds is not None else {"TimestampPath": self.until_path}
        return {"Type": "Wait", **what, **leading_to(self.next)}

    def successors(self) -> Sequence[str]:
        return () if self.next is None else (self.next,)

    def problems(self) -> Iterator[str]:
        if (self.seconds is None) == (self.until_path is None):
            yield "set exactly one of seconds and until_path"
        yield from Range("seconds", 1, 99_999_999, "seconds").problems(self)
        yield from problems_of_path("until_path", self.until_path)


@dataclass(frozen=True, kw_only=True)
class Succeed(_Plain):
    """Ends the branch well."""

    def document(self) -> dict[str, Any]:
        return {"Type": "Succeed"}


@dataclass(frozen=True, kw_only=True)
class Fail(_Plain):
    """Ends the execution.

    Attributes:
        name: unique in the state machine, up to 80 characters.
        error: name of the error; default ``Failed``.
        cause: a sentence for who reads it; default none.
    """

    error: str = "Failed"
    cause: str = field(default="")

    def document(self) -> dict[str, Any]:
        return {"Type": "Fail", "Error": self.error, "Cause": self.cause}
