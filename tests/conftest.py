"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.emulator import Account, running_emulator

# Other tests share the cores: how long an example takes says nothing about the code.
settings.register_profile("shared-cores", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-cores")


_SOAK = (
    "tests/bench/",
    "tests/local/test_api.py",
    "tests/local/test_fifo_fan_out.py",
    "tests/local/test_job.py",
    "tests/local/test_kafka_worker.py",
    "tests/local/test_object_processing.py",
    "tests/local/test_routing.py",
    "tests/local/test_scheduled_task.py",
    "tests/local/test_stream_worker.py",
    "tests/local/test_workflow.py",
    "tests/worker/broker/test_activemq.py",
    "tests/worker/broker/test_rabbitmq.py",
    "tests/worker/kafka/test_kafka_behaviour.py",
    "tests/worker/kafka/test_kafka_chaos.py",
    "tests/worker/stream/test_stream_behaviour.py",
    "tests/worker/stream/test_stream_chaos.py",
)
"""Whole systems under kills and load: minutes each on two cores. `make soak` runs them, and CI runs both."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(_SOAK):
            item.add_marker(pytest.mark.soak)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an embedded AWS that runs for the whole test process."""
    with running_emulator(tmp_path_factory.mktemp("emulator")) as url:
        yield url


@pytest.fixture
def account(emulator: str) -> Account:
    """A fresh AWS account on the shared emulator."""
    return Account(emulator)
