"""`ops plan-scaling` as it is typed. It needs no AWS."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.config.loading import parse
from components.config.queue_worker import QueueWorkerSettings
from ops.__main__ import main
from ops.commands.plan_scaling_chart import sparkline
from ops.exit_codes import ExitCode
from tests.emulator import ROOT

TRACE = "minute,messages\n" + "".join(f"{minute},{90 if 20 <= minute < 40 else 30}\n" for minute in range(60))
NEEDED = ("--latency", "300", "--processing", "2")


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "traffic.csv"
    path.write_text(TRACE)
    return str(path)


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["plan-scaling", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_table_a_chart_and_settings_to_paste(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    code, out, err = _run(capsys, "--trace", trace, *NEEDED, "--min", "1", "--max", "9")
    assert code == ExitCode.OK
    for name in ("clairvoyant optimum", "→ backlog-per-task", "the talk's steps", "CDK's default", "Copilot's formula"):
        assert name in out
    assert "█" in out
    assert out.splitlines()[-1].startswith("scaling: {policy: backlog-per-task, acceptable_latency_seconds: ")
    assert "3,000 messages in 1.0 hours" in err
    assert "March 2026" in err


def test_json_has_every_candidate(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    code, out, _ = _run(capsys, "--trace", trace, *NEEDED, "--min", "1", "--max", "9", "--output", "json")
    found: dict[str, Any] = json.loads(out)
    assert code == ExitCode.OK
    assert len(found["rows"]) == 1 + 8 + 3
    assert [row["policy"] for row in found["rows"] if row["recommended"]] == [found["recommended"]["policy"]]
    assert yaml.safe_load(found["yaml"])["scaling"]["min"] == found["recommended"]["settings"]["min"] == 1
    assert {"p50_seconds", "p95_seconds", "p99_seconds", "attainment", "task_hours", "cost_usd"} <= set(
        found["rows"][0]
    )


def test_prices_can_be_given(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    words = ("--trace", trace, *NEEDED, "--min", "2", "--max", "9", "--output", "json")
    prices = ("--cpu", "1024", "--memory", "2048", "--vcpu-hour", "0.05", "--gb-hour", "0.01")
    recommended = json.loads(_run(capsys, *words, *prices)[1])["recommended"]
    assert recommended["cost_usd"] == pytest.approx(recommended["task_hours"] * 0.07, abs=0.01)


def test_yaml_is_all_of_stdout(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    code, out, _ = _run(capsys, "--trace", trace, *NEEDED, "--yaml", "--max", "9")
    assert code == ExitCode.OK
    assert set(yaml.safe_load(out)["scaling"]) >= {"policy", "min", "max"}
    assert len(out.splitlines()) == 1


def test_the_yaml_is_pasted_into_the_settings_of_a_stack_and_loads(
    capsys: pytest.CaptureFixture[str], trace: str
) -> None:
    _, block, _ = _run(capsys, "--trace", trace, *NEEDED, "--yaml", "--max", "9")
    text = (ROOT / "Pulumi.dev.yaml").read_text()
    pasted, times = re.subn(r"scaling: \{.*\}\n", block, text)
    assert times == 1
    config = yaml.safe_load(pasted)["config"]
    ours = {key.removeprefix("eda:"): json.dumps(value) for key, value in config.items() if key.startswith("eda:")}

    orders = parse(ours, "dev").patterns["orders"]

    assert isinstance(orders, QueueWorkerSettings)
    recommended = yaml.safe_load(block)["scaling"]
    assert {key: value for key, value in orders.scaling.model_dump(mode="json").items() if key in recommended} == (
        recommended
    )


def test_what_cannot_be_kept_is_said_with_the_reason(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    words = ("--trace", trace, "--latency", "3", "--processing", "2", "--min", "0", "--max", "9")
    code, out, err = _run(capsys, *words, "--yaml")
    assert (code, out[:9]) == (ExitCode.OK, "scaling: ")
    assert "No candidate keeps 95 % of the messages within 3 s" in err
    assert "raise --min, --max or --latency" in err


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_the_picture(
    capsys: pytest.CaptureFixture[str], trace: str, tmp_path: Path, suffix: str, begins: bytes
) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plan{suffix}"
    code, _, err = _run(capsys, "--trace", trace, *NEEDED, "--min", "1", "--max", "9", "--plot", str(path), "--yaml")
    assert code == ExitCode.OK
    assert path.read_bytes().startswith(begins)
    assert "drawn" in err


def test_without_matplotlib_the_picture_is_refused_before_the_work(
    capsys: pytest.CaptureFixture[str], trace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "ops.actions.plan_scaling.plot.find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    code, out, err = _run(capsys, "--trace", trace, *NEEDED, "--plot", str(tmp_path / "p.svg"))
    assert (code, out) == (ExitCode.ERROR, "")
    assert "matplotlib, which is not installed" in err
    assert "pip install 'eda[plot]'" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--latency", "300"), "--processing"),
        (NEEDED, "Exactly one of --trace, --shape and --queue"),
        ((*NEEDED, "--shape", "burst", "--queue", "q"), "Exactly one"),
        ((*NEEDED, "--shape", "wild"), "--shape wild: unknown; allowed are steady, unpredictable, burst, daily"),
        ((*NEEDED, "--queue", "q", "--days", "16"), "--days 16: allowed is 1 to 15"),
        ((*NEEDED, "--trace", "none.csv"), "none.csv cannot be read"),
        (("--latency", "1", "--processing", "2", "--shape", "steady"), "one message alone takes longer"),
        (("--latency", "-1", "--processing", "2", "--shape", "steady"), "acceptable_latency_seconds is -1"),
        (("--latency", "nan", "--processing", "2", "--shape", "steady"), "nan"),
        (("--latency", "90000", "--processing", "2", "--shape", "steady"), "at most 86,400"),
        ((*NEEDED, "--shape", "steady", "--min", "5", "--max", "2"), "--min 5 is more than --max 2"),
        ((*NEEDED, "--shape", "steady", "--max", "0"), "--max 0: allowed is a whole number from 1 to 5,000"),
        ((*NEEDED, "--shape", "steady", "--vcpu-hour", "-1"), "--vcpu-hour -1"),
        ((*NEEDED, "--shape", "steady", "--plot", "x.pdf"), "must end with .png or .svg"),
        ((*NEEDED, "--shape", "steady", "--plot", "no/such/x.svg"), "there is no folder no/such"),
        ((*NEEDED, "--shape", "steady", "--yaml", "--output", "json"), "exclude each other"),
    ],
)
def test_wrong_command_lines_exit_2_and_say_why(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, out, err = _run(capsys, *words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_a_wrong_line_of_a_trace_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("minute,messages\n0,1\n1,-7\n")
    code, out, err = _run(capsys, "--trace", str(path), *NEEDED)
    assert (code, out) == (ExitCode.USAGE, "")
    assert "bad.csv, line 3: messages is '-7'; allowed is a whole number of 0 or more" in err


def test_a_trace_of_days_shows_progress(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("minute,messages\n" + "".join(f"{minute},1\n" for minute in (0, 2890)))
    code, _, err = _run(capsys, "--trace", str(path), *NEEDED, "--min", "0", "--max", "1", "--yaml")
    assert code == ExitCode.OK
    assert "simulated 10 of 11 policies" in err


def test_a_sparkline_keeps_the_peaks() -> None:
    assert sparkline([0, 0, 8, 0], 2, 8) == " █"
    assert sparkline([1, 2, 4, 8], 8, 8) == "▁▂▄█"
    assert sparkline([0, 0], 8, 0) == "  "
