"""Handle the step of the container's environment; the report tells the state machine, the exit code tells ECS."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from contracts import environment as names
from contracts.errors import EventError
from contracts.workflows import REFUSED
from worker.assembly import client_config, executor_for, open_session
from worker.errors import SettingsError
from worker.exit_codes import ExitCode
from worker.handler import Handler
from worker.logs import Field, Outcome
from worker.settings import Reader, Settings
from worker.stopping import Stop
from worker.workflow.reading import read_step
from worker.workflow.reporting import TaskToken
from worker.workflow.settings import heartbeat_seconds
from worker.workflow.stepping import Ending, Stepper

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

__all__ = ["run"]

logger = logging.getLogger(__name__)

_EXIT_CODES = {
    Ending.REPORTED: ExitCode.OK,
    Ending.FAILED: ExitCode.ERROR,
    Ending.REFUSED: ExitCode.REFUSED,
    Ending.GIVEN_BACK: ExitCode.UNFINISHED,
    Ending.LOST: ExitCode.UNFINISHED,
}


def run(settings: Settings, handler: Handler, stop: Stop) -> ExitCode:
    """Handle one step.

    Raises:
        SettingsError: there is no token, or no heartbeat.
    """
    reader = Reader(os.environ)
    token = reader.required(names.TASK_TOKEN, "the task token, $$.Task.Token of the state")
    heartbeat = heartbeat_seconds(reader)
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    session = open_session()
    client: SFNClient = session.client("stepfunctions", config=client_config(settings, read_timeout_seconds=10))
    try:
        step = read_step(os.environ)
    except EventError as error:
        logger.error("the step's input is malformed", extra={Field.OUTCOME: Outcome.REFUSED, Field.REASON: str(error)})
        TaskToken(client, token, beat_seconds=heartbeat / 3).fail(REFUSED, f"EventError: {error}")
        return ExitCode.REFUSED
    stepper = Stepper(
        client,
        executor_for(settings, handler, session),
        stop,
        heartbeat_seconds=heartbeat,
        drain_seconds=settings.drain_seconds,
        dies=True,
    )
    ending = stepper.run(step, token)
    return ExitCode.ERROR if stop.failed else _EXIT_CODES[ending]
