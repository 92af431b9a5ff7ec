"""One broker of each kind for all tests of this folder, and a certificate for brokers that speak TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import make_certificate
from tests.worker.broker.servers import PASSWORD, ActiveMq, RabbitMq


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    server = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    try:
        server.start()
        yield server
    finally:
        server.end()


@pytest.fixture(scope="session")
def activemq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActiveMq]:
    server = ActiveMq(tmp_path_factory.mktemp("activemq"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``ca.pem``, which is its own authority, for the host ``localhost``, and ``keys.p12``."""
    home = tmp_path_factory.mktemp("certificate")

    make_certificate(home)
    command = ["openssl", "pkcs12", "-export", "-inkey", "key.pem", "-in", "ca.pem", "-out", "keys.p12"]
    subprocess.run([*command, "-passout", f"pass:{PASSWORD}"], cwd=home, check=True, capture_output=True)
    return home
