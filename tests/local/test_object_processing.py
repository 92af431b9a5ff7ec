"""Object processing from end to end, on the real program: S3 → default bus → task, direct and buffered."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from contracts.events import Event
from tests.local.deployed import Deployed, deployed, eventually

pytestmark = pytest.mark.timeout(300)


def settings(root: Path, **changes: Any) -> dict[str, Any]:
    handler = {
        "function": "tests.local.object_handlers:thumbnail",
        "image": "eda-worker:local",
        "environment": {"EFFECTS": str(root / "effects")},
        "stop_timeout_seconds": 10,
    }
    return {
        "pattern": "object-processing",
        "objects": {"prefix": "incoming/"},
        "handler": handler,
        "processing_seconds": 2,
        **changes,
    }


def bucket_of(stack: Deployed) -> str:
    bucket = stack.manifest.bucket
    assert bucket is not None
    return bucket.name


def drop(stack: Deployed, names: list[str]) -> None:
    s3, bucket = stack.client("s3"), bucket_of(stack)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: s3.put_object(Bucket=bucket, Key=f"incoming/{name}", Body=b"pixels"), names))


def limit(stack: Deployed, **limits: float) -> None:
    body = json.dumps({"account": "000000000000", **limits}).encode()
    request = urllib.request.Request(f"{stack.state.endpoint_url}/_local/run-task-limits", data=body, method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def limited(stack: Deployed) -> Mapping[str, int]:
    with urllib.request.urlopen(f"{stack.state.endpoint_url}/_local/run-task-limits", timeout=10) as answer:
        counts: Mapping[str, int] = json.load(answer)["000000000000"]
    return counts


def object_event(stack: Deployed, name: str, filling: str) -> str:
    """As EventBridge writes it to the queue, with something that S3 does not say."""
    detail = {
        "bucket": {"name": bucket_of(stack)},
        "object": {"key": f"incoming/{name}", "sequencer": "0099"},
        "filling": filling,
    }
    envelope = {"version": "0", "id": "a1", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    return json.dumps(
        {**envelope, "time": "2026-11-27T00:00:00Z", "account": "000000000000", "region": "ap-southeast-2"}
    )


def large_events(stack: Deployed) -> list[bytes]:
    """What the dispatcher has put into S3."""
    s3 = stack.client("s3")
    (bucket,) = [item["Name"] for item in s3.list_buckets()["Buckets"] if "large-events" in item["Name"]]
    objects = s3.list_objects_v2(Bucket=bucket, Prefix="events/").get("Contents", [])
    return [s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in objects]


def processed(stack: Deployed) -> Counter[str]:
    return Counter({name: count for name, count in stack.effects().items() if not name.startswith("tried-")})


def test_buffered_loses_nothing_when_launches_are_throttled_and_fail(tmp_path: Path):
    root = tmp_path / "checkout"
    buffer = {"max_running_tasks": 12, "launches_per_second": 20}
    with deployed(root, settings(root, burst="buffered", buffer=buffer)) as stack:
        # GIVEN RunTask throttled at 10 a second, one launch in twenty failing
        limit(stack, per_second=10, failure_share=0.05)
        # WHEN 200 objects are dropped at once, beside them one that is poison and one that is for nobody
        names = [f"{number}.jpg" for number in range(199)] + ["fragile.jpg"]
        drop(stack, [*names, "poison.jpg"])
        stack.client("s3").put_object(Bucket=bucket_of(stack), Key="other/x.jpg", Body=b"pixels")
        # THEN all 200 are processed, each once, and poison is in the DLQ with its reason
        dead_letters, undelivered = stack.dead_letter_urls
        eventually(
            lambda: len(processed(stack)) >= 200 and stack.depth(dead_letters) == 1,
            200,
            lambda: (len(processed(stack)), stack.depth(stack.queue_url), limited(stack), stack.counts()),
        )
        eventually(lambda: stack.depth(stack.queue_url) == 0, 60, lambda: stack.depth(stack.queue_url))
        assert processed(stack) == Counter(names)
        assert processed(stack).total() == 200
        assert (stack.depth(dead_letters), stack.depth(undelivered)) == (1, 0)
        assert "no retry can help" in stack.ops("peek-dlq", "orders", "--output", "json").stdout
        assert limited(stack)["failed"] >= 10


def test_direct_shows_in_its_dead_letter_queue_what_it_lost(tmp_path: Path):
    root = tmp_path / "checkout"
    delivery = {"maximum_retry_attempts": 0, "maximum_event_age_seconds": 60}
    with deployed(root, settings(root, burst="direct", delivery=delivery)) as stack:
        limit(stack, per_second=10, failure_share=0.05)
        names = [f"{number}.jpg" for number in range(200)]
        drop(stack, names)
        (undelivered,) = [queue.url for queue in stack.manifest.dead_letter_queues]
        eventually(
            lambda: len(processed(stack)) + stack.depth(undelivered) == 200,
            120,
            lambda: (len(processed(stack)), stack.depth(undelivered)),
        )
        lost = stack.depth(undelivered)
        assert lost > 0
        assert limited(stack)["admitted"] == 200 - lost == len(processed(stack))
        assert set(processed(stack).values()) == {1}


def test_dispatcher_and_task_may_do_what_they_need_and_no_more(tmp_path: Path):
    root = tmp_path / "checkout"
    with deployed(root, settings(root, burst="buffered", buffer={"max_running_tasks": 2}), "--auth") as stack:
        drop(stack, ["a.jpg", "fragile.jpg", "large.jpg"])
        large = object_event(stack, "large.jpg", "the event itself is large" * 800)
        assert len(large) > 20_000
        stack.client("sqs").send_message(QueueUrl=stack.queue_url, MessageBody=large)
        eventually(lambda: processed(stack).total() == 4, 90, lambda: (processed(stack), stack.depth(stack.queue_url)))
        # Of large.jpg there were two events, which differ in the object's sequencer.
        assert processed(stack) == {"a.jpg": 1, "fragile.jpg": 1, "large.jpg": 2}
        eventually(lambda: stack.depth(stack.queue_url) == 0, 60, lambda: stack.depth(stack.queue_url))
        assert [stack.depth(url) for url in stack.dead_letter_urls] == [0, 0]
        # The large one went by reference, at one place for however many starts.
        (kept,) = large_events(stack)
        assert Event.from_json(kept.decode()).data["filling"] == "the event itself is large" * 800
