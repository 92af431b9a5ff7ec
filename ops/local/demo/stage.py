"""What every demo needs: clients of the local stack, progress, and waiting that ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ops.actions.queues import QueueDirectory
from ops.aws import Aws
from ops.local.account import local_account
from ops.local.demo.progress import Show
from ops.local.home import Home, State

__all__ = ["Stage"]

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Stage:
    """The running local stack.

    Attributes:
        home, state: where it is.
        aws: clients, made with this process's environment; see `enter`.
        directory: looks queues up.
        progress: shows what is going on, by the demo's name.
        name: of the demo.
    """

    home: Home
    state: State
    aws: Aws
    directory: QueueDirectory
    progress: Show
    name: str = ""

    @classmethod
    def enter(cls, home: Home, state: State, progress: Show) -> Stage:
        """Point this process's AWS settings at the local stack; a profile or token of a real account is put away."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(local_account(state))
        aws = Aws(region=state.region, endpoint_url=state.endpoint_url)
        return cls(home, state, aws, QueueDirectory(aws), progress)

    def of(self, name: str) -> Stage:
        """The stage of one demo: what it shows is under its name."""
        return replace(self, name=name)

    def show(self, text: str) -> None:
        """Say what is going on, in one line that replaces this demo's last one."""
        self.progress(self.name, text)

    def wait(self, condition: Callable[[], bool], seconds: float, *, every: float = _POLL_SECONDS) -> bool:
        """Look `every` so many seconds whether `condition` holds; False when it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            time.sleep(every)
        return True
