from __future__ import annotations

from pathlib import Path

from tests.emulator import Account
from tests.worker.support import Shop, envelope


def test_every_message_of_several_batches_is_handled_once_and_deleted(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    keys = [f"k{number}" for number in range(35)]
    shop.send([envelope(key, returns={"baked": key}) for key in keys])
    with shop.worker(CONCURRENCY="4") as worker:
        shop.wait_until_empty()
    assert worker.outcomes() == {"handled": 35}
    assert shop.attempts() == dict.fromkeys(keys, 1)
    assert sorted(record["data"]["S"] for record in shop.records()) == sorted(f'{{"baked": "{key}"}}' for key in keys)
