"""Find the user's handler, and take from it what the worker can keep."""

from __future__ import annotations

import importlib
import inspect
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.shared.json_encoder import Encoder

from contracts import environment as names
from contracts.events import Event
from worker.errors import SettingsError

__all__ = ["MAX_RESULT_BYTES", "Handler", "keepable", "load"]

Handler = Callable[[Event], object]
"""``handle(event) -> dict | None``; the result is checked at run time because the user's code need not be typed."""

MAX_RESULT_BYTES = 300_000
"""A DynamoDB item holds 400 KB; the rest is room for the key and for escaping."""

logger = logging.getLogger(__name__)


def load(reference: str) -> Handler:
    """Import ``module:function``.

    Raises:
        SettingsError: the module cannot be imported (with the cause), or has no such function, or it is not one that
            can be called with an event.
    """
    module_name, _, function_name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise SettingsError([f"{names.HANDLER}: cannot import {module_name!r} of {reference!r}: {cause}"]) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        public = [name for name, _ in inspect.getmembers(module, inspect.isfunction) if not name.startswith("_")]
        problem = "is not a function" if function is not None else "does not exist"
        available = f"functions there: {', '.join(public)}" if public else "it has no functions"
        raise SettingsError([f"{names.HANDLER}: {function_name!r} of {reference!r} {problem}; {available}"])
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        # Calling it would return at once without doing the work.
        kind = "an async function" if inspect.iscoroutinefunction(function) else "a generator"
        raise SettingsError([f"{names.HANDLER}: {reference!r} is {kind}; allowed: a plain handle(event) function"])
    try:
        inspect.signature(function).bind(object())
    except TypeError as error:
        raise SettingsError([f"{names.HANDLER}: {reference!r} cannot be called as handle(event): {error}"]) from error
    except ValueError:
        logger.debug("the handler has no signature to check")  # a callable written in C
    return function  # type: ignore[no-any-return]  # callable(function) is all that can be known


def keepable(result: object) -> dict[str, Any] | None:
    """The result as it can be kept with the event's key, else None, with an error in the log.

    The handler has returned, so its effect has happened: failing the message now would only repeat it.
    """
    if result is None:
        return None
    if not isinstance(result, Mapping):
        problem = f"a {type(result).__name__}; allowed: a dict or None"
    else:
        try:
            text = json.dumps(dict(result), cls=Encoder)
        except (TypeError, ValueError, RecursionError) as error:
            problem = f"a dict that JSON cannot express ({error})"
        else:
            if len(text.encode()) <= MAX_RESULT_BYTES:
                return dict(result)
            problem = f"{len(text.encode()):,} bytes of JSON; allowed: {MAX_RESULT_BYTES:,}"
    logger.error("the event was handled, but its result is not kept: the handler returned %s", problem)
    return None
