"""Fixtures of the tests of `ops`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.loaders import create_loader

from tests.emulator import Account
from tests.ops.scene import Scene


@pytest.fixture
def scene(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An account of its own with helpers for queues and commands."""
    return Scene(account, tmp_path / "state", monkeypatch)


@pytest.fixture(scope="session", autouse=True)
def _models_are_parsed_once() -> Iterator[None]:
    """botocore parses a service's model for every session; here all sessions share one loader."""
    shared = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda search_path=None: shared)
        yield
