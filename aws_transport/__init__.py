"""How `ops` and the worker carry their requests to AWS. Needs botocore and httptools, nothing else of this project."""

from aws_transport.bare_calls import use_bare_calls
from aws_transport.short_way import use_short_way

__all__ = ["use_bare_calls", "use_short_way"]
