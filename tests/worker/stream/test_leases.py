"""The rules of the leases: examples, and every interleaving that hypothesis can think of."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.worker.stream.model import MemoryStream, MemoryTable
from worker.sources.stream.keeper import VALID_SHARE
from worker.sources.stream.leases import (
    FREE,
    SHARD_END,
    TRIM_HORIZON,
    Birth,
    Lease,
    Shard,
    Watch,
    at_timestamp,
    crash_limit,
    forgettable,
    missing,
    plan,
    ready,
    window,
)

LEASE_SECONDS = 10.0
RECORDS = 3
"""In every shard of the model."""


def table(*leases: Lease) -> dict[str, Lease]:
    return {lease.shard_id: lease for lease in leases}


def held(shard: str, owner: str = FREE, **changes: object) -> Lease:
    return dataclasses.replace(Lease(shard_id=shard, owner=owner), **changes)  # type: ignore[arg-type]  # test data


# -- examples ----------------------------------------------------------------------------------------------------


def test_a_silent_owner_expires_only_after_a_whole_lease_of_watching():
    watch = Watch(LEASE_SECONDS)
    lease = held("s", "a", epoch=1, beat=5)
    assert not watch.expired(lease, 100.0)  # never seen before: nothing is known
    watch.observe([lease], 100.0)
    assert not watch.expired(lease, 109.9)
    assert watch.expired(lease, 110.0)
    beaten = dataclasses.replace(lease, beat=6)
    watch.observe([beaten], 110.0)
    assert not watch.expired(beaten, 119.0)
    assert not watch.expired(lease, 200.0)  # an old version says nothing
    watch.observe([held("s")], 200.0)
    assert not watch.expired(held("s"), 999.0)  # free is not expired


def test_a_newcomer_asks_the_busiest_and_only_for_one():
    leases = table(*(held(f"s{n}", "a") for n in range(4)))
    assert plan(leases, "b", ()).ask == [leases["s0"]]
    leases["s0"] = held("s0", "a", wanted_by="b")
    assert plan(leases, "b", ()).ask == []
    assert plan(leases, "c", ()).ask == [leases["s1"]]


def test_a_lease_that_was_asked_for_is_kept_for_who_asked():
    leases = table(held("s0", wanted_by="b"), held("s1", "a"))
    assert plan(leases, "a", ()).take == []  # although a sees nobody else, and could have both
    assert plan(leases, "b", ()).take == [leases["s0"]]
    assert plan(leases, "a", {"s0"}).take == [leases["s0"]]  # b never came
    watch = Watch(LEASE_SECONDS)
    watch.observe(leases.values(), 0.0)
    assert watch.expired(leases["s0"], LEASE_SECONDS)


def test_one_more_or_less_is_even_enough():
    leases = table(held("s0", "a"), held("s1", "a"), held("s2", "b"))
    assert plan(leases, "b", ()) == plan(leases, "a", ())
    assert plan(leases, "b", ()).ask == []


def test_more_workers_than_shards_leave_them_where_they_are():
    leases = table(held("s0", "a"), held("s1", "b"))
    idle = plan(leases, "c", ())
    assert (idle.take, idle.ask) == ([], [])


def test_free_and_expired_shards_are_taken_up_to_the_share():
    leases = table(held("s0"), held("s1", "dead"), held("s2", "b"), held("s3", "b"))
    assert {lease.shard_id for lease in plan(leases, "a", {"s1"}).take} == {"s0", "s1"}
    assert (
        plan(leases, "b", {"s1"}).take != []
    )  # alone with what is visible: two of four is not its share of one worker
    assert {lease.shard_id for lease in plan(table(held("s0"), held("s1")), "a", ()).take} == {"s0", "s1"}


def test_children_wait_for_all_parents():
    parents = held("p0", checkpoint=SHARD_END), held("p1", "a", checkpoint="49")
    child = held("c", parents=("p0", "p1"))
    assert [lease.shard_id for lease in ready(table(*parents, child))] == ["p1"]
    done = dataclasses.replace(parents[1], checkpoint=SHARD_END)
    assert [lease.shard_id for lease in ready(table(parents[0], done, child))] == ["c"]
    assert [lease.shard_id for lease in ready(table(child))] == ["c"]  # both expired from the stream


def test_new_applications_begin_where_they_are_told():
    shards = [Shard(id="s2", parents=("s0",)), Shard(id="s0", open=False), Shard(id="s1")]
    oldest = missing(shards, (), None)
    assert [(lease.shard_id, lease.checkpoint) for lease in oldest] == [
        ("s0", TRIM_HORIZON),
        ("s1", TRIM_HORIZON),
        ("s2", TRIM_HORIZON),
    ]
    birth = Birth(milliseconds=1234, open=frozenset({"s1", "s2"}), closed=frozenset({"s0"}))
    # s3 was made after the application was born: all of its records count, whoever makes the lease.
    newest = missing([*shards, Shard(id="s3", parents=("s1",))], {"s1"}, birth)
    assert [(lease.shard_id, lease.checkpoint, lease.parents) for lease in newest] == [
        ("s0", SHARD_END, ()),
        ("s2", at_timestamp(1234), ("s0",)),
        ("s3", TRIM_HORIZON, ("s1",)),
    ]


def test_a_lease_is_forgotten_when_its_shard_is_gone_and_its_children_are_known():
    ended = held("s0", checkpoint=SHARD_END)
    child = Shard(id="s1", parents=("s0",))
    assert forgettable(table(ended), [Shard(id="s0", open=False), child]) == []
    assert forgettable(table(ended), [child]) == []  # its child would look like a shard without a parent
    assert forgettable(table(ended, held("s1")), [child]) == [ended]
    assert forgettable(table(held("s0", checkpoint="7"), held("s1")), [child]) == []


@pytest.mark.parametrize(("crashes", "records"), [(0, 1000), (1, 500), (9, 1), (10, 1), (99, 1)])
def test_the_window_closes_in_on_a_record_that_kills(crashes: int, records: int):
    assert window(500, crashes) == records


def test_nobody_is_condemned_before_it_was_alone_that_often():
    for batch in (1, 2, 7, 500, 10_000):
        limit = crash_limit(batch, 3)
        assert all(window(batch, crashes) == 1 for crashes in range(limit - 3, limit))


# -- every interleaving ------------------------------------------------------------------------------------------


@dataclass
class Held:
    """What a worker believes: its lease, and until when (by true time) it begins new work; and how far it is."""

    lease: Lease
    valid_until: float
    position: int
    draining: bool = False


@dataclass
class Task:
    """A worker, with what it has seen and with renewals that are still on their way to the table."""

    name: str
    watch: Watch = field(default_factory=lambda: Watch(LEASE_SECONDS))
    seen: dict[str, Lease] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    sent: list[tuple[Held, Lease, int, float]] = field(default_factory=list)


def position_of(checkpoint: str) -> int:
    return {TRIM_HORIZON: 0, SHARD_END: RECORDS}.get(checkpoint) or int(checkpoint.replace(TRIM_HORIZON, "0"))


WORKERS = ("a", "b", "c")
who = st.sampled_from(WORKERS)


class Sharing(RuleBasedStateMachine):
    """Three workers, one table, one stream; writes are atomic, and everything else may happen in between.

    A worker may act on a scan that is minutes old, writes arrive late, answers get lost, tasks die and come again under
    another name.
    """

    @initialize(shards=st.integers(1, 3))
    def born(self, shards: int) -> None:
        self.now = 1000.0
        self.table = MemoryTable()
        self.stream = MemoryStream.of(shards)
        self.tasks = {name: Task(name) for name in WORKERS}
        self.handled: dict[str, set[int]] = defaultdict(set)
        self.furthest: dict[str, int] = defaultdict(int)
        self.goes_on("a")

    def working(self, task: Task, shard: str) -> bool:
        return shard in task.held and self.now < task.held[shard].valid_until

    @rule(seconds=st.floats(0.1, LEASE_SECONDS))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=who)
    def scan(self, name: str) -> None:
        task = self.tasks[name]
        task.seen = self.table.read()
        task.watch.observe(task.seen.values(), self.now)

    @rule(name=who)
    def sync(self, name: str) -> None:
        for lease in missing(self.stream.listed(), self.table.rows, None):
            self.table.create(lease)

    @rule(name=who, answer_lost=st.booleans())
    def act(self, name: str, answer_lost: bool) -> None:
        """On what was seen, however long ago."""
        task = self.tasks[name]
        expired = {shard for shard, lease in task.seen.items() if task.watch.expired(lease, self.now)}
        todo = plan(task.seen, task.name, expired)
        for lease in todo.take:
            taken = self.table.take(lease, task.name)
            if taken and not answer_lost:
                early = [parent for parent in taken.parents if len(self.handled[parent]) < RECORDS]
                assert not early, f"{taken.shard_id} before its parents {early}"
                until = self.now + VALID_SHARE * LEASE_SECONDS
                task.held[taken.shard_id] = Held(taken, until, position_of(taken.checkpoint))
        for lease in todo.ask:
            self.table.ask(lease, task.name)

    @rule(name=who)
    def send_renewals(self, name: str) -> None:
        task = self.tasks[name]
        for shard, mine in list(task.held.items()):
            if self.working(task, shard):
                task.sent.append((mine, mine.lease, mine.position, self.now))
            else:
                del task.held[shard]

    @rule(name=who, answer_lost=st.booleans())
    def renewals_arrive(self, name: str, answer_lost: bool) -> None:
        task = self.tasks[name]
        for mine, lease, position, sent_at in task.sent:
            renewed = self.table.renew(lease, str(position), 0)
            if answer_lost:
                continue
            if renewed is None:
                task.held = {shard: other for shard, other in task.held.items() if other is not mine}
            else:
                mine.lease, mine.valid_until = renewed, sent_at + VALID_SHARE * LEASE_SECONDS
                mine.draining = mine.draining or bool(renewed.wanted_by)
        task.sent.clear()

    @rule(name=who)
    def handle(self, name: str) -> None:
        task = self.tasks[name]
        for shard, mine in task.held.items():
            if self.working(task, shard) and not mine.draining and mine.position < RECORDS:
                assert set(range(mine.position)) <= self.handled[shard], "skipped a record"
                self.handled[shard].add(mine.position)
                mine.position += 1

    @rule(name=who)
    def let_go(self, name: str) -> None:
        task = self.tasks[name]
        for shard, mine in list(task.held.items()):
            ended = not self.stream.shards[shard].open and mine.position == RECORDS
            if self.working(task, shard) and (ended or mine.draining):
                if ended:
                    for child in self.stream.children(shard):
                        self.table.create(Lease(shard_id=child.id, parents=child.parents))
                self.table.release(mine.lease, SHARD_END if ended else str(mine.position), 0)
                del task.held[shard]

    @rule(name=who)
    def goes_on(self, name: str) -> None:
        """Everything that a worker does, in time and in order."""
        self.sync(name)
        self.scan(name)
        self.act(name, answer_lost=False)
        self.send_renewals(name)
        self.renewals_arrive(name, answer_lost=False)
        self.handle(name)
        self.let_go(name)
        # Who lets go of a shard is the first to look for another.
        self.scan(name)
        self.act(name, answer_lost=False)

    @rule(name=who)
    def dies_and_comes_again(self, name: str) -> None:
        self.tasks[name] = Task(f"{self.tasks[name].name}'")

    @precondition(lambda self: len(self.stream.shards) < 9)
    @rule(data=st.data(), merge=st.booleans())
    def reshard(self, data: st.DataObject, merge: bool) -> None:
        open_shards = self.stream.open()
        if merge and len(open_shards) > 1:
            self.stream.merge(*open_shards[:2])
        else:
            self.stream.split(data.draw(st.sampled_from(open_shards)))

    @invariant()
    def nobody_shares_a_shard(self) -> None:
        for shard in self.stream.shards:
            workers = [task.name for task in self.tasks.values() if self.working(task, shard)]
            assert len(workers) <= 1, f"{workers} work on {shard}"

    @invariant()
    def checkpoints_tell_the_truth(self) -> None:
        for lease in self.table.rows.values():
            position = position_of(lease.checkpoint)
            assert self.handled[lease.shard_id] >= set(range(position)), "a checkpoint ahead of the handling"
            assert position >= self.furthest[lease.shard_id], "a checkpoint went back"
            self.furthest[lease.shard_id] = position
            if lease.ended:
                assert all(child.id in self.table.rows for child in self.stream.children(lease.shard_id))

    def teardown(self) -> None:
        """Whatever has happened: with workers that work, everything gets done, and evenly."""
        if not hasattr(self, "table"):
            return
        for _ in range(120):
            for name in WORKERS:
                self.goes_on(name)
                self.nobody_shares_a_shard()
            self.now += LEASE_SECONDS / 4
        assert all(len(self.handled[shard]) == RECORDS for shard in self.stream.shards), "records nobody came to"
        loads = sorted(sum(self.working(task, shard) for shard in self.stream.open()) for task in self.tasks.values())
        assert sum(loads) == len(self.stream.open())
        assert loads[-1] - loads[0] <= 1, f"uneven: {loads}"


TestSharing = Sharing.TestCase
TestSharing.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
