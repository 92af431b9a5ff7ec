"""The demo of the pattern `queue-worker`: bus → rule → queue → task, poison, a fixed handler, a replay, zero again."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from contracts.environment import HANDLER
from contracts.manifest import PatternManifest, QueueRef, ServiceRef
from ops.actions.dead_letters import dead_letter_sources
from ops.actions.replay.choice import choose_engine
from ops.actions.replay.options import ReplayOptions
from ops.actions.replay.run import replay
from ops.actions.send import send_events
from ops.actions.status import service_counts
from ops.local.demo.effects import completed_keys, outcomes
from ops.local.demo.handler import environment_of, old_tasks, redeploy
from ops.local.demo.orders import Orders, make_orders
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "QueueWorkerDemo", "why_not"]

PATTERN = "queue-worker"
PATH = "bus → rule → queue → task"
_HANDLER = "worker.handlers.pizza:handle"
_MENU = "MENU"
_STEP_SECONDS = 60.0


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this pattern has no demo; None when it has one."""
    if manifest.service is None or manifest.queue is None or manifest.bus is None or manifest.idempotency_table is None:
        return "it lacks a bus, a queue, a service or an idempotency table"
    handler = environment_of(stage.aws.ecs(), manifest.service).get(HANDLER)
    if handler != _HANDLER:
        return f"its handler is {handler}, and the demo's orders are for {_HANDLER}"
    return None


class QueueWorkerDemo:
    """One run. The steps are in `run`; each says in `_problems` what did not happen.

    Args:
        stage: the running local stack.
        manifest: a pattern for which `why_not` answers None.
        orders: what to send; default: orders of their own.
        step_seconds: how long each step may take before it counts as failed; default 60.
    """

    def __init__(
        self,
        stage: Stage,
        manifest: PatternManifest,
        orders: Orders | None = None,
        step_seconds: float = _STEP_SECONDS,
    ) -> None:
        assert manifest.service
        assert manifest.queue
        assert manifest.bus
        assert manifest.idempotency_table
        self._stage = stage
        self._manifest = manifest
        self._service: ServiceRef = manifest.service
        self._queue: QueueRef = manifest.queue
        self._bus = manifest.bus.name
        self._table: str = manifest.idempotency_table
        self._orders = orders or make_orders(secrets.token_hex(3))
        self._good = {event.idempotency_key for event in self._orders.good}
        self._poison = {event.idempotency_key for event in self._orders.poison}
        self._step_seconds = step_seconds
        self._problems: list[str] = []
        self._peak = 0
        self._first_seconds: float | None = None
        self._started = 0.0

    def run(self) -> Row:
        """Send, wait, fix, replay, wait for rest. Takes some 20 s when all goes well."""
        letters_before = self._dead_letters()
        self._started = time.monotonic()
        sent = self._send()
        self._wait_for_orders(letters_before)
        dead_lettered = self._dead_letters() - letters_before
        self._fix_handler()
        replayed = self._replay()
        self._wait_for_poison(letters_before)
        self._wait_for_rest()
        processed = len(self._completed(self._good | self._poison))
        self._check_effects()
        return Row(
            name=self._manifest.name,
            pattern=PATTERN,
            path=PATH,
            sent=sent,
            processed=processed,
            dead_lettered=dead_lettered,
            replayed=replayed,
            seconds=round(time.monotonic() - self._started, 1),
            ok=not self._problems,
            note="; ".join(self._problems) or self._note(),
        )

    def _send(self) -> int:
        events = self._orders.all
        self._stage.show(f"sending {len(events)} orders to the bus")
        report = send_events(self._stage.aws.events(), self._bus, events)
        if report.failed:
            self._problems.append(f"{len(report.failed)} orders were not accepted by the bus")
        return len(report.sent)

    def _wait_for_orders(self, letters_before: int) -> None:
        def done() -> bool:
            completed = len(self._completed(self._good))
            if completed and self._first_seconds is None:
                self._first_seconds = time.monotonic() - self._started
            letters = self._dead_letters() - letters_before
            self._show(f"{completed}/{len(self._good)} orders processed, {letters}/{len(self._poison)} dead-lettered")
            return completed == len(self._good) and letters >= len(self._poison)

        if not self._happens(done):
            self._too_late("not all orders were processed or dead-lettered")

    def _fix_handler(self) -> None:
        from worker.handlers.pizza import DEFAULT_MENU

        ecs = self._stage.aws.ecs()
        menu = environment_of(ecs, self._service).get(_MENU, DEFAULT_MENU)
        definition = redeploy(ecs, self._service, {_MENU: f"{menu},{self._orders.special}"})

        def deployed() -> bool:
            old = old_tasks(ecs, self._service, definition)
            self._show(f"deploying the fixed handler: {old} old tasks")
            return old == 0

        if not self._happens(deployed):
            self._too_late("the fixed handler was not deployed")

    def _replay(self) -> int:
        stage = self._stage
        stage.show("replaying the dead-letter queues")
        found = dead_letter_sources(stage.directory, lambda name: self._manifest, self._manifest.name, None)
        sources = [source for source in found if source.queue.visible]
        with tempfile.TemporaryDirectory() as journals:
            options = ReplayOptions(journal_directory=Path(journals))
            plan = [(source, choose_engine(stage.directory, source, options)[0]) for source in sources]
            report = replay(
                stage.aws,
                stage.directory,
                plan,
                options,
                threading.Event(),
                progress=lambda source: lambda *numbers: None,
                say=stage.show,
            )
        for one in report.queues:
            if not one.complete:
                reasons = ", ".join([*one.reasons, *([one.error] if one.error else [])])
                self._problems.append(f"{one.queue}: {one.left} left, {one.failed} failed {reasons}".strip())
        return sum(one.moved for one in report.queues)

    def _wait_for_poison(self, letters_before: int) -> None:
        def done() -> bool:
            completed = len(self._completed(self._poison))
            letters = self._dead_letters()
            self._show(f"{completed}/{len(self._poison)} replayed orders processed")
            return completed == len(self._poison) and letters <= letters_before

        if not self._happens(done):
            self._too_late("not all replayed orders were processed")

    def _wait_for_rest(self) -> None:
        """The service returns to its minimum, zero by default."""
        minimum = self._manifest.scaling.min if self._manifest.scaling else 0

        def at_rest() -> bool:
            counts = self._show("waiting for the service to scale in")
            return counts == (minimum, minimum)

        if not self._happens(at_rest):
            self._too_late(f"the service did not return to {minimum} tasks")

    def _check_effects(self) -> None:
        """Each order was handled once, not merely at least once."""
        completed = self._completed(self._good | self._poison)

        def logged() -> bool:
            seen = outcomes(self._stage.home, self._manifest.name, completed)
            return all(outcome["handled"] for outcome in seen.values())

        self._happens(logged)  # the worker's line about an order comes after its record in the table
        counted = outcomes(self._stage.home, self._manifest.name, self._good | self._poison)
        twice = [key for key, outcome in counted.items() if outcome["handled"] > 1]
        if twice:
            self._problems.append(f"{len(twice)} orders were handled more than once, e.g. {twice[0]}")
        never = sum(outcome["handled"] == 0 for outcome in counted.values())
        if never:
            self._problems.append(f"{never} orders were not handled")
        far = {event.idempotency_key for event in self._orders.strangers}
        strangers = outcomes(self._stage.home, self._manifest.name, far)
        routed = sum(1 for outcome in strangers.values() if outcome.total())
        if routed:
            self._problems.append(f"{routed} orders of another region reached the worker")

    def _note(self) -> str:
        minimum = self._manifest.scaling.min if self._manifest.scaling else 0
        first = f"first order after {self._first_seconds:.1f} s; " if self._first_seconds is not None else ""
        return (
            f"{first}{minimum} → {self._peak} → {minimum} tasks; {len(self._orders.copies)} copies ignored, "
            f"{len(self._orders.strangers)} not for this rule"
        )

    def _happens(self, condition: Callable[[], bool]) -> bool:
        return self._stage.wait(condition, self._step_seconds)

    def _too_late(self, what: str) -> None:
        self._problems.append(f"{what} within {self._step_seconds:g} s")

    def _completed(self, keys: set[str]) -> set[str]:
        return completed_keys(self._stage.aws, self._table, self._manifest.name, keys)

    def _dead_letters(self) -> int:
        queues = (self._stage.directory.read(reference.url) for reference in self._manifest.dead_letter_queues)
        return sum(queue.visible + queue.in_flight for queue in queues)

    def _show(self, text: str) -> tuple[int, int]:
        """Show `text` with the service's tasks; answers (running, desired)."""
        counts = service_counts(self._stage.aws, self._service)
        self._peak = max(self._peak, counts.running)
        queue = self._stage.directory.read(self._queue.url)
        self._stage.show(
            f"{text}; queue {queue.visible} + {queue.in_flight} in flight; tasks {counts.running}/{counts.desired}"
        )
        return counts.running, counts.desired
