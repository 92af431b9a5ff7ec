"""The table in DynamoDB and the one in memory keep the same contract, so what hypothesis proves of one holds for both."""

from __future__ import annotations

import dataclasses

import pytest

from tests.emulator import Account
from tests.worker.stream.model import MemoryTable
from worker.sources.stream.lease_table import LeaseTable
from worker.sources.stream.leases import SHARD_END, TRIM_HORIZON, Birth, Lease

Table = LeaseTable | MemoryTable


def dynamodb_table(account: Account) -> LeaseTable:
    client = account.client("dynamodb")
    client.create_table(
        TableName="leases",
        KeySchema=[{"AttributeName": "shard_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "shard_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return LeaseTable(client, "leases")


@pytest.fixture(params=["dynamodb", "memory"])
def table(request: pytest.FixtureRequest, account: Account) -> Table:
    return dynamodb_table(account) if request.param == "dynamodb" else MemoryTable()


def taken(table: Table, me: str = "a") -> Lease:
    lease = Lease(shard_id="shardId-1", parents=("shardId-0",))
    table.create(lease)
    result = table.take(lease, me)
    assert result is not None
    return result


def test_a_lease_is_made_once_and_read_as_it_was_made(table: Table) -> None:
    lease = Lease(shard_id="shardId-1", parents=("shardId-0", "shardId-9"))
    assert table.create(lease)
    assert not table.create(dataclasses.replace(lease, checkpoint="7"))
    assert table.read() == {"shardId-1": lease}


def test_only_the_first_of_two_takes_it(table: Table) -> None:
    lease = Lease(shard_id="shardId-1")
    table.create(lease)
    mine = table.take(lease, "a")
    assert mine is not None
    assert (mine.owner, mine.epoch, mine.beat, mine.crashes) == ("a", 1, 1, 0)
    assert table.take(lease, "b") is None
    assert table.read() == {"shardId-1": mine}


def test_a_beat_between_the_look_and_the_hand_saves_the_owner(table: Table) -> None:
    mine = taken(table)
    beaten = table.renew(mine, "42", 0)
    assert beaten == dataclasses.replace(mine, beat=2, checkpoint="42")
    assert table.take(mine, "b") is None
    theirs = table.take(beaten, "b")
    assert theirs is not None
    assert (theirs.owner, theirs.epoch, theirs.checkpoint, theirs.crashes) == ("b", 2, "42", 1)


def test_who_has_lost_it_can_write_nothing(table: Table) -> None:
    mine = taken(table)
    theirs = table.take(mine, "b")
    assert theirs is not None
    assert table.renew(mine, "99", 0) is None
    assert table.release(mine, SHARD_END, 0) is None
    assert table.ask(mine, "c") is None
    assert table.read() == {"shardId-1": theirs}


def test_who_takes_it_again_is_fenced_from_its_own_past(table: Table) -> None:
    past = taken(table)
    now = table.take(past, "a")
    assert now is not None
    assert (now.epoch, now.crashes) == (2, 0)  # the answer was lost; nobody vanished
    assert table.renew(past, "99", 0) is None
    assert table.renew(now, "3", 0) is not None


def test_a_released_lease_is_free_and_keeps_its_checkpoint(table: Table) -> None:
    released = table.release(taken(table), "42", 0)
    assert released is not None
    assert (released.owner, released.checkpoint) == ("", "42")
    again = table.take(released, "b")
    assert again is not None
    assert again.crashes == 0


def test_one_worker_asks_and_the_owner_hears_it(table: Table) -> None:
    mine = taken(table)
    assert table.ask(mine, "b") is not None
    assert table.ask(mine, "c") is None
    renewed = table.renew(mine, TRIM_HORIZON, 0)
    assert renewed is not None
    assert renewed.wanted_by == "b"
    released = table.release(renewed, TRIM_HORIZON, 0)
    assert released is not None
    assert (released.owner, released.wanted_by) == ("", "b")
    theirs = table.take(released, "b")
    assert theirs is not None
    assert theirs.wanted_by == ""


def test_only_what_has_ended_is_forgotten(table: Table) -> None:
    mine = taken(table)
    table.forget(mine)
    assert "shardId-1" in table.read()
    ended = table.release(mine, SHARD_END, 0)
    assert ended is not None
    table.forget(ended)
    assert table.read() == {}


def test_all_agree_on_the_first_birth(table: Table) -> None:
    first = Birth(milliseconds=1, open=frozenset({"s0", "s1"}), closed=frozenset())
    second = Birth(milliseconds=2, open=frozenset({"s0"}), closed=frozenset({"s1"}))
    assert table.birth(first) == first
    assert table.birth(second) == first
    assert table.read() == {}  # it is no lease
