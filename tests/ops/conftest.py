"""Fixtures of the tests of `ops`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator import Account
from tests.ops.scene import Scene


@pytest.fixture
def scene(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An account of its own with helpers for queues and commands."""
    return Scene(account, tmp_path / "state", monkeypatch)
