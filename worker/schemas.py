"""Checks each event against its JSON Schema before the handler sees it."""

from __future__ import annotations

from contracts import environment as names
from contracts.events import Event
from event_schemas import Catalogue, SchemaError
from worker.errors import NonRetryableError, SettingsError
from worker.handler import Handler

__all__ = ["SchemaMismatchError", "checked"]


class SchemaMismatchError(NonRetryableError):
    """An event does not obey its schema: no retry can help, so it goes to the dead-letter queue with this text."""


def checked(handler: Handler, catalogue: Catalogue | None = None) -> Handler:
    """The handler, called only with events that obey their schema. Events without a schema pass.

    Args:
        handler: what to call.
        catalogue: default None, the schemas in the image's ``contracts/schemas``.

    Raises:
        SettingsError: a schema of the image cannot be used.
    """
    if catalogue is None:
        try:
            catalogue = Catalogue.read()
        except SchemaError as error:
            raise SettingsError([f"{names.CHECK_SCHEMAS}: {error}"]) from error
    schemas = catalogue

    def check_and_handle(event: Event) -> object:
        if problems := schemas.problems(event):
            raise SchemaMismatchError(f"{event.detail_type} of {event.source}: {'; '.join(problems)}")
        return handler(event)

    return check_and_handle
