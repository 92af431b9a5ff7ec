"""`python -m tests.faults.keeping_server --port PORT --home FOLDER`: the embedded AWS, whose queues can be put back.

`PUT /_local/queues/ACCOUNT` with `{"keep": NAME}` keeps all queues of an account as they are, receipt handles and
remembered deduplication ids included; with `{"restore": NAME, "later_seconds": S}` they are again as they were, S
seconds after that moment. The answer, to a `GET` too, is what bodies each queue has, hidden ones included.
"""

from __future__ import annotations

import copy
import time
from typing import Any

from ops.local.server.__main__ import configure_ministack, parse
from ops.local.server.local_routes import Answer, Request, routes

__all__ = ["install", "main"]

Queue = dict[str, Any]


def install(sqs: Any) -> None:
    """Add the route."""
    kept: dict[tuple[str, str], tuple[float, dict[tuple[str, str, str], Queue]]] = {}

    def queues(account: str) -> dict[tuple[str, str, str], Queue]:
        return {key: queue for key, queue in sqs._queues.all_items() if key[0] == account}

    def restore(account: str, name: str, later_seconds: float) -> None:
        moment, records = kept[account, name]
        shift = time.time() - moment - later_seconds
        for key, queue in copy.deepcopy(records).items():
            for message in queue["messages"]:
                message["visible_at"] += shift
            for remembered in queue["dedup_cache"].values():
                remembered["expire"] += shift
            sqs._queues.set_scoped(*key, queue)

    def answer(request: Request) -> Answer:
        account, document = request.path, request.json()
        if "keep" in document:
            kept[account, document["keep"]] = time.time(), copy.deepcopy(queues(account))
        elif "restore" in document:
            restore(account, document["restore"], document["later_seconds"])
        return Answer(
            {queue["name"]: [message["body"] for message in queue["messages"]] for queue in queues(account).values()}
        )

    routes.add("queues", answer)


def main() -> None:
    """Serve until SIGTERM."""
    settings = parse()
    settings.home.mkdir(parents=True, exist_ok=True)
    configure_ministack(settings)

    # MiniStack reads its environment at import time, and the layer imports MiniStack.
    from ministack.services import sqs

    from ops.local.server.layer import install_layer
    from ops.local.server.process_tasks import stop_all_tasks
    from ops.local.server.serving import serve

    install_layer(settings)
    install(sqs)
    serve(settings, stop_all_tasks)


if __name__ == "__main__":
    main()
