"""The functions in this process, with a table and a cluster of a fresh account on an embedded AWS that runs tasks."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulator import Account, running_emulator
from tests.functions.bench import Bench


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An embedded AWS with an image `python`; it replaces the one of the other tests."""
    home = tmp_path_factory.mktemp("functions-emulator")
    images = {"python": {"entry_point": [sys.executable, "-u", "-c"]}}
    (home / "images.json").write_text(json.dumps(images))
    with running_emulator(Path(home)) as url:
        yield url


@pytest.fixture
def bench(account: Account) -> Bench:
    return Bench(account)


@pytest.fixture
def limits(account: Account) -> Callable[..., None]:
    """Limits this account's RunTask; they end with the account."""

    def limit(**values: float) -> None:
        body = json.dumps({"account": account.id, **values}).encode()
        request = urllib.request.Request(f"{account.endpoint_url}/_local/run-task-limits", data=body, method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    return limit
