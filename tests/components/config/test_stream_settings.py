from __future__ import annotations

import json
from typing import Any

import pytest

from components.config import SettingsError, parse
from components.config.stream_worker import Start, StreamWorkerSettings
from components.config.streams import StreamMode

MINIMUM = {"pattern": "stream-worker", "handler": {"image": "registry.example/worker:1"}}
STREAMS = {"clicks": {"mode": "provisioned", "shards": 2}}


def parsed(changes: dict[str, Any], streams: dict[str, Any] | None = None) -> StreamWorkerSettings:
    config = {"patterns": {"billing": {**MINIMUM, **changes}}, "streams": streams or {}}
    pattern = parse({key: json.dumps(value) for key, value in config.items()}, "dev").patterns["billing"]
    assert isinstance(pattern, StreamWorkerSettings)
    return pattern


def test_the_defaults_poll_an_on_demand_stream_from_its_oldest_record():
    settings = parsed({})
    assert (settings.stream.mode, settings.stream.shard_count, settings.stream.retention_hours) == (
        StreamMode.ON_DEMAND,
        None,
        24,
    )
    assert (settings.reading.enhanced_fan_out, settings.reading.start) == (False, Start.OLDEST)
    assert (settings.scaling.min, settings.scaling.max) == (1, None)


def test_a_provisioned_stream_has_a_shard_unless_more_are_asked_for():
    assert parsed({"stream": {"mode": "provisioned"}}).stream.shard_count == 1
    assert parsed({"stream": {"mode": "provisioned", "shards": 7}}).stream.shard_count == 7


def test_a_shared_stream_is_named():
    assert parsed({"stream": {"name": "clicks"}, "scaling": {"max": 2}}, STREAMS).stream.name == "clicks"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"stream": {"name": "clacks"}},
            "patterns.billing.stream.name: there is no stream 'clacks'; allowed: clicks",
        ),
        (
            {"stream": {"name": "clicks"}, "scaling": {"max": 3}},
            "patterns.billing.scaling.max: scaling allows 3 tasks, more than the 2 shards: a shard has one worker at a "
            "time; lower scaling.max or raise shards",
        ),
        (
            {"stream": {"name": "clicks", "retention_hours": 48}},
            "patterns.billing.stream: retention_hours: set at eda:streams, where 'clicks' is; remove it here",
        ),
        (
            {"stream": {"shards": 3}},
            "patterns.billing.stream: shards needs mode: provisioned; an on-demand stream counts its shards itself",
        ),
        (
            {"stream": {"mode": "provisioned", "shards": 2}, "scaling": {"min": 3}},
            "patterns.billing: scaling allows 3 tasks, more than the 2 shards: a shard has one worker at a time; lower "
            "scaling.max or raise shards",
        ),
        (
            {"partition_key": "$.detail.data.id"},
            "patterns.billing: partition_key needs events: producers choose the key of what they put themselves",
        ),
        (
            {"scaling": {"min": 3, "max": 2}},
            "patterns.billing.scaling.max: is 2, less than min (3); lower min or raise max",
        ),
        (
            {"reading": {"start": "now"}},
            "patterns.billing.reading.start: got 'now'; allowed: oldest or latest: where the application begins when it "
            "is new; later changes do nothing; default oldest",
        ),
        ({"events": {"source": "x"}}, "patterns.billing.events.source"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_mistake_is_one_line_with_its_path(changes: dict[str, Any], line: str):
    with pytest.raises(SettingsError) as caught:
        parsed(changes, STREAMS)
    (problem,) = caught.value.problems
    assert problem.startswith(line)


def test_without_shared_streams_there_is_none_to_name():
    with pytest.raises(
        SettingsError, match="there is no stream 'clicks'; allowed: there are none; add it to eda:streams"
    ):
        parsed({"stream": {"name": "clicks"}})


def test_names_of_streams_are_checked():
    with pytest.raises(SettingsError, match="streams.Clicks: name 'Clicks': use lower-case letters"):
        parsed({}, {"Clicks": {}})
