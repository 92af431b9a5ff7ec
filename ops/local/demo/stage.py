"""What every demo needs: clients of the local stack, progress, and waiting that ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from ops.actions.queues import QueueDirectory
from ops.aws import Aws
from ops.local.account import local_account
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
        show: what is going on, in one line that replaces the last one.
    """

    home: Home
    state: State
    aws: Aws
    directory: QueueDirectory
    show: Callable[[str], None]

    @classmethod
    def enter(cls, home: Home, state: State, show: Callable[[str], None]) -> Stage:
        """Point this process's AWS settings at the local stack; a profile or token of a real account is put away."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(local_account(state))
        aws = Aws(region=state.region, endpoint_url=state.endpoint_url)
        return cls(home, state, aws, QueueDirectory(aws), show)

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Poll until `condition` holds; False when it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True
