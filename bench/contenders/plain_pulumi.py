"""`python -m bench.contenders.plain_pulumi FILE`: only the AWS resources that `queue_workers` wrote to FILE.

No component, no Output between resources, no policy to put together: what Pulumi's SDK itself takes for them, and so
the least that any Python program with these resources takes. Prints how many resources it registered.
"""

from __future__ import annotations

import gc
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.recorder import record

_TOKEN = re.compile(r"aws:(\w+)/\w+:(\w+)")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda letter: f"_{letter[1].lower()}", name)


def _registrations(resources: list[tuple[str, str, Mapping[str, Any]]]) -> Iterator[Callable[[], object]]:
    for token, name, inputs in resources:
        match = _TOKEN.fullmatch(token)
        assert match, token
        kind = getattr(importlib.import_module(f"pulumi_aws.{match[1]}"), match[2])
        yield partial(kind, name, **{_snake(key): value for key, value in inputs.items()})


def _program(file: Path) -> None:
    for register in _registrations(json.loads(file.read_text())):
        register()


if __name__ == "__main__":
    gc.disable()  # as the program does
    recorder = record(lambda: _program(Path(sys.argv[1])))
    sys.stdout.write(f"{len(recorder.resources)}\n")
