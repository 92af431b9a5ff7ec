"""Running the whole program of this repository under recording mocks."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import yaml

from tests.recorder import Recorder, record, set_config

ROOT = Path(__file__).parents[2]
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


def settings_of(stack: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return config


def run_program(config: dict[str, Any], *, stack: str = "test", preview: bool = False) -> Recorder:
    """Run `__main__.py` with this configuration; raises what it raises."""
    set_config(config)
    return record(lambda: runpy.run_path(str(ROOT / "__main__.py")), stack=stack, preview=preview)
