"""The demo of the pattern `api`: orders posted over HTTP and answered by tasks behind a load balancer."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from contracts.events import Event
from contracts.manifest import PatternManifest
from ops.local.demo.consumers import make_events
from ops.local.demo.effects import outcomes
from ops.local.demo.http import Answer, post
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "api"
_EVENTS = 30
_REPEATED = 5
_CALLERS = 4
_KIND = {"source": ["counter.service.com"], "detail-type": ["OrderCreated"]}
_SECONDS = 60.0


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this API has no demo; None when it has one."""
    if manifest.api is None or manifest.service is None or manifest.api.key_secret_arn is None:
        return "its tasks do not answer requests, or ask for no API key"
    if manifest.idempotency_table is None:
        return "it has no idempotency table"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Each order is answered with its own receipt, a repeated one with the same; strangers and nonsense are refused."""
    assert manifest.api
    assert manifest.api.key_secret_arn
    url = manifest.api.url
    secrets = stage.aws.client("secretsmanager")
    login = {"x-api-key": str(secrets.get_secret_value(SecretId=manifest.api.key_secret_arn)["SecretString"])}
    events = make_events(_KIND, _EVENTS)
    begun = time.monotonic()
    problems: list[str] = []
    stage.show("waiting for the first task to listen")
    # 400: an empty document is refused by a task; before one listens, the load balancer answers 502 or 503.
    if not stage.wait(lambda: post(url, {}, login).status == 400, _SECONDS):
        problems.append(f"no task answered within {_SECONDS:g} s")
    stage.show(f"posting {len(events)} orders, {_REPEATED} of them twice")
    with ThreadPoolExecutor(_CALLERS) as pool:
        answers = list(pool.map(lambda event: post(url, event.to_envelope(), login), events))
        repeated = list(pool.map(lambda event: post(url, event.to_envelope(), login), events[:_REPEATED]))
    refused = [post(url, _not_on_the_menu(events[0]).to_envelope(), login), post(url, events[0].to_envelope(), {})]
    statuses = Counter(answer.status for answer in answers)
    if statuses != {200: _EVENTS}:
        problems.append(f"answered {dict(statuses)} instead of 200 for each order")
    if len({answer.body for answer in answers}) != _EVENTS:
        problems.append("two orders got the same receipt")
    if [_receipt(answer) for answer in repeated] != [_receipt(answer) for answer in answers[:_REPEATED]]:
        problems.append("a repeated order got another receipt")
    if [answer.status for answer in refused] != [422, 401]:
        problems.append(f"refusals were {[answer.status for answer in refused]} instead of 422 and 401")
    return _row(stage, manifest, events, problems, begun)


def _receipt(answer: Answer) -> object:
    return json.loads(answer.body) if answer.status == 200 else answer


def _not_on_the_menu(event: Event) -> Event:
    return replace(event, idempotency_key=f"{event.idempotency_key}-refused", data={**event.data, "name": "glue"})


def _row(
    stage: Stage, manifest: PatternManifest, events: Sequence[Event], problems: Sequence[str], begun: float
) -> Row:
    keys = {event.idempotency_key for event in events}
    handled = Counter(outcome["handled"] for outcome in outcomes(stage.home, manifest.name, keys).values())
    problems = [*problems, *([] if handled == {1: _EVENTS} else [f"not each order was handled once: {dict(handled)}"])]
    return Row(
        name=manifest.name,
        pattern=PATTERN,
        path="caller → load balancer → tasks → caller",
        sent=_EVENTS + _REPEATED + 2,
        processed=sum(times * orders for times, orders in handled.items()),
        dead_lettered=0,
        replayed=0,
        seconds=round(time.monotonic() - begun, 1),
        ok=not problems,
        note="; ".join(problems)
        or f"{_EVENTS} receipts; {_REPEATED} repetitions got theirs again; 422 and 401 for what is wrong",
    )
