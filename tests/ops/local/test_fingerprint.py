"""What makes `ops local up` start afresh."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.local.fingerprint import program_fingerprint


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("__main__.py", "Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.dev.yaml", "components/queue.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("as it was")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("__main__.py", True),
        ("Pulumi.local.yaml", True),
        ("components/queue.py", True),
        ("components/new.py", True),
        ("worker/handlers/pizza.py", True),
        ("Pulumi.dev.yaml", False),
        ("README.md", False),
        ("components/__pycache__/queue.pyc", False),
        (".local/state.json", False),
    ],
)
def test_a_change(root: Path, name: str, changes: bool) -> None:
    before = program_fingerprint(root, "local")
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("changed")
    assert (program_fingerprint(root, "local") != before) is changes


def test_a_moved_file_is_a_change(root: Path) -> None:
    before = program_fingerprint(root, "local")
    (root / "components/queue.py").rename(root / "components/topic.py")
    assert program_fingerprint(root, "local") != before
