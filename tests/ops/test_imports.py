"""What `ops` may import, and what its start must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulator import ROOT

_OPS = ROOT / "ops"
_LOCAL = {_OPS / "local", _OPS / "commands" / "local.py"}
_MODULES = sorted(path for path in _OPS.rglob("*.py") if not any(path == own or own in path.parents for own in _LOCAL))


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_ops_imports_neither_pulumi_nor_the_components_nor_the_worker() -> None:
    assert len(_MODULES) > 20
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in _MODULES
        for name in _imported(path)
        if name.partition(".")[0]
        in {"pulumi", "pulumi_aws", "pulumi_docker_build", "components", "worker", "functions"}
        or name.startswith("ops.local")
    }
    assert found == set()


def test_actions_know_nothing_of_the_command_line() -> None:
    actions = [path for path in _MODULES if _OPS / "actions" in path.parents]
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in actions
        for name in _imported(path)
        if name.partition(".")[0] in {"typer", "rich", "click"} or name.startswith(("ops.commands", "ops.cli"))
    }
    assert found == set()


@pytest.mark.parametrize(
    "words", [["--help"], ["replay-dlq", "--help"], ["scale", "--help"], ["peek-dlq", "--limit", "0"]]
)
def test_help_and_usage_errors_load_nothing_heavy(words: list[str]) -> None:
    heavy = ["boto3", "botocore", "pulumi", "components", "rich.table", "tenacity", "ops.local", "ministack"]
    code = (
        "import sys; from ops.__main__ import main; code = main(sys.argv[1:]);"
        f"loaded = [name for name in {heavy!r} if name in sys.modules];"
        "sys.exit(f'loaded {loaded}' if loaded else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert "loaded" not in done.stderr
    assert done.returncode == (0 if "--help" in words else 2)
