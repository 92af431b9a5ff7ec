"""The command line, and what the image is made of."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys

import pytest

from tests.emulator import ROOT
from worker import logs
from worker.sources import SOURCES


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "given"), [(("pigeon",), "pigeon"), ((), "nothing"), (("queue", "x"), "queue x")]
)
def test_an_unknown_source_is_one_line_and_exit_code_2(arguments: tuple[str, ...], given: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"worker: got '{given}'; allowed: one source of {', '.join(SOURCES)}\n"


def test_every_wrong_setting_is_one_line_and_exit_code_2() -> None:
    done = run("queue", BATCH_SIZE="0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "worker: HANDLER: not set; set it to module:function of a handle(event) function",
        "worker: QUEUE_URL: not set; set it to the URL of the queue to consume",
        "worker: BATCH_SIZE: 0 is out of range; allowed: 1 to 10",
    ]


def test_a_handler_that_cannot_be_imported_is_one_line() -> None:
    done = run("queue", HANDLER="no.such:handle", QUEUE_URL="http://localhost/1/q")
    assert done.returncode == 2
    assert done.stderr == (
        "worker: HANDLER: cannot import 'no.such' of 'no.such:handle': ModuleNotFoundError: No module named 'no'\n"
    )


def test_no_region_is_one_line() -> None:
    done = run("queue", HANDLER="worker.handlers.pizza:handle", QUEUE_URL="http://localhost/1/q")
    assert done.returncode == 2
    assert done.stderr == "worker: AWS_REGION: not set; set it (or AWS_DEFAULT_REGION) to the source's region\n"


def test_a_log_line_is_json_with_the_context_of_the_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    logs.configure("INFO", "orders")
    with logs.context(message_id="m", receive_count=2), logs.context(idempotency_key="k"):
        logging.getLogger("shop").info("baking %s", "now", extra={"oven": 3})
    logging.getLogger("shop").error("failed", exc_info=ValueError("x"))
    logging.getLogger("botocore").info("chatter")
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first.pop("timestamp").endswith("+00:00")
    assert first.pop("location")
    assert first == {
        "level": "INFO",
        "message": "baking now",
        "pattern": "orders",
        "oven": 3,
        "message_id": "m",
        "receive_count": 2,
        "idempotency_key": "k",
    }
    assert second["exception_name"] == "ValueError"
    assert "message_id" not in second


def pins(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text().splitlines()
    return dict(line.split("==") for line in lines if re.match(r"\w", line))


def test_the_image_installs_what_the_project_pins() -> None:
    image, project = pins("worker/requirements.txt"), pins("requirements.txt")
    assert image
    assert image == {name: project[name] for name in image}


def test_the_worker_imports_nothing_but_what_the_image_has() -> None:
    script = (
        "import sys, worker.__main__, worker.sources.queue, worker.handlers.pizza\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'pydantic', 'pulumi', 'typer', 'rich', 'components', 'ops', 'tenacity', 'psutil'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_image_runs_as_nobody_in_particular_and_holds_only_the_worker() -> None:
    lines = (ROOT / "worker/Dockerfile").read_text().splitlines()
    assert [line.split()[1:3] for line in lines if line.startswith("COPY")] == [
        ["worker/requirements.txt", "worker/requirements.txt"],
        ["aws_transport/", "aws_transport/"],
        ["contracts/", "contracts/"],
        ["event_schemas/", "event_schemas/"],
        ["worker/", "worker/"],
    ]
    assert 'ENTRYPOINT ["python", "-m", "worker"]' in lines
    assert 'CMD ["queue"]' in lines
    assert "USER worker" in lines
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert {"!aws_transport", "!contracts", "!worker"} <= set(ignored)
