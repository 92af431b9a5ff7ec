"""Source ``callback``: one step of a state machine that waits for this container's report (``waitForTaskToken``)."""

from worker.sources.callback.running import run

__all__ = ["run"]
