"""One accelerated server for this folder: an emulated minute lasts half a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator import running_emulator
from tests.ops.local.server.helpers import Fargate, write_images

SPEEDUP = 120


@pytest.fixture(scope="session")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home directory of this folder's server."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def emulator(server_home: Path) -> Iterator[str]:
    """The URL of this folder's server; it replaces the one of the other tests."""
    write_images(server_home)
    with running_emulator(server_home, "--speedup", str(SPEEDUP)) as url:
        yield url


@pytest.fixture
def fargate(account: object, server_home: Path) -> Fargate:
    """ECS in a fresh account."""
    return Fargate(account, server_home)  # type: ignore[arg-type]  # an Account
