"""Deploy a small Pulumi program to the emulator, in an interpreter of its own as `ops local up` does."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.emulator import ROOT, Account

__all__ = ["Run", "run_program"]

_RUNNER = """
import json, runpy, sys
from pathlib import Path
from ops.local.deployer.program import deploy
from ops.local.errors import LocalError

options = json.loads(sys.argv[1])
try:
    deployment = deploy(
        lambda: runpy.run_path(options["program"], run_name="__main__"),
        project="eda",
        stack="local",
        config={"aws:region": options["region"], "eda:motto": "served hot"},
        region=options["region"],
        endpoint_url=options["endpoint_url"],
        home=Path(options["home"]),
        account=options["account"],
    )
except LocalError as error:
    print(json.dumps({"error": str(error), "type": type(error).__name__}))
else:
    print(json.dumps({"outputs": deployment.outputs, "resources": deployment.resources}))
"""
_HEADER = "import json\nimport pulumi\nimport pulumi_aws as aws\n\n"


@dataclass(frozen=True)
class Run:
    """What one deployment answered: `outputs` and `resources`, or `error` and its class."""

    outputs: dict[str, Any]
    resources: dict[str, int]
    error: str
    error_type: str


def run_program(account: Account, home: Path, source: str) -> Run:
    """Deploy `source` (its imports of json, pulumi and aws are given) into `account`."""
    home.mkdir(parents=True, exist_ok=True)
    program = home / "program.py"
    program.write_text(_HEADER + textwrap.dedent(source))
    options = {
        "program": str(program),
        "region": account.region,
        "endpoint_url": account.endpoint_url,
        "home": str(home),
        "account": account.id,
    }
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER, json.dumps(options)],
        cwd=ROOT,
        env=account.environment(),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    return Run(
        outputs=answer.get("outputs", {}),
        resources=answer.get("resources", {}),
        error=answer.get("error", ""),
        error_type=answer.get("type", ""),
    )
