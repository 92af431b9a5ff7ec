"""Settings of a `job` → `Job`."""

from __future__ import annotations

from components.config.job import JobSettings
from components.patterns.from_settings.handler import handler_values
from components.patterns.job import Job, JobArgs
from components.shared import Shared

__all__ = ["build_job"]


def build_job(name: str, settings: JobSettings, shared: Shared) -> Job:
    return Job(
        name,
        JobArgs(
            **handler_values(name, settings.handler, shared),
            url=settings.url,
            patience_seconds=settings.patience_seconds,
            retention_days=settings.retention_days,
            reserved_concurrency=settings.reserved_concurrency,
            spot=settings.spot,
            encryption_key=shared.encryption_key,
            unlaunched_seconds=settings.unlaunched_seconds,
            unfinished_seconds=settings.unfinished_seconds,
        ),
    )
