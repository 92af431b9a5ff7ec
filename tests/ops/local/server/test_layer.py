"""The layer fits exactly one MiniStack, and says so when it does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.local.server.__main__ import parse
from ops.local.server.layer import GAPS, LayerError, check_seams, check_version
from ops.local.server.settings import ServerSettings
from tests.emulator import ROOT


def test_the_installed_version_fits() -> None:
    check_version()


@pytest.mark.parametrize("installed", ["1.5.32", "1.6.0"])
def test_another_version_is_refused_with_the_fix(installed: str) -> None:
    with pytest.raises(LayerError, match=rf"ministack is {installed}; .* exactly 1\.5\.33.*pip install"):
        check_version(installed)


def test_a_name_that_is_gone_is_named() -> None:
    check_seams(["services.sqs._HANDLERS", "app.SERVICE_HANDLERS"], wanted_by="x")
    with pytest.raises(
        LayerError, match="x wraps names that ministack does not have: services.sqs._gone, services.no.f"
    ):
        check_seams(["services.sqs._HANDLERS", "services.sqs._gone", "services.no.f"], wanted_by="x")


def test_settings_from_the_command_line(tmp_path: Path) -> None:
    settings = parse(["--port", "5000", "--home", str(tmp_path), "--speedup", "30", "--auth"])
    assert settings == ServerSettings(home=tmp_path, port=5000, speedup=30, auth=True)
    assert settings.url == "http://127.0.0.1:5000"
    assert settings.real_seconds(60) == 2
    assert parse(["--home", str(tmp_path)]) == ServerSettings(home=tmp_path, port=4566, speedup=1, auth=False)


@pytest.mark.parametrize(
    ("option", "value"), [("--port", "0"), ("--port", "70000"), ("--speedup", "0"), ("--speedup", "-1")]
)
def test_settings_out_of_range_are_refused(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([option, value])
    assert ended.value.code == 2
    assert "allowed:" in capsys.readouterr().err


def test_every_gap_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "embedded-aws.md").read_text()
    modules = {file.stem for file in (ROOT / "ops" / "local" / "server").glob("*.py")}
    assert [gap for gap in GAPS if f"`{gap}`" not in page] == []
    tests = {file.stem for file in (ROOT / "tests").rglob("test_*.py")}
    named = {name for row in page.splitlines() if row.startswith("| ") for name in re.findall(r"`(\w+)`", row)}
    assert {name for name in named if name.startswith("test_")} <= tests
    assert {gap for gap in GAPS if gap in named} <= modules
