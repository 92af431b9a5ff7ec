"""The patterns `api` and `api-push` from end to end, on the real program."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.local.deployed import Deployed, deployed, eventually, order

pytestmark = pytest.mark.timeout(240)

_BALANCER = {"http_only": True, "public": True, "deregistration_delay_seconds": 1}


def handler(root: Path, function: str = "tests.local.handlers:bake", **changes: Any) -> dict[str, Any]:
    return {
        "function": function,
        "image": "eda-worker:local",
        "environment": {"EFFECTS": str(root / "effects")},
        "stop_timeout_seconds": 10,
        "concurrency": 4,
        **changes,
    }


def one_task() -> dict[str, int]:
    return {"min": 1, "max": 1}


@pytest.fixture(scope="module", params=[False, True], ids=["", "least-privilege"])
def kitchen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Once as it is, and once where the embedded AWS enforces every role."""
    root = tmp_path_factory.mktemp("apis") / "checkout"
    orders = {
        "pattern": "api",
        "handler": handler(root),
        "load_balancer": _BALANCER,
        "scaling": {"min": 2, "max": 2},
    }
    beside: dict[str, dict[str, Any]] = {
        "intake": {
            "pattern": "api",
            "mode": "asynchronous",
            "handler": handler(root),
            "accept": {"scaling": one_task()},
            "http_api": {"open": True},
        },
        "gate": {
            "pattern": "api",
            "mode": "asynchronous",
            "accept": {"to": "bus", "source": "pizza.service.com"},
            "http_api": {"open": True},
        },
        "bakery": {
            "pattern": "queue-worker",
            "events": {"source": ["pizza.service.com"], "detail": {"data": {"city": ["Gate"]}}},
            "handler": handler(root),
            "scaling": one_task(),
        },
        "push": {
            "pattern": "api-push",
            "events": {"source": ["pizza.service.com"], "detail": {"data": {"city": ["Push"]}}},
            "delivery": {"maximum_retry_attempts": 3, "maximum_event_age_seconds": 3600},
            "api": {"handler": handler(root, "tests.local.api_handlers:bake_moodily"), "scaling": one_task()},
        },
        "narrow": {
            "pattern": "api-push",
            "events": {"source": ["pizza.service.com"], "detail": {"data": {"city": ["Narrow"]}}},
            "api": {
                "handler": handler(root, "tests.local.api_handlers:bake_at_the_gate", concurrency=1),
                "max_waiting": 0,
                "scaling": one_task(),
            },
        },
    }
    with deployed(root, orders, *(["--auth"] if request.param else []), beside=beside) as environment:
        yield environment


def url_of(kitchen: Deployed, name: str) -> str:
    api = kitchen.manifest_of(name).api
    assert api is not None
    return api.url


def key_of(kitchen: Deployed, name: str) -> str:
    api = kitchen.manifest_of(name).api
    assert api is not None
    assert api.key_secret_arn is not None
    value: str = kitchen.client("secretsmanager").get_secret_value(SecretId=api.key_secret_arn)["SecretString"]
    return value


def post(url: str, document: Any, **headers: str) -> tuple[int, str]:
    fields = {"Content-Type": "application/json", **{key.replace("_", "-"): text for key, text in headers.items()}}
    request = urllib.request.Request(url, json.dumps(document).encode(), fields, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def send(kitchen: Deployed, pattern: str, events: list[dict[str, Any]]) -> None:
    result = kitchen.ops("send", "-", "--pattern", pattern, stdin=json.dumps(events))
    assert result.returncode == 0, result.stderr


def key(event: dict[str, Any]) -> str:
    text: str = event["detail"]["metadata"]["idempotency-key"]
    return text


def in_city(city: str, **changes: Any) -> dict[str, Any]:
    event = order(**changes)
    event["detail"]["data"]["city"] = city
    return event


def wait_until_served(kitchen: Deployed, name: str) -> None:
    """Tasks that run and do not listen yet are no targets on AWS; here they answer 502 or 503."""
    url, secret = url_of(kitchen, name), key_of(kitchen, name)
    seen: list[int] = []

    def served() -> bool:
        for _ in range(25):  # two tasks, chosen at random: both are up
            seen.append(post(url, {}, x_api_key=secret)[0])
            if seen[-1] != 400:
                return False
        return True

    eventually(served, 60, lambda: seen[-10:])


def test_requests_are_answered_through_the_load_balancer(kitchen: Deployed):
    # GIVEN two tasks behind a load balancer, and 60 orders, 10 of them sent twice
    wait_until_served(kitchen, "orders")
    url, secret = url_of(kitchen, "orders"), key_of(kitchen, "orders")
    orders = [order() for _ in range(60)]
    before = kitchen.effects()
    # WHEN six callers post them at a time
    with ThreadPoolExecutor(6) as pool:
        first = list(pool.map(lambda event: post(url, event, x_api_key=secret), orders))
        again = list(pool.map(lambda event: post(url, event, x_api_key=secret), orders[:10]))
    # THEN each is answered with what the handler returned, and each order has one effect
    assert Counter(status for status, _ in [*first, *again]) == {200: 70}
    assert {body for _, body in [*first, *again]} == {'{"baked": "margherita"}'}
    assert [kitchen.effects()[key(event)] - before[key(event)] for event in orders] == [1] * 60
    # AND both tasks have worked
    logs = [path.read_text() for path in (kitchen.root / ".local" / "logs").glob("orders-*.log")]
    assert len([log for log in logs if '"handled"' in log]) == 2


def test_strangers_and_nonsense_are_refused(kitchen: Deployed):
    wait_until_served(kitchen, "orders")
    url, secret = url_of(kitchen, "orders"), key_of(kitchen, "orders")
    assert post(url, order())[0] == 401
    assert post(url, order(), x_api_key="guess")[0] == 401
    status, body = post(url, {"source": "pizza.service.com"}, x_api_key=secret)
    assert (status, json.loads(body)["title"]) == (400, "Bad Request")
    assert post(url, order(name="poison"), x_api_key=secret)[0] == 422


def test_what_is_accepted_into_the_queue_is_worked_off(kitchen: Deployed):
    url = url_of(kitchen, "intake")
    orders = [order() for _ in range(30)]
    answers = [post(url, event) for event in orders]
    assert {status for status, _ in answers} == {202}
    assert all("<MessageId>" in body for _, body in answers)
    eventually(lambda: all(kitchen.effects()[key(event)] for event in orders), 60, kitchen.effects)
    assert [kitchen.effects()[key(event)] for event in orders] == [1] * 30
    # AND what is no event ends in the dead-letter queue, with the reason
    assert post(url, {"no": "event"})[0] == 202
    (dead_letters,) = kitchen.manifest_of("intake").dead_letter_queues
    eventually(lambda: kitchen.depth(dead_letters.url) == 1, 30, lambda: kitchen.depth(dead_letters.url))
    assert "EventError" in kitchen.ops("peek-dlq", "intake", "--output", "json").stdout


def test_what_is_accepted_into_the_bus_reaches_whoever_has_a_rule(kitchen: Deployed):
    url = url_of(kitchen, "gate")
    event = in_city("Gate")
    status, body = post(f"{url}/OrderCreated", event["detail"])
    assert status == 202
    document = json.loads(body)
    assert (document["FailedEntryCount"], len(document["Entries"])) == (0, 1)
    assert document["Entries"][0]["EventId"]
    eventually(lambda: kitchen.effects()[key(event)] == 1, 30, kitchen.effects)
    assert post(url, event["detail"])[0] == 404  # without a type there is no route


def test_a_push_that_fails_twice_is_repeated_and_served(kitchen: Deployed):
    event = in_city("Push", name="moody")
    send(kitchen, "push", [event])
    eventually(lambda: kitchen.effects()[key(event)] == 1, 60, kitchen.effects)
    attempts = (kitchen.root / "effects.attempts").read_text().split()
    assert attempts.count(key(event)) == 3


def test_a_full_task_answers_503_and_every_event_is_served_in_the_end(kitchen: Deployed):
    events = [in_city("Narrow") for _ in range(6)]
    send(kitchen, "narrow", events)
    eventually(lambda: _full(kitchen), 30, kitchen.effects)
    (kitchen.root / "effects.gate").touch()
    eventually(lambda: all(kitchen.effects()[key(event)] for event in events), 90, kitchen.effects)
    assert [kitchen.effects()[key(event)] for event in events] == [1] * 6


def _full(kitchen: Deployed) -> bool:
    """A request has been turned away."""
    logs = [path.read_text() for path in (kitchen.root / ".local" / "logs").glob("narrow-*.log")]
    return any('"status":503' in log for log in logs)


def test_a_push_that_always_fails_is_dead_lettered_with_its_error_code(kitchen: Deployed):
    # GIVEN an order that fails whenever it is tried, and one that no retry can help
    hopeless, poison = in_city("Push", name="hopeless"), in_city("Push", name="poison")
    send(kitchen, "push", [hopeless, poison])
    (undelivered,) = kitchen.manifest_of("push").dead_letter_queues
    # THEN both are in the rule's dead-letter queue
    eventually(lambda: kitchen.depth(undelivered.url) == 2, 60, lambda: kitchen.depth(undelivered.url))
    sqs = kitchen.client("sqs")
    found: dict[str, dict[str, Any]] = {}
    while len(found) < 2:
        for message in sqs.receive_message(
            QueueUrl=undelivered.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
        ).get("Messages", []):
            found[json.loads(message["Body"])["detail"]["data"]["name"]] = message["MessageAttributes"]
    codes = {name: attributes["ERROR_CODE"]["StringValue"] for name, attributes in found.items()}
    assert codes == {"hopeless": "ERROR_FROM_TARGET", "poison": "ERROR_FROM_TARGET"}
    # AND one was repeated as often as the settings say, the other not at all
    retries = {name: attributes.get("RETRY_ATTEMPTS", {}).get("StringValue") for name, attributes in found.items()}
    assert (retries["hopeless"], retries["poison"]) == ("3", "0")
    assert (kitchen.root / "effects.attempts").read_text().split().count(key(hopeless)) == 4
    # AND WHEN the handler is fixed and they are replayed, THEN both are served once, and no other target got them
    attempts = (kitchen.root / "effects.attempts").read_text().split()
    (kitchen.root / "effects.fixed").touch()
    replayed = kitchen.ops("replay-dlq", "push", "--yes", "--output", "json")
    assert replayed.returncode == 0, replayed.stderr
    (report,) = json.loads(replayed.stdout.splitlines()[-1])["queues"]
    assert (report["moved"], report["left"], len(report["destinations"])) == (2, 0, 1)
    assert next(iter(report["destinations"])).startswith("API destination push-")
    assert [kitchen.effects()[key(event)] for event in (hopeless, poison)] == [1, 1]
    later = (kitchen.root / "effects.attempts").read_text().split()[len(attempts) :]
    assert sorted(later) == sorted((key(hopeless), key(poison)))
    # AND the archive, replayed to this rule, brings them again; the worker knows them by their keys
    again = kitchen.ops("replay-events", "push", "--since", "1h", "--yes")
    assert again.returncode == 0, again.stderr
    assert [kitchen.effects()[key(event)] for event in (hopeless, poison)] == [1, 1]
    (kitchen.root / "effects.fixed").unlink()
