"""What is read from files: the stack's settings, Dockerfiles; and names that are made up."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ops.local.deployer.dockerfile import read_dockerfile
from ops.local.deployer.errors import SettingsError
from ops.local.deployer.images import ImageProcess, Images
from ops.local.deployer.names import autoname
from ops.local.deployer.settings import read_settings
from ops.local.errors import LocalError
from ops.local.server.images import find_image, read_image_table


def _settings(root: Path, stack: str, project: str = "name: shop\n") -> Path:
    (root / "Pulumi.yaml").write_text(project)
    (root / "Pulumi.local.yaml").write_text(stack)
    return root


def test_settings_reach_the_program_as_pulumi_hands_them_over(tmp_path: Path) -> None:
    root = _settings(
        tmp_path,
        "config:\n  aws:region: eu-west-1\n  shop:patterns: {a: {b: [1, true]}}\n  shop:on: true\n  short: x\n",
        "name: shop\nconfig:\n  shop:from-project: 7\n  shop:on: {default: false}\n  shop:unset: {type: string}\n",
    )
    settings = read_settings(root, "local")
    assert (settings.project, settings.stack, settings.region) == ("shop", "local", "eu-west-1")
    assert settings.config == {
        "aws:region": "eu-west-1",
        "shop:patterns": '{"a": {"b": [1, true]}}',
        "shop:on": "true",
        "shop:short": "x",
        "shop:from-project": "7",
    }


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ("config: {}\n", "config has no 'aws:region'"),
        ("config: [a]\n", "'config' is ['a']; it must be a map"),
        ("- a\n", "expected a map of settings"),
        ("config: {aws:region: x, shop:token: {secure: abc}}\n", "'shop:token' is a secret"),
        ("config: {", "Pulumi.local.yaml"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, stack: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(_settings(tmp_path, stack), "local")
    assert message in str(caught.value)


def test_a_missing_stack_file_is_named(tmp_path: Path) -> None:
    _settings(tmp_path, "")
    with pytest.raises(SettingsError, match=r"Pulumi\.staging\.yaml does not exist"):
        read_settings(tmp_path, "staging")


def test_the_last_stage_decides_what_an_image_runs(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        '# a comment\nFROM node:22 AS web\nENV A=1\nENTRYPOINT ["node"]\n\nFROM python:3.13\n'
        'ENV PYTHONUNBUFFERED=1 GREETING="good day" \\\n    PATH=/opt/bin:$PATH\nENV OLD form\nUSER nobody\n'
        'ENTRYPOINT ["python", "-m", "worker"]\nCMD ["queue"]\n'
    )
    process = read_dockerfile(dockerfile, tmp_path)
    assert process.entry_point == [sys.executable, "-m", "worker"]
    assert process.command == ["queue"]
    assert process.working_directory == str(tmp_path.resolve())
    assert process.environment == {"PYTHONUNBUFFERED": "1", "GREETING": "good day", "OLD": "form"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM scratch\nCMD python -m worker\n", 'is not in exec form; write CMD ["program", "argument"]'),
        ("FROM scratch\nENTRYPOINT [1]\n", "is not in exec form"),
        ("FROM scratch\n", "no ENTRYPOINT and no CMD"),
    ],
)
def test_a_dockerfile_that_cannot_be_a_process(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    with pytest.raises(LocalError) as caught:
        read_dockerfile(tmp_path / "Dockerfile", tmp_path)
    assert message in str(caught.value)


def test_a_missing_dockerfile_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="cannot read the Dockerfile .*/Dockerfile: No such file"):
        read_dockerfile(tmp_path / "Dockerfile", tmp_path)


def test_the_embedded_aws_reads_the_table_of_images(tmp_path: Path) -> None:
    images = Images(tmp_path / "home" / "images.json")
    for name in ("worker", "api"):
        images.register(name, ImageProcess(command=["python", name], working_directory=str(tmp_path)))
    table = read_image_table(tmp_path / "home" / "images.json")
    found = find_image(table, "worker:local", table_file=tmp_path)
    assert (found.command, found.working_directory) == (("python", "worker"), tmp_path)
    assert set(table) == {"worker", "api"}


def test_a_name_is_made_up_with_seven_digits_and_within_the_limit() -> None:
    assert re.fullmatch(r"orders-[0-9a-f]{7}\.fifo", autoname("orders", suffix=".fifo"))
    assert len({autoname("orders") for _ in range(50)}) == 50
    assert len(autoname("r" * 56, max_length=64)) == 64
    with pytest.raises(LocalError, match="has 65 characters and the service accepts 64; shorten 'r+' by 1"):
        autoname("r" * 57, max_length=64)
