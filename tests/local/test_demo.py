"""`make local` as a user runs it: this repository's own `Pulumi.local.yaml`, and a row for every pattern in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.emulator import ROOT, free_port
from tests.ops.local.project import Project

_LINKS = (
    "__main__.py",
    "Pulumi.yaml",
    "Pulumi.local.yaml",
    "aws_transport",
    "components",
    "contracts",
    "event_schemas",
    "functions",
    "worker",
)


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_every_pattern_of_the_local_stack_has_a_row_that_is_ok(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    root.mkdir()
    for name in _LINKS:
        (root / name).symlink_to(ROOT / name)
    settings = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]["eda:patterns"]
    project = Project(root, free_port())
    up = project.ops("up")
    try:
        assert up.returncode == 0, up.stderr
        # Twice: the second run must not take the first one's events for its own.
        for _ in range(2):
            demo = project.ops("demo", "--output", "json")
            rows = {row["name"]: row for row in json.loads(demo.stdout)}
            assert {name: row["note"] for name, row in rows.items() if not row["ok"]} == {}
            assert demo.returncode == 0, demo.stderr
            left_out = {line.split(":")[0] for line in demo.stderr.splitlines() if ": left out: " in line}
            assert rows.keys() == settings.keys()
            assert left_out == {"airflow", "broker-worker"}, demo.stderr
            counts = {name: (row["sent"], row["processed"], row["dead_lettered"]) for name, row in rows.items()}
            assert counts == {
                "archive": (100, 100, 0),
                "counter": (37, 30, 0),
                "couriers": (20, 20, 0),
                "dinner": (3, 3, 0),
                "kitchens": (24, 30, 0),
                "ledger": (40, 40, 0),
                "nightly": (2, 2, 0),
                "orders": (53, 43, 3),
                "photos": (9, 8, 0),
                "receipts": (12, 4, 0),
                "sales": (40, 40, 0),
            }
    finally:
        assert project.ops("down").returncode == 0
    assert project.processes() == []
