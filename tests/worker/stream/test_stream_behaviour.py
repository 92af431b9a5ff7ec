"""Real worker processes on the embedded AWS."""

from __future__ import annotations

from pathlib import Path

from tests.emulator import Account
from tests.worker.stream.support import Application, Stream, envelope, wait_for


def test_every_record_is_handled_once_and_each_key_in_order(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=2)
    application = Application(stream, tmp_path)
    stream.put_numbers(0, 60, keys=7)
    with application.worker() as worker:
        application.wait_for_effects(60)
    assert worker.outcomes() == {"handled": 60}
    assert application.attempts() == {f"k{n}": 1 for n in range(60)}
    assert application.order() == {f"g{k}": list(range(k, 60, 7)) for k in range(7)}
    assert application.holders() == {}
    with application.worker() as worker:
        wait_for("both shards", lambda: len(application.holders()) == 1 and application.holders().total() == 2)
        stream.put([("g0", envelope("new", group="g0", number=60))])
        application.wait_for_effects(61)
    assert worker.outcomes() == {"handled": 1}  # the checkpoint of the first worker holds
