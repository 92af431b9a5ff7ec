"""`ops events validate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts.events import Event
from ops.exit_codes import ExitCode
from tests.ops.scene import Scene


def channel(**changes: Any) -> dict[str, Any]:
    data = {"channel-id": "c", "created-at": "2026-11-20T10:00:00Z", "name": "n", "city": "Perth", "region": "AU"}
    event = Event(source="com.flix", detail_type="ChannelCreated", idempotency_key="k", data={**data, **changes})
    return event.to_envelope()


def test_every_event_of_every_file_is_judged(scene: Scene, tmp_path: Path) -> None:
    good, mixed, broken = tmp_path / "good.json", tmp_path / "mixed.jsonl", tmp_path / "broken.json"
    good.write_text(json.dumps(channel()))
    mixed.write_text("\n".join(map(json.dumps, [channel(), channel(region="A"), {**channel(), "source": "other"}])))
    broken.write_text(json.dumps({**channel(), "source": ""}))

    ran = scene.run("events", "validate", str(good), str(mixed), str(broken), "--output", "json")

    assert ran.code == ExitCode.ERROR
    rows = json.loads(ran.stdout)
    assert [row["valid"] for row in rows] == [True, True, False, True, False]
    assert rows[2]["problem"] == "detail.data.region: 'A' is too short"
    assert "event 1: source" in rows[4]["problem"]
    assert "3 of 5 are valid" in ran.stderr


def test_strict_wants_a_schema_for_every_event(scene: Scene) -> None:
    text = json.dumps({**channel(), "source": "other"})
    assert scene.run("events", "validate", "-", stdin=text).code == ExitCode.OK
    ran = scene.run("events", "validate", "-", "--strict", stdin=text)
    assert ran.code == ExitCode.ERROR
    assert "there is no schema of other@ChannelCreated" in ran.stdout


def test_a_folder_of_ones_own(scene: Scene, tmp_path: Path) -> None:
    schema = {"$id": "other@ChannelCreated", "type": "object", "required": ["budget"]}
    (tmp_path / "ChannelCreated.json").write_text(json.dumps(schema))
    text = json.dumps({**channel(), "source": "other"})

    ran = scene.run("events", "validate", "-", "--schemas", str(tmp_path), stdin=text)
    none = scene.run("events", "validate", "-", "--schemas", str(tmp_path / "nothing"), stdin=text)

    assert ran.code == ExitCode.ERROR
    assert "'budget' is a required property" in ran.stdout
    assert "holds no schema" in none.stderr
