"""Gap: what MiniStack leaves out of a distributed map.

It ignores ItemBatcher (one child for each item) and ResultWriter, cannot read an S3 inventory, and goes on to the last
item when the tolerated failures are exceeded. Here items are batched, results are written as AWS writes them, a map run
ends with the failure that is one too many, and its history has the events of the map run.

`MaxConcurrency` 0 is no bound on AWS, and 64 children here: each is a thread.
"""

from __future__ import annotations

import contextvars
import csv
import gzip
import io
import json
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from ministack.services import s3, stepfunctions
from ministack.services.stepfunctions import _ExecutionError

from ops.local.server.event_loop import run_on_loop
from ops.local.server.settings import ServerSettings
from ops.local.server.states_executions import alive

__all__ = ["SEAMS", "batches", "install", "inventory_items"]

SEAMS = (
    "services.s3._get_object",
    "services.s3._put_object",
    "services.stepfunctions._ExecutionError",
    "services.stepfunctions._add_event",
    "services.stepfunctions._apply_output_path",
    "services.stepfunctions._apply_result_path",
    "services.stepfunctions._apply_result_selector",
    "services.stepfunctions._executions",
    "services.stepfunctions._map_runs",
    "services.stepfunctions._next_or_end",
    "services.stepfunctions._read_map_items",
    "services.stepfunctions._resolve_params_obj",
    "services.stepfunctions._resolve_path_or_ctx",
    "services.stepfunctions._run_distributed_map",
    "services.stepfunctions._run_sub_machine",
    "services.stepfunctions.now_iso",
)

_UNBOUNDED_CHILDREN = 64
_COUNTS = ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total", "resultsWritten")
_EXCEEDED = "States.ExceedToleratedFailureThreshold"


def _object(bucket: str, key: str) -> bytes:
    status, _headers, body = s3._get_object(bucket, key, {}, {})
    if status != 200:
        raise _ExecutionError(
            "States.ItemReaderFailed", f"The specified key does not exist. (Bucket: {bucket}, Key: {key})"
        )
    return body if isinstance(body, bytes) else str(body).encode()


def inventory_items(manifest: Mapping[str, Any], files: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The items of an inventory: a row for each object, named by the manifest's schema, keys as they are.

    Raises:
        _ExecutionError: an inventory that is not in CSV.
    """
    if manifest.get("fileFormat") != "CSV":
        raise _ExecutionError(
            "States.ItemReaderFailed", f"The inventory is in {manifest.get('fileFormat')}, not in CSV"
        )
    names = [name.strip() for name in str(manifest["fileSchema"]).split(",")]
    for content in files:
        for row in csv.reader(io.StringIO(gzip.decompress(content).decode())):
            yield {
                name: unquote_plus(value) if name == "Key" else value for name, value in zip(names, row, strict=False)
            }


def _items(reader: Mapping[str, Any], data: Any, context: Any) -> list[Any]:
    config = reader.get("ReaderConfig") or {}
    if config.get("InputType") != "MANIFEST":
        items: list[Any] = stepfunctions._read_map_items(reader, data, context)
        return items
    place = stepfunctions._resolve_params_obj(reader.get("Parameters") or {}, data, context)
    manifest = json.loads(_object(place["Bucket"], place["Key"]))
    # The files are beside the manifest, in the bucket that the inventory is delivered to.
    found = list(inventory_items(manifest, (_object(place["Bucket"], item["key"]) for item in manifest["files"])))
    return found[: config.get("MaxItems")]


def batches(items: Sequence[Any], batcher: Mapping[str, Any] | None) -> list[tuple[Any, int]]:
    """Inputs of the children, each with the number of items that it holds."""
    if not batcher:
        return [(item, 1) for item in items]
    size, limit = int(batcher.get("MaxItemsPerBatch") or 0), int(batcher.get("MaxInputBytesPerBatch") or 0)
    extra = {"BatchInput": batcher["BatchInput"]} if "BatchInput" in batcher else {}
    made: list[tuple[Any, int]] = []
    batch: list[Any] = []
    used = 0
    for item in items:
        weight = len(json.dumps(item))
        if batch and ((size and len(batch) == size) or (limit and used + weight > limit)):
            made.append(({**extra, "Items": batch}, len(batch)))
            batch, used = [], 0
        batch.append(item)
        used += weight
    return [*made, ({**extra, "Items": batch}, len(batch))] if batch else made


@dataclass
class _MapRun:
    """One run: its children, their counts, its end."""

    state: Mapping[str, Any]
    execution: dict[str, Any]
    context: dict[str, Any]
    children: Sequence[tuple[Any, int]]
    record: dict[str, Any] = field(default_factory=dict)
    exceeded: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        _, _, _, region, account, _, name = self.execution["stateMachineArn"].split(":")[:7]
        self._place = f"arn:aws:states:{region}:{account}"
        self._label = f"{name}/{self.state.get('Label') or uuid.uuid4()}"
        items = sum(count for _, count in self.children)
        self.record = {
            "mapRunArn": f"{self._place}:mapRun:{self._label}:{uuid.uuid4()}",
            "executionArn": self.execution["executionArn"],
            "status": "RUNNING",
            "startDate": stepfunctions.now_iso(),
            "maxConcurrency": int(self.state.get("MaxConcurrency") or 0),
            "toleratedFailurePercentage": float(self.state.get("ToleratedFailurePercentage") or 0),
            "toleratedFailureCount": int(self.state.get("ToleratedFailureCount") or 0),
            "itemCounts": {**dict.fromkeys(_COUNTS, 0), "total": items, "pending": items},
            "executionCounts": {
                **dict.fromkeys(_COUNTS, 0),
                "total": len(self.children),
                "pending": len(self.children),
            },
            "redriveCount": 0,
            "_stateMachineArn": f"{self._place}:stateMachine:{self._label}",
        }
        stepfunctions._map_runs[self.record["mapRunArn"]] = self.record
        self._records: dict[int, dict[str, Any]] = {}

    def run(self) -> list[dict[str, Any]]:
        """The children's executions, in the order of their items.

        Raises:
            _ExecutionError: too many failed, or the map's execution has ended.
        """
        self._event("MapRunStarted", mapRunArn=self.record["mapRunArn"])
        workers = self.record["maxConcurrency"] or _UNBOUNDED_CHILDREN
        # MiniStack's stores are those of the account and region in the context.
        with ThreadPoolExecutor(max_workers=max(1, min(workers, len(self.children)))) as pool:
            wait(
                [
                    pool.submit(contextvars.copy_context().run, self._child, index, data, items)
                    for index, (data, items) in enumerate(self.children)
                ]
            )
        self.record["stopDate"] = stepfunctions.now_iso()
        if not alive(self.execution):
            self.record["status"] = "ABORTED"
            raise _ExecutionError("States.Timeout", None)
        self.record["status"] = "FAILED" if self.exceeded else "SUCCEEDED"
        if self.exceeded:
            cause = "The specified tolerated failure threshold was exceeded"
            self._event("MapRunFailed", error=_EXCEEDED, cause=cause)
            raise _ExecutionError(_EXCEEDED, cause)
        self._event("MapRunSucceeded")
        return self.records

    @property
    def records(self) -> list[dict[str, Any]]:
        """Of the children that were started, in the order of their items."""
        return [self._records[index] for index in sorted(self._records)]

    def _child(self, index: int, data: Any, items: int) -> None:
        name = str(uuid.uuid4())
        child = {
            "executionArn": f"{self._place}:execution:{self._label}:{name}",
            "stateMachineArn": self.record["_stateMachineArn"],
            "name": name,
            "status": "RUNNING",
            "startDate": stepfunctions.now_iso(),
            "stopDate": None,
            "input": json.dumps(data),
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": {"included": True},
            "mapRunArn": self.record["mapRunArn"],
            "events": [],
            "mockAttempts": {},
        }
        with self._lock:
            if self.exceeded or not alive(self.execution):
                self._move("pending", "aborted", items)
                return
            stepfunctions._executions[child["executionArn"]] = child
            self._records[index] = child
            self._move("pending", "running", items)
        processor = self.state["ItemProcessor"]
        context = {
            **self.context,
            "Execution": {
                **self.context.get("Execution", {}),
                "Id": child["executionArn"],
                "Name": name,
                "Input": data,
            },
        }
        try:
            result = stepfunctions._run_sub_machine(processor["States"], processor["StartAt"], data, child, context)
            end = {"status": "SUCCEEDED", "output": json.dumps(result)}
        except _ExecutionError as error:
            end = {"status": "FAILED", "error": error.error, "cause": error.cause}
        with self._lock:
            if child["status"] == "RUNNING":  # else it was given up
                child |= end
            child["stopDate"] = stepfunctions.now_iso()
            self._move("running", child["status"].lower(), items)
            if not self.exceeded and self._too_many_failed():
                self.exceeded = True
                for other in self._records.values():  # what still runs is given up
                    if other["status"] == "RUNNING":
                        other["status"] = "ABORTED"

    def _move(self, before: str, after: str, items: int) -> None:
        for counts, number in ((self.record["itemCounts"], items), (self.record["executionCounts"], 1)):
            counts[before] -= number
            counts[after] += number

    def _too_many_failed(self) -> bool:
        counts = self.record["itemCounts"]
        limits = []
        if "ToleratedFailureCount" in self.state:
            limits.append(counts["failed"] > self.record["toleratedFailureCount"])
        if "ToleratedFailurePercentage" in self.state:
            limits.append(counts["failed"] * 100 > self.record["toleratedFailurePercentage"] * counts["total"])
        return any(limits) if limits else counts["failed"] > 0

    def _event(self, kind: str, **details: Any) -> None:
        name = kind[0].lower() + kind[1:] + "EventDetails"
        stepfunctions._add_event(self.execution, kind, {name: details} if details else None)


def _write_results(writer: Mapping[str, Any], data: Any, context: Any, run: _MapRun) -> dict[str, Any]:
    place = stepfunctions._resolve_params_obj(writer.get("Parameters") or {}, data, context)
    bucket, prefix = place["Bucket"], str(place.get("Prefix") or "").strip("/")
    folder = "/".join(part for part in (prefix, run.record["mapRunArn"].rpartition(":")[2]) if part)
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, entries in files.items():
        records = [_result(record) for record in run.records if record["status"] == status]
        if not records:
            continue
        content = json.dumps(records)
        _put(bucket, f"{folder}/{status}_0.json", content)
        entries.append({"Key": f"{folder}/{status}_0.json", "Size": len(content)})
        run.record["itemCounts"]["resultsWritten"] += len(records)
    manifest = {"DestinationBucket": bucket, "MapRunArn": run.record["mapRunArn"], "ResultFiles": files}
    _put(bucket, f"{folder}/manifest.json", json.dumps(manifest))
    return {
        "MapRunArn": run.record["mapRunArn"],
        "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"},
    }


def _result(record: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "ExecutionArn": "executionArn",
        "Input": "input",
        "Name": "name",
        "Output": "output",
        "Error": "error",
        "Cause": "cause",
        "StartDate": "startDate",
        "StateMachineArn": "stateMachineArn",
        "Status": "status",
        "StopDate": "stopDate",
    }
    return {name: record[key] for name, key in names.items() if record.get(key) is not None}


def _put(bucket: str, key: str, text: str) -> None:
    headers = {"content-type": "application/json"}
    status, _headers, body = run_on_loop(lambda: s3._put_object(bucket, key, text.encode(), headers))
    if status != 200:
        raise _ExecutionError("States.ResultWriterFailed", f"{bucket}/{key}: {body!r:.200}")


def _run_distributed_map(
    state: dict[str, Any],
    raw_input: Any,
    data: Any,
    iterator: dict[str, Any],
    execution: dict[str, Any],
    context: dict[str, Any],
) -> tuple[Any, str | None]:
    if state.get("ItemReader"):
        items = _items(state["ItemReader"], data, context)
    else:
        items = stepfunctions._resolve_path_or_ctx(state.get("ItemsPath", "$"), data, context)
    selector = state.get("ItemSelector")
    if selector:
        items = [
            stepfunctions._resolve_params_obj(
                selector, data, {**context, "Map": {"Item": {"Index": index, "Value": item}}}
            )
            for index, item in enumerate(items)
        ]
    run = _MapRun({**state, "ItemProcessor": iterator}, execution, context, batches(items, state.get("ItemBatcher")))
    writer = state.get("ResultWriter")
    try:
        records = run.run()
    except _ExecutionError:
        if writer and alive(execution):
            _write_results(writer, data, context, run)
        raise
    if writer:
        result: Any = _write_results(writer, data, context, run)
    else:
        result = [json.loads(record["output"]) for record in records if record["status"] == "SUCCEEDED"]
    result = stepfunctions._apply_result_selector(state, result)
    output = stepfunctions._apply_output_path(
        state, stepfunctions._apply_result_path(state, raw_input, result), context
    )
    return output, stepfunctions._next_or_end(state)


def install(settings: ServerSettings) -> None:
    """Replace the distributed map; the inline one is MiniStack's."""
    stepfunctions._run_distributed_map = _run_distributed_map
