"""Run a Pulumi program in this process, with every resource created in the embedded AWS."""

from __future__ import annotations

import asyncio
import runpy
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import Stack, run_pulumi_func

import ops.local.deployer.resources  # noqa: F401  # registers the creators
from ops.local.account import ACCOUNT_ID
from ops.local.deployer.clients import Clients
from ops.local.deployer.errors import ProgramError, ResourceError
from ops.local.deployer.images import Images
from ops.local.deployer.monitor import LocalMocks, LocalMonitor
from ops.local.deployer.registry import Context
from ops.local.errors import LocalError

__all__ = ["Deployment", "deploy", "program_of"]


@dataclass(frozen=True)
class Deployment:
    """What a run of the program made.

    Attributes:
        outputs: the stack's exported outputs, secrets in the clear.
        resources: type token → how many of it.
        seconds: how long it took.
    """

    outputs: Mapping[str, Any]
    resources: Mapping[str, int]
    seconds: float

    @property
    def resource_count(self) -> int:
        return sum(self.resources.values())


def program_of(root: Path) -> Callable[[], None]:
    """The project in `root` as a callable: runs its ``__main__.py`` the way Pulumi's language host does."""

    def run() -> None:
        if str(root) not in sys.path:
            sys.path.insert(0, str(root))
        runpy.run_path(str(root / "__main__.py"), run_name="__main__")

    return run


def deploy(
    program: Callable[[], None],
    *,
    project: str,
    stack: str,
    config: Mapping[str, str],
    region: str,
    endpoint_url: str,
    home: Path,
    account: str = ACCOUNT_ID,
    on_created: Callable[[int], None] = lambda count: None,
) -> Deployment:
    """Run `program` and create what it registers.

    One deployment per interpreter: Pulumi's runtime is global, so a second one would inherit the first one's stack.

    Args:
        program: registers resources and exports outputs.
        project, stack, config: as in `StackSettings`.
        region: of every resource that does not say otherwise.
        endpoint_url: the embedded AWS.
        home: the local environment's folder; images are registered in its ``images.json``.
        account: twelve digits.
        on_created: called, from any thread, with the number of resources created so far.

    Raises:
        ResourceError: a resource could not be created; the message starts with its URN.
        ProgramError: the program raised.
    """
    started = time.monotonic()
    context = Context(Clients(endpoint_url, region, account), Images(home / "images.json"))
    mocks = LocalMocks(context, on_created)
    monitor = LocalMonitor(mocks)
    # set_mocks builds the stack on the current event loop, and the program must run on the same one.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(mocks, project=project, stack=stack, preview=False, monitor=monitor)
        pulumi.runtime.set_all_config(dict(config))
        outputs = loop.run_until_complete(_run(program))
    except ResourceError:
        raise
    except LocalError as error:
        raise ProgramError(str(error)) from error
    except (Exception, SystemExit) as error:
        if monitor.failure is not None:  # the SDK may wrap it
            raise monitor.failure from error
        raise ProgramError(_sentence(error)) from error
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return Deployment(outputs, dict(Counter(mocks.resource_types)), time.monotonic() - started)


async def _run(program: Callable[[], None]) -> dict[str, Any]:
    await run_pulumi_func(program)
    root = get_root_resource()
    assert isinstance(root, Stack)
    exported = await pulumi.Output.from_input(root.outputs).future()
    return dict(exported or {})


def _sentence(error: BaseException) -> str:
    """What an exception of the program says to its author, with the place where it was raised.

    The library's own errors (wrong settings, wrong arguments) are sentences already: they stand for themselves.
    """
    if isinstance(error, pulumi.RunError | ValueError) and str(error):
        return str(error)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})" if place else ""
    return f"the program raised {type(error).__name__}: {error}{where}"
