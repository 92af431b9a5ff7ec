"""JSON Schemas of the events: the check that producers (`ops send`) and consumers (the worker) share."""

from event_schemas.catalogue import FOLDER, Catalogue, SchemaError
from event_schemas.compatibility import breaking_changes

__all__ = ["FOLDER", "Catalogue", "SchemaError", "breaking_changes"]
