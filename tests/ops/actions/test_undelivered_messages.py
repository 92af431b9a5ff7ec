"""What a topic could not deliver to one worker's queue goes back to that queue, and to no other."""

from __future__ import annotations

from ops.exit_codes import ExitCode
from tests.ops.scene import Scene


def test_each_undelivered_message_goes_to_the_worker_that_missed_it(scene: Scene) -> None:
    queues = {name: scene.queue(name) for name in ("kitchen.fifo", "billing.fifo")}
    undelivered = {name: scene.queue(f"undelivered-{name}") for name in queues}
    scene.publish_pattern(
        "shop",
        {
            "pattern": "fan-out",
            "dead_letter_queues": [
                scene.queue_ref(
                    undelivered[name], fifo=True, holds="undelivered-messages", origin_arn=scene.arn(queues[name])
                )
                for name in queues
            ],
        },
    )
    scene.fill(undelivered["kitchen.fifo"], ["1", "2", "3"])

    ran = scene.run("--stack", "dev", "replay-dlq", "shop", "--yes", "--output", "json")

    assert ran.code == ExitCode.OK, ran.stderr
    assert (ran.last["moved"], ran.last["left"]) == (3, 0)
    assert scene.bodies(queues["kitchen.fifo"]) == ["1", "2", "3"]
    assert scene.counts(queues["billing.fifo"]) == (0, 0)
