"""The table image -> local command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.local.server.images import (
    ImageCommand,
    ImageTableError,
    command_line,
    find_image,
    lookup_keys,
    read_image_table,
)


@pytest.mark.parametrize(
    ("image", "keys"),
    [
        ("a", ["a"]),
        ("a:1", ["a:1", "a"]),
        ("r:5000/t/a:1", ["r:5000/t/a:1", "r:5000/t/a", "a:1", "a"]),
        ("r/a:1@sha256:0", ["r/a:1@sha256:0", "r/a:1", "r/a", "a:1", "a"]),
    ],
)
def test_lookup_goes_from_exact_to_name(image: str, keys: list[str]) -> None:
    assert lookup_keys(image) == keys


def test_the_most_exact_entry_wins(tmp_path: Path) -> None:
    table = {"a": ImageCommand(("plain",)), "r/a": ImageCommand(("repository",)), "r/a:2": ImageCommand(("tagged",))}
    found = [find_image(table, image, table_file=tmp_path).command for image in ("r/a:2", "r/a:1", "x/a:9")]
    assert found == [("tagged",), ("repository",), ("plain",)]


@pytest.mark.parametrize(
    ("entry_point", "command", "expected"),
    [
        (None, None, ["python", "-m", "worker", "queue"]),
        (None, ["stream"], ["python", "-m", "worker", "stream"]),
        (["sh"], ["-c", "x"], ["sh", "-c", "x"]),
        (["sh"], None, ["sh"]),
    ],
)
def test_entry_point_and_command(entry_point: list[str] | None, command: list[str] | None, expected: list[str]) -> None:
    image = ImageCommand(command=("queue",), entry_point=("python", "-m", "worker"))
    assert command_line(image, entry_point, command) == expected


def test_a_table_is_read_with_its_directories_and_variables(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    entry = {"entry_point": ["e"], "command": ["x"], "working_directory": str(tmp_path), "environment": {"A": "1"}}
    file.write_text(json.dumps({"a": entry}))
    assert read_image_table(file) == {"a": ImageCommand(("x",), ("e",), tmp_path, {"A": "1"})}
    assert read_image_table(tmp_path / "none.json") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "holds a list"),
        ('{"a": []}', "a: is a list"),
        ('{"a": {}}', "a: starts nothing; set entry_point, command, or both"),
        ('{"a": {"command": []}}', "a: starts nothing"),
        ('{"a": {"entry_point": "x"}}', "entry_point is 'x'; allowed: a list of texts"),
        (
            '{"a": {"command": ["x"], "cwd": "/"}}',
            "unknown key 'cwd'; allowed: entry_point, command, working_directory, environment",
        ),
        ('{"a": {"command": ["x"], "environment": {"A": 1}}}', "environment is {'A': 1}; allowed: an object of texts"),
        ('{"a": {"command": ["x"], "working_directory": "/none"}}', "working_directory '/none' is no directory"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "images.json"
    file.write_text(text)
    with pytest.raises(ImageTableError) as wrong:
        read_image_table(file)
    assert message in str(wrong.value)
    assert str(file) in str(wrong.value)
