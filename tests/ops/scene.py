"""Queues, a dead-letter queue and the commands that work on them, for tests."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.__main__ import main
from ops.actions.queues import QueueDirectory
from ops.actions.replay.backup import Backup
from ops.actions.replay.client_engine import replay_with_client
from ops.actions.replay.options import Engine, QueueReport, ReplayOptions, Source
from ops.aws import Aws
from tests.emulator import ROOT, Account

__all__ = ["Ran", "Scene", "Stop"]


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it wrote."""

    code: int
    stdout: str
    stderr: str

    @property
    def last(self) -> dict[str, Any]:
        """The JSON object that ends stdout."""
        value = json.loads(self.stdout.splitlines()[-1])
        assert isinstance(value, dict)
        return value


class Stop(threading.Event):
    """Ends a run. What waits for `heard` goes on when the run takes nothing more.

    A run that asks again has done what follows from the first answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.Event()
        self._answered = False

    def is_set(self) -> bool:
        found = super().is_set()
        if found and self._answered:
            self.heard.set()
        self._answered = found
        return found


class Scene:
    """An account with queues. The environment of this process points to it for as long as the test runs.

    Args:
        account: the AWS account.
        state: folder of the journals.
        monkeypatch: sets the environment.
    """

    def __init__(self, account: Account, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.account = account
        self.state = state
        self.sqs: Any = account.client("sqs", max_pool_connections=20)
        self._monkeypatch = monkeypatch
        self.environment = account.environment() | {"EDA_STATE_DIR": str(state)}
        for name, value in self.environment.items():
            if name.startswith(("AWS_", "EDA_")):
                monkeypatch.setenv(name, value)
        monkeypatch.delenv("EDA_STACK", raising=False)

    def through(self, url: str) -> None:
        """From now on commands talk to this endpoint (a proxy); `sqs` stays direct."""
        self.environment["AWS_ENDPOINT_URL"] = url
        self._monkeypatch.setenv("AWS_ENDPOINT_URL", url)

    def queue(self, name: str, **attributes: str) -> str:
        """Make a queue; `.fifo` in the name makes it FIFO."""
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def arn(self, url: str) -> str:
        return str(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    def allow(self, url: str, source_arns: Sequence[str], service: str = "events.amazonaws.com") -> None:
        """The queue policy that lets a service send on behalf of these rules or topics."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": self.arn(url),
            "Condition": {"ArnEquals": {"aws:SourceArn": list(source_arns)}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def redrive(self, source: str, dlq: str, receives: int = 1) -> None:
        policy = {"deadLetterTargetArn": self.arn(dlq), "maxReceiveCount": receives}
        self.sqs.set_queue_attributes(QueueUrl=source, Attributes={"RedrivePolicy": json.dumps(policy)})

    def dead_letter(self, source: str, messages: int) -> None:
        """Let SQS itself dead-letter every message of a queue whose maxReceiveCount is 1."""
        taken = 0
        while taken < messages:
            got = self.sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10, VisibilityTimeout=0)
            taken += len(got.get("Messages", []))
        self.sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=1, VisibilityTimeout=0)

    def fill(self, url: str, bodies: Iterable[str], **entry: Any) -> None:
        """Send bodies, in batches of 10, many batches at a time; on a FIFO queue one group `g`, in order."""
        bodies = list(bodies)
        fifo = url.endswith(".fifo")
        if fifo:
            entry = {"MessageGroupId": "g", **entry}

        def send(start: int) -> None:
            entries = [
                {"Id": str(n), "MessageBody": body, **entry}
                | ({"MessageDeduplicationId": f"{url}-{start + n}-{body[:40]}"} if fifo else {})
                for n, body in enumerate(bodies[start : start + 10])
            ]
            assert not self.sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")

        with ThreadPoolExecutor(1 if fifo else 8) as pool:
            list(pool.map(send, range(0, len(bodies), 10)))

    def counts(self, url: str) -> tuple[int, int]:
        """Visible, in flight."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return int(attributes[names[0]]), int(attributes[names[1]])

    def drain(self, url: str) -> list[dict[str, Any]]:
        """Take (and delete) everything that is visible, in order."""
        taken: list[dict[str, Any]] = []
        while True:
            messages = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            ).get("Messages", [])
            if not messages:
                return taken
            taken += messages
            entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
            self.sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    def bodies(self, url: str) -> list[str]:
        return [str(message["Body"]) for message in self.drain(url)]

    def replay(
        self,
        dlq: str,
        to: str | None = None,
        *,
        manifest_origin: str | None = None,
        stop: threading.Event | None = None,
        backup: Backup | None = None,
        **options: Any,
    ) -> QueueReport:
        """One run of the client engine in this process, without pauses."""
        settings = {"wait_seconds": 0, "journal_directory": self.state / "replay", "engine": Engine.CLIENT, **options}
        aws = Aws(region=self.account.region)
        directory = QueueDirectory(aws)
        source = Source(directory.read(dlq), manifest_origin)
        return replay_with_client(
            aws,
            directory,
            source,
            ReplayOptions(to=to, **settings),
            stop or threading.Event(),
            lambda *_: None,
            backup=backup,
        )

    def local(self, route: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask, or tell, the embedded AWS something that AWS does not have."""
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(
            f"{self.account.endpoint_url}/_local/{route}", data=data, method="GET" if data is None else "PUT"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            value = json.loads(answer.read())
        assert isinstance(value, dict)
        return value

    def journals(self) -> list[Path]:
        """Journals that are unfinished."""
        return sorted(self.state.rglob("*.jsonl"))

    def run(self, *words: str, stdin: str = "") -> Ran:
        """A command in this process."""
        out, err = io.StringIO(), io.StringIO()
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(words))
        return Ran(int(code), out.getvalue(), err.getvalue())

    def start(self, *words: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """A command as a process of its own; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "ops", *words],
            cwd=ROOT,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def publish_pattern(self, name: str, document: Mapping[str, Any], stack: str = "dev") -> None:
        """Publish a pattern's manifest, as the program does."""
        whole = {"name": name, "pattern": "queue-worker", "stack": stack, "region": self.account.region, **document}
        self.account.client("ssm").put_parameter(
            Name=f"/eda/{stack}/patterns/{name}", Value=json.dumps(whole), Type="String", Overwrite=True
        )

    def queue_ref(self, url: str, **more: Any) -> dict[str, Any]:
        """The manifest's reference to a queue."""
        return {"name": url.rsplit("/", 1)[-1], "url": url, "arn": self.arn(url), **more}


def numbered(count: int, prefix: str = "m") -> Sequence[str]:
    return [f"{prefix}{n}" for n in range(count)]
