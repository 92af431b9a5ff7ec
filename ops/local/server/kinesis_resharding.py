"""Gap: shards that were split or merged stay, closed and readable to their end, as parents of their children.

MiniStack deletes a parent with its records, and UpdateShardCount replaces all shards. A consumer that reads parents
before children cannot be tried on that. Here SplitShard, MergeShards and UpdateShardCount close the parents; ListShards
tells their ends; GetRecords and SubscribeToShard name the children when a closed shard was read to its end (Kinesis
developer guide, "Resharding, data routing, data persistence, and shard state after a reshard").
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import StreamingResponse
from ministack.services import kinesis

from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = (
    "core.responses.StreamingResponse",
    "services.kinesis._consumer_from_arn",
    "services.kinesis._describe_stream_summary",
    "services.kinesis._ensure_base64",
    "services.kinesis._eventstream_message",
    "services.kinesis._get_records",
    "services.kinesis._merge_shards",
    "services.kinesis._next_sequence_number",
    "services.kinesis._resolve_stream",
    "services.kinesis._resolve_stream_by_arn",
    "services.kinesis._route_to_shard",
    "services.kinesis._shard_iterators",
    "services.kinesis._shard_out",
    "services.kinesis._split_shard",
    "services.kinesis._start_position",
    "services.kinesis._streams",
    "services.kinesis._subscribe_to_shard",
    "services.kinesis._subscriptions",
    "services.kinesis._update_shard_count",
    "services.kinesis.error_response_json",
    "services.kinesis.json_response",
)

_END = "ending_sequence_number"

Answer = tuple[int, dict[str, str], Any]
Handler = Callable[[dict[str, Any]], Answer]
Subscribe = Callable[[dict[str, Any], bool], Answer]


def install(settings: ServerSettings) -> None:
    """Wrap what makes shards, what lists them and what reads them."""
    split, merge = _keeping_parents(kinesis._split_shard), _keeping_parents(kinesis._merge_shards)
    kinesis._split_shard, kinesis._merge_shards = split, merge
    kinesis._update_shard_count = lambda data: _update_shard_count(data, split, merge)
    kinesis._route_to_shard = _routing(kinesis._route_to_shard)
    kinesis._shard_out = _showing_ends(kinesis._shard_out)
    kinesis._describe_stream_summary = _counting_open(kinesis._describe_stream_summary)
    kinesis._get_records = _ending(kinesis._get_records)
    kinesis._subscribe_to_shard = _ending_subscription(kinesis._subscribe_to_shard)


def _open_shards(stream: dict[str, Any]) -> dict[str, Any]:
    return {shard_id: shard for shard_id, shard in stream["shards"].items() if _END not in shard}


def _keeping_parents(reshard: Handler) -> Handler:
    def handler(data: dict[str, Any]) -> Answer:
        name, stream = kinesis._resolve_stream(data)
        named = [data[key] for key in ("ShardToSplit", "ShardToMerge", "AdjacentShardToMerge") if key in data]
        before = dict(stream["shards"]) if stream else {}
        closed = [shard_id for shard_id in named if _END in before.get(shard_id, {})]
        if closed:
            message = f"Shard {closed[0]} in stream {name} is closed already"
            refusal: Answer = kinesis.error_response_json("InvalidArgumentException", message, 400)
            return refusal
        end = kinesis._next_sequence_number()
        answer = reshard(data)
        if stream and answer[0] == 200:
            parents = {shard_id: before[shard_id] for shard_id in named}
            for shard_id, shard in parents.items():
                shard[_END] = end
                # Who is subscribed is sent away, and is told of the children when it subscribes again.
                for key in [key for key in kinesis._subscriptions if key[1] == shard_id]:
                    if key[0].startswith(stream["StreamARN"] + "/"):
                        del kinesis._subscriptions[key]
            stream["shards"] = dict(sorted({**stream["shards"], **parents}.items()))
        return answer

    return handler


def _update_shard_count(data: dict[str, Any], split: Handler, merge: Handler) -> Answer:
    """To the target by halves: the widest shard is split, the narrowest neighbours are merged."""
    name, stream = kinesis._resolve_stream(data)
    if not stream:
        missing: Answer = kinesis.error_response_json("ResourceNotFoundException", f"Stream {name} not found", 400)
        return missing
    current, target = len(_open_shards(stream)), int(data.get("TargetShardCount") or 0)
    if not max(1, -(-current // 2)) <= target <= 2 * current:
        message = f"TargetShardCount {target}: from {current} shards, half to double of it is allowed"
        refusal: Answer = kinesis.error_response_json("InvalidArgumentException", message, 400)
        return refusal
    while (count := len(_open_shards(stream))) != target:
        ranges = sorted(
            (int(shard["starting_hash_key"]), int(shard["ending_hash_key"]), shard_id)
            for shard_id, shard in _open_shards(stream).items()
        )
        if count < target:
            first, last, widest = max(ranges, key=lambda entry: entry[1] - entry[0])
            middle = str((first + last + 1) // 2)
            split({"StreamName": stream["StreamName"], "ShardToSplit": widest, "NewStartingHashKey": middle})
        else:
            one, other = min(itertools.pairwise(ranges), key=lambda pair: pair[1][1] - pair[0][0])
            merge({"StreamName": stream["StreamName"], "ShardToMerge": one[2], "AdjacentShardToMerge": other[2]})
    answer: Answer = kinesis.json_response(
        {
            "StreamName": stream["StreamName"],
            "CurrentShardCount": current,
            "TargetShardCount": target,
            "StreamARN": stream["StreamARN"],
        }
    )
    return answer


def _routing(route: Callable[[int, dict[str, Any]], str]) -> Callable[[int, dict[str, Any]], str]:
    return lambda hash_key, stream: route(hash_key, {**stream, "shards": _open_shards(stream)})


def _showing_ends(show: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def shown(shard_id: str, shard: dict[str, Any]) -> dict[str, Any]:
        document = show(shard_id, shard)
        if _END in shard:
            document["SequenceNumberRange"]["EndingSequenceNumber"] = shard[_END]
        return document

    return shown


def _counting_open(describe: Handler) -> Handler:
    def handler(data: dict[str, Any]) -> Answer:
        status, headers, body = describe(data)
        if status != 200:
            return status, headers, body
        _name, stream = kinesis._resolve_stream(data)
        document = json.loads(body)
        document["StreamDescriptionSummary"]["OpenShardCount"] = len(_open_shards(stream))
        answer: Answer = kinesis.json_response(document)
        return answer

    return handler


def _children(stream: dict[str, Any], shard_id: str) -> list[dict[str, Any]]:
    found = []
    for child_id, shard in stream["shards"].items():
        parents = [shard[key] for key in ("parent_shard_id", "adjacent_parent_shard_id") if shard.get(key)]
        if shard_id in parents:
            hash_range = {"StartingHashKey": shard["starting_hash_key"], "EndingHashKey": shard["ending_hash_key"]}
            found.append({"ShardId": child_id, "ParentShards": parents, "HashKeyRange": hash_range})
    return found


def _ending(get_records: Handler) -> Handler:
    def handler(data: dict[str, Any]) -> Answer:
        status, headers, body = get_records(data)
        if status != 200:
            return status, headers, body
        document = json.loads(body)
        state = kinesis._shard_iterators[document["NextShardIterator"]]
        stream = kinesis._streams[state["stream"]]
        shard = stream["shards"][state["shard_id"]]
        if _END not in shard or state["position"] < len(shard["records"]):
            return status, headers, body
        del kinesis._shard_iterators[document.pop("NextShardIterator")]
        answer: Answer = kinesis.json_response({**document, "ChildShards": _children(stream, state["shard_id"])})
        return answer

    return handler


def _ending_subscription(
    subscribe: Callable[[dict[str, Any], bool], Answer],
) -> Callable[[dict[str, Any], bool], Answer]:
    def handler(data: dict[str, Any], is_cbor: bool) -> Answer:
        consumer = kinesis._consumer_from_arn(data.get("ConsumerARN"))
        stream = kinesis._resolve_stream_by_arn(consumer["StreamARN"]) if consumer else None
        shard = (stream or {"shards": {}})["shards"].get(data.get("ShardId"))
        if not stream or not shard or _END not in shard or is_cbor:
            return subscribe(data, is_cbor)
        start = data["StartingPosition"]
        records = shard["records"]
        position = kinesis._start_position(
            records, start["Type"], start.get("SequenceNumber", ""), start.get("Timestamp")
        )
        last_event = {
            "Records": [
                {**record, "Data": kinesis._ensure_base64(record["Data"])} for record in records[position or 0 :]
            ],
            "MillisBehindLatest": 0,
            "ChildShards": _children(stream, data["ShardId"]),
        }

        async def run(send: Callable[[dict[str, Any]], Any], receive: Callable[[], Any]) -> None:
            for name, document in (("initial-response", {}), ("SubscribeToShardEvent", last_event)):
                headers = {":message-type": "event", ":event-type": name, ":content-type": "application/json"}
                message = kinesis._eventstream_message(headers, json.dumps(document).encode())
                await send({"type": "http.response.body", "body": message, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        return 200, {"Content-Type": "application/vnd.amazon.eventstream"}, StreamingResponse(run)

    return handler
