"""Dispatcher: a queue in front of a task, and one worker that runs a task for each message and sees it through."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.compute.container import ContainerArgs, ContainerImage
from components.compute.scaling import QueueScaling, QueueScalingArgs
from components.compute.service import Service, ServiceArgs
from components.compute.task import Task
from components.compute.task_definition import Architecture, TaskDefinition, TaskDefinitionArgs
from components.core.base import Component
from components.core.validation import Range, check
from components.stores.large_events import LargeEvents
from components.stores.queue import Queue, QueueArgs
from contracts import environment as env
from contracts import launching

__all__ = ["Dispatcher", "DispatcherArgs"]

_HANDLER = "worker.handlers.run_task:handle"


@dataclass(frozen=True, kw_only=True)
class DispatcherArgs:
    """Arguments of `Dispatcher`.

    Attributes:
        task: what is run for each message.
        image: an image with this project's worker; normally the task's own.
        architecture: of the image.
        queue: default ten receives: a task that fails is run again with the next receive.
        large_events: where an event goes that does not fit into a task's environment; the task may read it.
        max_running_tasks: tasks at the same time, 1 to 100; default 20.
        launches_per_second: RunTask calls a second, 0.1 to 20; default 5. Fargate launches 20 a second for an account.
        processing_seconds: what one task takes, start included; default 120. For the scaling to and from zero.
        min_dispatchers: 0 or 1; default 0, which costs nothing while nothing happens, and a minute or two to wake.
        log_level, log_retention_days: of the dispatcher.
    """

    task: Task
    image: ContainerImage
    architecture: Architecture = Architecture.X86_64
    queue: QueueArgs
    large_events: LargeEvents
    max_running_tasks: int = 20
    launches_per_second: float = 5
    processing_seconds: float = 120
    min_dispatchers: int = 0
    log_level: str = "INFO"
    log_retention_days: int = 30


_RULES = (
    Range("max_running_tasks", 1, 100, "tasks"),
    Range("launches_per_second", 0.1, 20, "launches", whole=False),
    Range("processing_seconds", 1, 43_200, "seconds", whole=False),
    Range("min_dispatchers", 0, 1, "dispatchers"),
)


class Dispatcher(Component):
    """One dispatcher, never two at the same time but during a deployment, so the bounds hold for the whole pattern.

    Attributes:
        queue: where the events wait.
        task_definition, service, scaling: of the dispatcher itself.
    """

    def __init__(self, name: str, args: DispatcherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"Dispatcher {name!r}", args, _RULES)
        self.queue = Queue(name, args.queue, self.child())
        self.task_definition = self._create_task_definition(args)
        self.service = Service(
            name,
            ServiceArgs(
                cluster=args.task.cluster,
                task_definition=self.task_definition,
                network=args.task.network,
                desired_count=args.min_dispatchers,
            ),
            self.child(),
        )
        self.scaling = QueueScaling(
            f"{name}-scaling",
            QueueScalingArgs(
                service=self.service,
                queue=self.queue,
                min_tasks=args.min_dispatchers,
                max_tasks=1,
                acceptable_latency_seconds=args.processing_seconds,
                processing_seconds=args.processing_seconds,
            ),
            self.child(),
        )
        self.publish({"queue_url": self.queue.url})

    def _create_task_definition(self, args: DispatcherArgs) -> TaskDefinition:
        return TaskDefinition(
            self.name,
            TaskDefinitionArgs(
                container=ContainerArgs(image=args.image, command=["queue"], environment=self._environment(args)),
                architecture=args.architecture,
                log_retention_days=args.log_retention_days,
                statements=[
                    *self.queue.consume(),
                    *self.queue.dead_letter_queue.send(),
                    *args.task.run(),
                    *args.task.watch(),
                    *args.large_events.write(),
                ],
            ),
            self.child(),
        )

    def _environment(self, args: DispatcherArgs) -> dict[str, pulumi.Input[str]]:
        return {
            env.STACK: pulumi.get_stack(),
            env.PATTERN: self.name,
            env.LOG_LEVEL: args.log_level,
            env.HANDLER: _HANDLER,
            env.STOP_TIMEOUT_SECONDS: "120",
            env.QUEUE_URL: self.queue.url,
            env.DEAD_LETTER_QUEUE_URL: self.queue.dead_letter_queue.url,
            env.MAX_RECEIVE_COUNT: str(self.queue.max_receive_count),
            env.VISIBILITY_TIMEOUT_SECONDS: str(self.queue.visibility_timeout_seconds),
            env.CONCURRENCY: str(args.max_running_tasks),
            **args.task.launch_environment(),
            launching.LARGE_EVENTS: args.large_events.place,
            launching.LAUNCHES_PER_SECOND: f"{args.launches_per_second:g}",
        }
