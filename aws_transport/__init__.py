"""How `ops` and the worker carry their requests to AWS. Needs botocore and httptools, nothing else of this project."""

from aws_transport.short_way import use_short_way

__all__ = ["use_short_way"]
