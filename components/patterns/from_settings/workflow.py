"""Settings of a `workflow` → `Workflow`."""

from __future__ import annotations

from components.config.workflow import StepSettings, WorkflowSettings
from components.patterns.from_settings.handler import handler_values
from components.patterns.workflow import Workflow, WorkflowArgs
from components.patterns.workflow_steps import StepArgs, StepKind
from components.shared import Shared
from components.workflows.retries import RetryArgs
from components.workflows.state_machine import ExecutionLog

__all__ = ["build_workflow"]


def build_workflow(name: str, settings: WorkflowSettings, shared: Shared) -> Workflow:
    executions = settings.executions
    return Workflow(
        name,
        WorkflowArgs(
            bus=shared.bus,
            event_pattern=settings.events,
            steps=[_step(name, step, shared) for step in settings.steps],
            timeout_seconds=settings.timeout_seconds,
            log_level=ExecutionLog(executions.log_level),
            log_execution_data=executions.log_data,
            log_retention_days=executions.log_retention_days,
            tracing=executions.tracing,
            maximum_retry_attempts=settings.delivery.maximum_retry_attempts,
            maximum_event_age_seconds=settings.delivery.maximum_event_age_seconds,
            idempotency_expires_hours=settings.idempotency.expires_hours if settings.idempotency.enabled else None,
            encryption_key=shared.encryption_key,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic_arn,
            description=settings.description,
        ),
    )


def _step(workflow: str, step: StepSettings, shared: Shared) -> StepArgs:
    return StepArgs(
        **handler_values(f"{workflow}-{step.name}", step.handler, shared),
        name=step.name,
        kind=StepKind(step.kind),
        concurrency=step.handler.concurrency,
        check_schemas=step.handler.check_schemas,
        timeout_seconds=step.timeout,
        heartbeat_seconds=step.heartbeat,
        retry=RetryArgs(
            attempts=step.retry.attempts,
            interval_seconds=step.retry.interval_seconds,
            max_delay_seconds=step.retry.max_delay_seconds,
        ),
        workers=step.workers or 1,
        spot=step.spot,
    )
