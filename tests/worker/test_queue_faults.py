"""Killed workers, and an SQS and a DynamoDB that fail: nothing is lost, and effects happen once."""

from __future__ import annotations

import random
import time
from pathlib import Path

from contracts.messages import FAILURE
from tests.emulator import Account
from tests.faults.proxy import Fault, FaultsProxy
from tests.worker.support import Shop, envelope, wait_for

KILLS = 20
SEED = 20_211_126


def test_workers_killed_at_random_moments_lose_nothing(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, visibility_timeout_seconds=2, max_receive_count=100)
    dice = random.Random(SEED)
    keys: list[str] = []
    for round_number in range(KILLS):
        fresh = [f"k{round_number}-{number}" for number in range(6)]
        keys += fresh
        shop.send([envelope(key, seconds=dice.uniform(0, 0.1), returns={"key": key}) for key in fresh])
        worker = shop.start(CONCURRENCY="3")
        wait_for("the worker to start", lambda worker=worker: "consuming" in worker.text())  # type: ignore[misc]
        time.sleep(dice.uniform(0, 0.25))
        worker.kill()
    with shop.worker(CONCURRENCY="10"):
        shop.wait_until_empty(90)
    assert shop.effects() == set(keys)
    assert shop.dead_letters() == []
    records = shop.records()
    assert len(records) == len(keys)
    assert {record["status"]["S"] for record in records} == {"COMPLETED"}
    # Each kill may repeat what was being handled, and no more.
    assert len(keys) <= sum(shop.attempts().values()) <= len(keys) + KILLS * 3


def test_a_failing_sqs_loses_nothing(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, visibility_timeout_seconds=2, max_receive_count=10)
    keys = [f"k{number}" for number in range(40)]
    with FaultsProxy(account.endpoint_url) as proxy:
        for fault, times in (
            (Fault.THROTTLED, 3),
            (Fault.EXPIRED_TOKEN, 1),
            (Fault.DROPPED_BEFORE, 1),
            (Fault.DROPPED_AFTER, 1),
        ):
            proxy.inject("ReceiveMessage", fault, times=times)
        for fault, times in (
            (Fault.PARTIAL, 2),
            (Fault.THROTTLED, 3),
            (Fault.DROPPED_AFTER, 1),
        ):
            proxy.inject("DeleteMessageBatch", fault, times=times)
        for fault, times in ((Fault.PARTIAL, 2), (Fault.THROTTLED, 1), (Fault.DROPPED_BEFORE, 1)):
            proxy.inject("ChangeMessageVisibilityBatch", fault, times=times)
        shop.send([envelope(key, fail=1 if key.endswith("7") else 0) for key in keys])
        with shop.worker(AWS_ENDPOINT_URL=proxy.url, CONCURRENCY="4") as worker:
            shop.wait_until_empty(90)
        assert set(proxy.faults) >= {Fault.THROTTLED, Fault.EXPIRED_TOKEN, Fault.DROPPED_AFTER, Fault.PARTIAL}
    assert shop.effects() == set(keys)
    assert shop.dead_letters() == []
    assert [len(keys)] == [worker.outcomes()["handled"]]
    errors = {line["error"] for line in worker.lines() if line["message"] == "cannot receive; trying again"}
    assert errors >= {"RequestThrottled", "ExpiredToken"}


def test_a_failing_table_neither_loses_nor_dead_letters(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, visibility_timeout_seconds=2, max_receive_count=10)
    keys = [f"k{number}" for number in range(12)]
    with FaultsProxy(account.endpoint_url) as proxy:
        for fault, times in ((Fault.UNAVAILABLE, 7), (Fault.DROPPED_AFTER, 2), (Fault.ACCESS_DENIED, 2)):
            proxy.inject("PutItem", fault, times=times)
        proxy.inject("UpdateItem", Fault.DROPPED_AFTER, times=2)
        shop.send([envelope(key) for key in keys])
        with shop.worker(AWS_ENDPOINT_URL=proxy.url, CONCURRENCY="4") as worker:
            shop.wait_until_empty(90)
    assert shop.attempts() == dict.fromkeys(keys, 1)
    assert shop.dead_letters() == []
    assert worker.outcomes()["given-back"] > 0


def test_what_cannot_be_dead_lettered_is_left_to_the_redrive_policy(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, max_receive_count=1)
    with FaultsProxy(account.endpoint_url) as proxy:
        proxy.inject("SendMessage", Fault.ACCESS_DENIED, times=None)
        shop.send([envelope("refused", poison=True)])
        with shop.worker(AWS_ENDPOINT_URL=proxy.url) as worker:
            (letter,) = wait_for("SQS's own redrive", shop.dead_letters)
    assert FAILURE not in letter.get("MessageAttributes", {})
    assert worker.outcomes() == {"retry": 1}


def test_a_queue_that_does_not_exist_is_told_and_tried_again(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    missing = f"{shop.url}-later"
    with shop.worker(QUEUE_URL=missing) as worker:
        wait_for("the error", lambda: "cannot receive" in worker.text())
        line = next(line for line in worker.lines() if line["message"].startswith("cannot receive"))
        assert "NonExistentQueue" in line["error"] or "QueueDoesNotExist" in line["error"]
        shop.sqs.create_queue(QueueName="orders-later")
        shop.sqs.send_message(QueueUrl=missing, MessageBody=envelope("late"))
        wait_for("the effect", shop.effects)
    assert len([line for line in worker.lines() if line["message"].startswith("cannot receive")]) < 10
