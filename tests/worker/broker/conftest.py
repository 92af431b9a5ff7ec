"""One broker of each kind for all tests of this folder, and a certificate for brokers that speak TLS."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian: apt-get install openssl)")
    home = tmp_path_factory.mktemp("certificate")

    def run(*command: str) -> None:
        subprocess.run(command, cwd=home, check=True, capture_output=True)

    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-nodes")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", "key.pem", "-out", "ca.pem", *subject)
    run(
        "openssl",
        "pkcs12",
        "-export",
        "-inkey",
        "key.pem",
        "-in",
        "ca.pem",
        "-out",
        "keys.p12",
        "-passout",
        f"pass:{PASSWORD}",
    )
    return home
