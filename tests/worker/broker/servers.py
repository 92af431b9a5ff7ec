"""Real brokers from Debian's packages, each on a free port with a data directory of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pika
import psutil
import pytest
from pika.exceptions import AMQPError

from tests.emulator import free_port
from tests.worker.support import wait_for

USERNAME, PASSWORD = "worker", "secret"

_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the wrapper on the PATH insists on a user of its own
_RABBITMQCTL = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
_ACTIVEMQ = Path("/usr/share/activemq/bin/activemq.jar")


class _Process:
    """A server in a process group of its own, which ends as a whole."""

    def __init__(self, command: list[str], environment: dict[str, str], log: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class RabbitMq:
    """A node of one, without plugins, on AMQP and, with a certificate (``ca.pem``, ``key.pem``), on AMQPS."""

    def __init__(self, home: Path, certificate: Path | None = None) -> None:
        if not _RABBITMQ.exists() or shutil.which("epmd") is None:
            pytest.skip("RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)")
        self._home = home
        self.port = free_port()
        self.url = f"amqp://127.0.0.1:{self.port}"
        tls_port = free_port()
        self.tls_url = f"amqps://localhost:{tls_port}"
        self._node: _Process | None = None
        # Erlang's port mapper would otherwise be a daemon that outlives the node.
        names_port = str(free_port())
        (home / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\ndefault_user = {USERNAME}\ndefault_pass = {PASSWORD}\n"
            + (_tls(certificate, tls_port) if certificate else "")
        )
        (home / "plugins").write_text("[].")
        self._environment = {
            **os.environ,
            "HOME": str(home),
            "ERL_EPMD_PORT": names_port,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            # Two schedulers are enough, and do not spin while idle.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none",
        }
        with (home / "epmd.log").open("wb") as log:
            self._names = _Process(["epmd", "-port", names_port], self._environment, log)

    def start(self) -> None:
        with (self._home / "node.log").open("ab") as log:
            self._node = _Process([str(_RABBITMQ)], self._environment, log)
        wait_for("RabbitMQ to start", self._answers, 120)

    def _answers(self) -> bool:
        assert self._node is not None
        assert self._node.running, (self._home / "node.log").read_text()
        try:
            self.connect().close()
        except (AMQPError, OSError):
            return False
        return True

    def connect(self) -> pika.BlockingConnection:
        credentials = pika.PlainCredentials(USERNAME, PASSWORD)
        return pika.BlockingConnection(
            pika.ConnectionParameters("127.0.0.1", self.port, credentials=credentials, stack_timeout=5)
        )

    @contextlib.contextmanager
    def silent(self, queue: str) -> Iterator[None]:
        """The leader of a quorum queue does nothing; all else goes on."""
        self._evaluate(f"sys:suspend('%2F_{queue}').")
        try:
            yield
        finally:
            self._evaluate(f"sys:resume('%2F_{queue}').")

    def _evaluate(self, expression: str) -> None:
        command = [str(_RABBITMQCTL), "eval", expression]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "ok\n", done

    def stop(self) -> None:
        """Let the node shut down; what is durable is there after the next start."""
        assert self._node is not None
        # Its helpers are in the same group, and without them the shutdown hangs: only the node gets the signal.
        (node,) = [process for process in self._node.descendants() if process.name() == "beam.smp"]
        node.terminate()
        node.wait(60)
        self._node.kill()

    def kill(self) -> None:
        if self._node is not None:
            self._node.kill()

    def end(self) -> None:
        self.kill()
        self._names.kill()


def _tls(certificate: Path, port: int) -> str:
    lines = {
        "listeners.ssl.default": f"127.0.0.1:{port}",
        "ssl_options.cacertfile": certificate / "ca.pem",
        "ssl_options.certfile": certificate / "ca.pem",
        "ssl_options.keyfile": certificate / "key.pem",
        "ssl_options.verify": "verify_none",
        "ssl_options.fail_if_no_peer_cert": "false",
    }
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


_ACTIVEMQ_XML = """<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans
    http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
    http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="test" useJmx="false" dataDirectory="{home}/data">
    <persistenceAdapter><kahaDB directory="{home}/data/kahadb"/></persistenceAdapter>
    <plugins>
      <simpleAuthenticationPlugin>
        <users><authenticationUser username="{username}" password="{password}" groups="users"/></users>
      </simpleAuthenticationPlugin>
    </plugins>
    {tls}
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:{port}"/>
      {tls_connector}
    </transportConnectors>
  </broker>
</beans>
"""


class ActiveMq:
    """A broker with a store on disk, on STOMP and, with a key store, on STOMP over TLS."""

    def __init__(self, home: Path, key_store: Path | None = None) -> None:
        if not _ACTIVEMQ.exists() or shutil.which("java") is None:
            pytest.skip("ActiveMQ is not installed (Debian: apt-get install activemq)")
        self._home = home
        self.port, self.tls_port = free_port(), free_port()
        self.url = f"stomp://127.0.0.1:{self.port}"
        self.tls_url = f"stomp+ssl://localhost:{self.tls_port}"
        self._broker: _Process | None = None
        tls = tls_connector = ""
        if key_store:
            tls = (
                f'<sslContext><sslContext keyStore="file:{key_store}" keyStorePassword="{PASSWORD}"'
                ' keyStoreType="pkcs12"/></sslContext>'
            )
            tls_connector = f'<transportConnector name="stomp+ssl" uri="stomp+ssl://localhost:{self.tls_port}"/>'
        (home / "activemq.xml").write_text(
            _ACTIVEMQ_XML.format(
                home=home, port=self.port, username=USERNAME, password=PASSWORD, tls=tls, tls_connector=tls_connector
            )
        )

    def start(self) -> None:
        options = ["-Xmx256m", "-Dactivemq.home=/usr/share/activemq", f"-Dactivemq.base={self._home}"]
        command = ["java", *options, "-jar", str(_ACTIVEMQ), "start", f"xbean:file:{self._home}/activemq.xml"]
        with (self._home / "broker.log").open("ab") as log:
            self._broker = _Process(command, dict(os.environ), log)
        wait_for("ActiveMQ to start", self._answers, 120)

    def _answers(self) -> bool:
        assert self._broker is not None
        assert self._broker.running, (self._home / "broker.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End the broker as a power cut does; what it has confirmed is there after the next start."""
        if self._broker is not None:
            self._broker.kill()
