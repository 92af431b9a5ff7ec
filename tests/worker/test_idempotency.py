"""Keys and their leases, on the embedded AWS's DynamoDB."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.events import Event
from tests.emulator import Account
from tests.faults.proxy import Fault, FaultsProxy
from tests.worker.support import Shop
from worker.errors import NonRetryableError
from worker.execution import PlainExecutor, Result, Verdict
from worker.idempotency import IdempotentExecutor, LeaseTable

EVENT = Event(source="s", detail_type="Tested", idempotency_key="key", data={})


@pytest.fixture
def shop(account: Account, tmp_path: Path) -> Shop:
    return Shop(account, tmp_path)


def executor(shop: Shop, handler: Callable[[Event], object], client: Any = None) -> IdempotentExecutor:
    table = LeaseTable("keys", client or shop.dynamodb)
    return IdempotentExecutor(handler, table, prefix="orders", expires_seconds=3600)


def execute(subject: IdempotentExecutor, remaining_seconds: float = 30) -> Verdict:
    return subject.execute(EVENT, lambda: remaining_seconds)


def test_the_second_copy_is_a_duplicate_for_every_worker(shop: Shop) -> None:
    calls: list[Event] = []

    def handler(event: Event) -> dict[str, Any]:
        calls.append(event)
        return {"n": len(calls)}

    first, second = executor(shop, handler), executor(shop, handler)
    assert [execute(subject).result for subject in (first, first, second)] == [
        Result.HANDLED,
        Result.DUPLICATE,
        Result.DUPLICATE,
    ]
    assert calls == [EVENT]
    (record,) = shop.records()
    assert record["data"]["S"] == '{"n": 1}'
    assert record["id"]["S"].startswith("orders#")
    assert 3590 < int(record["expiration"]["N"]) - time.time() < 3610


def test_patterns_that_share_a_table_have_keys_of_their_own(shop: Shop) -> None:
    one = IdempotentExecutor(lambda event: None, LeaseTable("keys", shop.dynamodb), prefix="one", expires_seconds=60)
    two = IdempotentExecutor(lambda event: None, LeaseTable("keys", shop.dynamodb), prefix="two", expires_seconds=60)
    assert [execute(one).result, execute(two).result] == [Result.HANDLED, Result.HANDLED]


@pytest.mark.parametrize(("error", "retryable"), [(ValueError("x"), True), (NonRetryableError("x"), False)])
def test_a_failure_frees_the_key_and_keeps_the_handlers_traceback(
    shop: Shop, error: Exception, retryable: bool
) -> None:
    def handler(event: Event) -> None:
        raise error

    verdict = execute(executor(shop, handler))
    assert (verdict.result, verdict.error, verdict.retryable) == (Result.FAILED, error, retryable)
    assert error.__traceback__ is not None
    assert error.__traceback__.tb_frame.f_code is handler.__code__
    assert shop.records() == []


def test_a_key_that_is_taken_is_busy_until_its_lease_ends(shop: Shop) -> None:
    verdicts: list[Verdict] = []
    other = executor(shop, lambda event: None)

    def handler(event: Event) -> None:
        verdicts.append(execute(other))

    began = time.time()
    assert execute(executor(shop, handler), remaining_seconds=20).result is Result.HANDLED
    assert verdicts[0].result is Result.BUSY
    assert verdicts[0].retry_after_seconds is not None
    assert 20 - (time.time() - began) - 0.01 <= verdicts[0].retry_after_seconds <= 20


def test_a_lease_that_lapsed_is_taken_over_and_the_late_failure_does_not_free_it(shop: Shop) -> None:
    inner: list[str] = []
    other = executor(shop, lambda event: inner.append(shop.records()[0]["status"]["S"]))

    def stalled(event: Event) -> None:
        time.sleep(0.05)
        assert execute(other).result is Result.HANDLED
        raise RuntimeError("too late")

    assert execute(executor(shop, stalled), remaining_seconds=0.01).result is Result.FAILED
    assert inner == ["INPROGRESS"]
    assert [record["status"]["S"] for record in shop.records()] == ["COMPLETED"]


def test_an_extended_lease_is_not_taken_over(shop: Shop) -> None:
    verdicts: list[Verdict] = []
    other = executor(shop, lambda event: None)

    def long_work(event: Event) -> None:
        subject.extend("key", 30)
        time.sleep(0.25)
        verdicts.append(execute(other))

    subject = executor(shop, long_work)
    assert execute(subject, remaining_seconds=0.2).result is Result.HANDLED
    assert verdicts[0].result is Result.BUSY


def test_a_lease_of_another_worker_is_not_extended(shop: Shop) -> None:
    other = executor(shop, lambda event: None)

    def stalled(event: Event) -> None:
        time.sleep(0.05)
        assert execute(other).result is Result.HANDLED
        subject.extend("key", 3600)
        (record,) = shop.records()
        assert int(record["in_progress_expiration"]["N"]) / 1000 < time.time() + 60

    subject = executor(shop, stalled)
    assert execute(subject, remaining_seconds=0.01).result is Result.HANDLED


def test_abandoned_work_frees_its_key(shop: Shop) -> None:
    def handler(event: Event) -> None:
        subject.abandon("key")
        assert shop.records() == []

    subject = executor(shop, handler)
    assert execute(subject).error is None


def test_abandoned_work_frees_its_key_also_while_its_lease_is_being_extended(shop: Shop) -> None:
    client = shop.account.client("dynamodb")
    extend = client.update_item
    giving_up = threading.Thread(target=lambda: subject.abandon("key"))

    def handler(event: Event) -> None:
        def slowly(**request: Any) -> Any:
            answer = extend(**request)
            giving_up.start()
            giving_up.join(0.5)
            return answer

        client.update_item = slowly
        subject.extend("key", 30)
        giving_up.join(20)
        assert shop.records() == []
        client.update_item = extend

    subject = executor(shop, handler, client)
    assert execute(subject).error is None


def test_a_table_that_cannot_be_asked_calls_no_handler(shop: Shop) -> None:
    with FaultsProxy(shop.account.endpoint_url) as proxy:
        client = Account(proxy.url, id=shop.account.id).client("dynamodb")
        proxy.inject("PutItem", Fault.ACCESS_DENIED)
        verdict = execute(executor(shop, lambda event: pytest.fail("called"), client))
    assert verdict.result is Result.UNAVAILABLE
    assert "Access to the resource is denied" in str(verdict.error)


def test_a_key_that_cannot_be_recorded_does_not_undo_what_was_handled(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultsProxy(shop.account.endpoint_url) as proxy:
        client = Account(proxy.url, id=shop.account.id).client("dynamodb")
        proxy.inject("UpdateItem", Fault.ACCESS_DENIED)
        assert execute(executor(shop, lambda event: None, client)).result is Result.HANDLED
    assert "its key could not be recorded" in caplog.text


def test_a_failure_stays_a_failure_when_the_key_cannot_be_freed(shop: Shop) -> None:
    def handler(event: Event) -> None:
        raise NonRetryableError("no")

    with FaultsProxy(shop.account.endpoint_url) as proxy:
        client = Account(proxy.url, id=shop.account.id).client("dynamodb")
        proxy.inject("DeleteItem", Fault.ACCESS_DENIED)
        verdict = execute(executor(shop, handler, client))
    assert (verdict.result, verdict.retryable) == (Result.FAILED, False)


def test_a_handler_that_exits_has_failed() -> None:
    def handler(event: Event) -> None:
        raise SystemExit(4)

    verdict = PlainExecutor(handler).execute(EVENT, lambda: 30)
    assert verdict.result is Result.FAILED
    assert str(verdict.error) == "the handler called sys.exit(4); raise an exception instead"
