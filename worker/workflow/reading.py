"""The step of a container that a state machine has started, from its environment."""

from __future__ import annotations

from collections.abc import Mapping

from contracts import environment as names
from contracts.workflows import Step

__all__ = ["read_step"]


def read_step(environment: Mapping[str, str]) -> Step:
    """The step that the variables describe.

    Raises:
        EventError: its input is not a JSON object.
    """
    return Step.from_parts(
        environment.get(names.STEP_INPUT, ""),
        name=environment.get(names.STEP_NAME, ""),
        execution=environment.get(names.STEP_EXECUTION, ""),
        key=environment.get(names.STEP_KEY, ""),
        token=environment.get(names.TASK_TOKEN, ""),
    )
