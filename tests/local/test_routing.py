"""300 events, twelve rules with every operator, on the embedded AWS, checked against predicates written by hand."""

from __future__ import annotations

import ipaddress
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts import event_matching
from tests.emulator import Account
from tests.ops.local.deployer.deploying import run_program

Data = dict[str, Any]
Predicate = Callable[[Data], bool]


def data(fields: dict[str, Any]) -> dict[str, Any]:
    return {"source": ["shop"], "detail": {"data": fields}}


def address_in(network: str) -> Predicate:
    return lambda d: ipaddress.ip_address(d["ip"]) in ipaddress.ip_network(network)


RULES: dict[str, tuple[dict[str, Any], Predicate]] = {
    "exact": (data({"region": ["AU", "NZ"]}), lambda d: d["region"] in ("AU", "NZ")),
    "prefix": (data({"city": [{"prefix": "Mel"}]}), lambda d: d["city"].startswith("Mel")),
    "suffix": (
        data({"file": [{"suffix": {"equals-ignore-case": ".JPG"}}]}),
        lambda d: d["file"].lower().endswith(".jpg"),
    ),
    "ignore-case": (data({"city": [{"equals-ignore-case": "PERTH"}]}), lambda d: d["city"].lower() == "perth"),
    "anything-but": (data({"region": [{"anything-but": ["AU", "US"]}]}), lambda d: d["region"] not in ("AU", "US")),
    "but-prefix": (
        data({"file": [{"anything-but": {"prefix": "tmp/"}}]}),
        lambda d: not d["file"].startswith("tmp/"),
    ),
    "wildcard": (
        data({"file": [{"wildcard": "*/2026/*.jpg"}]}),
        lambda d: "/2026/" in d["file"] and d["file"].endswith(".jpg"),
    ),
    "numeric": (data({"price": [{"numeric": [">", 10, "<=", 25.5]}]}), lambda d: 10 < d["price"] <= 25.5),
    "exists": (
        data({"coupon": [{"exists": True}], "gift": [{"exists": False}]}),
        lambda d: "coupon" in d and "gift" not in d,
    ),
    "cidr": (data({"ip": [{"cidr": "10.0.0.0/24"}]}), address_in("10.0.0.0/24")),
    "or": (
        data({"$or": [{"price": [{"numeric": ["<", 5]}]}, {"coupon": [None]}]}),
        lambda d: d["price"] < 5 or ("coupon" in d and d["coupon"] is None),
    ),
    "list": (
        data({"items": {"kind": ["pizza"], "size": [{"numeric": [">=", 30]}]}, "tags": ["hot"]}),
        lambda d: any(i["kind"] == "pizza" and i["size"] >= 30 for i in d["items"]) and "hot" in d["tags"],
    ),
}

PROGRAM = """
from components.routers.event_bus import EventBus, EventBusArgs
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import SqsTarget
from components.stores.queue import Queue

bus = EventBus("shop", EventBusArgs(archive_days=0))
urls = {{}}
for name, pattern in json.loads({patterns!r}).items():
    queue = Queue(name)
    Rule(name + "-rule", RuleArgs(bus=bus, event_pattern=pattern, targets=[SqsTarget(queue=queue)]))
    urls[name] = queue.url
pulumi.export("bus", bus.bus_name)
pulumi.export("queues", urls)
"""


def make_events(count: int) -> list[Data]:
    chance = random.Random(20261120)
    events = []
    for number in range(count):
        event: Data = {
            "number": number,
            "region": chance.choice(["AU", "NZ", "US", "au"]),
            "city": chance.choice(["Melbourne", "Melton", "Perth", "PERTH", "perth ", "Auckland"]),
            "file": chance.choice(["in/2026/a.jpg", "in/2026/b.JPG", "tmp/2026/c.jpg", "in/2025/d.png", "2026/e.jpg"]),
            "price": chance.choice([0, 4.99, 5, 10, 10.01, 25.5, 25.51, 100]),
            "ip": chance.choice(["10.0.0.1", "10.0.0.255", "10.0.1.0", "192.168.0.1", "2001:db8::1"]),
            "tags": chance.choice([[], ["hot"], ["cold", "hot"], ["cold"]]),
            "items": [
                {"kind": chance.choice(["pizza", "pasta"]), "size": chance.choice([20, 30, 40])}
                for _ in range(chance.randrange(4))
            ],
        }
        if chance.random() < 0.6:
            event["coupon"] = chance.choice(["C1", None, 0])
        if chance.random() < 0.3:
            event["gift"] = True
        events.append(event)
    return events


def drain(sqs: Any, url: str) -> list[int]:
    numbers: list[int] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        numbers += [json.loads(message["Body"])["detail"]["data"]["number"] for message in messages]
        entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return sorted(numbers)


def test_300_events_reach_exactly_the_rules_that_a_human_would_choose(account: Account, tmp_path: Path) -> None:
    patterns = {name: pattern for name, (pattern, _) in RULES.items()}
    run = run_program(account, tmp_path, PROGRAM.format(patterns=json.dumps(patterns)))
    assert run.error == ""
    assert run.resources["aws:cloudwatch/eventRule:EventRule"] == 12
    events = make_events(300)
    client = account.client("events")
    for start in range(0, 300, 10):
        entries = [
            {
                "EventBusName": run.outputs["bus"],
                "Source": "shop",
                "DetailType": "Sold",
                "Detail": json.dumps({"metadata": {}, "data": event}),
            }
            for event in events[start : start + 10]
        ]
        assert client.put_events(Entries=entries)["FailedEntryCount"] == 0

    expected = {name: [e["number"] for e in events if wanted(e)] for name, (_, wanted) in RULES.items()}
    assert all(0 < len(numbers) < 300 for numbers in expected.values()), "each rule takes some, and none takes all"
    sqs = account.client("sqs")
    assert {name: drain(sqs, url) for name, url in run.outputs["queues"].items()} == expected
    # `ops route` says the same as the bus did.
    envelope = {"source": "shop", "detail-type": "Sold"}
    explained = {
        name: [e["number"] for e in events if event_matching.matches(p, {**envelope, "detail": {"data": e}})]
        for name, p in patterns.items()
    }
    assert explained == expected


SPLIT = """
from components.routers.event_bus import EventBus, EventBusArgs
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import InputPath, InputTransformer, SnsTarget, SqsTarget
from components.routers.subscriptions import Filter, QueueSubscription
from components.routers.topic import Topic
from components.stores.queue import Queue

bus = EventBus("shop", EventBusArgs(archive_days=0))
queues = [Queue(f"queue-{number}") for number in range(6)]
filtered = Queue("filtered")
topic = Topic("news")
topic.subscribe(QueueSubscription(queue=filtered, filter=Filter(policy={"detail": {"data": {"region": ["AU"]}}})))
targets = [SqsTarget(queue=queue) for queue in queues[:4]]
targets.append(SqsTarget(queue=queues[4], input=InputPath(path="$.detail.data")))
transformer = InputTransformer(template='{"sold": "<number>", "whole": <region>}', paths={
    "number": "$.detail.data.number", "region": "$.detail.data.region"})
targets.append(SqsTarget(queue=queues[5], input=transformer))
targets.append(SnsTarget(topic=topic))
Rule("all", RuleArgs(bus=bus, event_pattern={"source": ["shop"]}, targets=targets))
pulumi.export("bus", bus.bus_name)
pulumi.export("queues", [queue.url for queue in queues])
pulumi.export("filtered", filtered.url)
"""


def test_seven_targets_are_two_rules_and_each_gets_its_own_input(account: Account, tmp_path: Path) -> None:
    run = run_program(account, tmp_path, SPLIT)
    assert run.error == ""
    assert run.resources["aws:cloudwatch/eventRule:EventRule"] == 2
    client, sqs = account.client("events"), account.client("sqs")
    for number, region in enumerate(["AU", "NZ"]):
        detail = json.dumps({"data": {"number": number, "region": region}})
        entry = {"EventBusName": run.outputs["bus"], "Source": "shop", "DetailType": "Sold", "Detail": detail}
        assert client.put_events(Entries=[entry])["FailedEntryCount"] == 0
    *plain, path, transformed = run.outputs["queues"]
    assert [drain(sqs, url) for url in plain] == [[0, 1]] * 4
    assert drain(sqs, run.outputs["filtered"]) == [0]

    def bodies(url: str) -> list[Any]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)["Messages"]
        return sorted((json.loads(message["Body"]) for message in messages), key=str)

    assert bodies(path) == [{"number": 0, "region": "AU"}, {"number": 1, "region": "NZ"}]
    assert bodies(transformed) == [{"sold": "0", "whole": "AU"}, {"sold": "1", "whole": "NZ"}]
