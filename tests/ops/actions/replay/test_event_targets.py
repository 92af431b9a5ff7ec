"""Events that EventBridge could not deliver go to their own target, whatever its kind, and nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from ops.exit_codes import ExitCode
from tests.faults.proxy import Fault, FaultsProxy
from tests.ops.actions.replay.targets import (
    FailedRule,
    api_destination,
    cluster,
    event,
    function,
    number_of,
    state_machine,
    tasks,
    web_server,
)
from tests.ops.local.server.helpers import wait_until
from tests.ops.scene import Scene

_TRANSFORMER = {
    "InputPathsMap": {"n": "$.detail.data.number"},
    "InputTemplate": '{"number": <n>, "rule": "<aws.events.rule-name>"}',
}


def _transformed(numbers: range) -> list[dict[str, Any]]:
    return [{"number": number, "rule": "orders"} for number in numbers]


def _all_moved(report: Any, count: int, destination: str) -> None:
    assert (report.found, report.moved, report.skipped, report.failed) == (count, count, 0, 0), report.reasons
    assert report.destinations == {destination: count}
    assert report.complete


def test_a_topic_gets_them_transformed(scene: Scene) -> None:
    sns = scene.account.client("sns")
    topic, subscriber = sns.create_topic(Name="orders")["TopicArn"], scene.queue("subscriber")
    scene.allow(subscriber, [topic], "sns.amazonaws.com")
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=scene.arn(subscriber), Attributes=raw)
    rule = FailedRule(scene, topic, {"InputTransformer": _TRANSFORMER})
    rule.dead_letter(range(25))

    _all_moved(scene.replay(rule.dlq), 25, "topic orders")

    got = [json.loads(body) for body in scene.bodies(subscriber)]
    assert sorted(got, key=lambda one: one["number"]) == _transformed(range(25))
    assert rule.nobody_else_got_anything()


def test_a_stream_gets_them_under_their_partition_keys(scene: Scene) -> None:
    kinesis = scene.account.client("kinesis")
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    arn = kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamARN"]
    key = {"KinesisParameters": {"PartitionKeyPath": "$.detail.data.city"}}
    rule = FailedRule(scene, arn, key)
    sent = rule.dead_letter(range(25))

    _all_moved(scene.replay(rule.dlq), 25, "stream orders")

    shard = kinesis.list_shards(StreamName="orders")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="orders", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    got = {json.loads(record["Data"])["id"]: record for record in records}
    assert len(records) == 25
    assert {one["id"]: one for one in sent} == {name: json.loads(record["Data"]) for name, record in got.items()}
    assert all(got[one["id"]]["PartitionKey"] == one["detail"]["data"]["city"] for one in sent)
    assert rule.nobody_else_got_anything()


def test_a_state_machine_starts_an_execution_for_each(scene: Scene) -> None:
    arn = state_machine(scene)
    rule = FailedRule(scene, arn, {"InputTransformer": _TRANSFORMER, "RoleArn": "arn:aws:iam::123456789012:role/r"})
    rule.dead_letter(range(5))

    _all_moved(scene.replay(rule.dlq), 5, "state machine orders")

    states = scene.account.client("stepfunctions")
    executions = states.list_executions(stateMachineArn=arn)["executions"]
    inputs = [json.loads(states.describe_execution(executionArn=one["executionArn"])["input"]) for one in executions]
    assert sorted(inputs, key=lambda one: one["number"]) == _transformed(range(5))
    assert rule.nobody_else_got_anything()


def test_a_cluster_runs_a_task_for_each_with_its_overrides(scene: Scene) -> None:
    arn, target = cluster(scene)
    rule = FailedRule(scene, arn, target)
    rule.dead_letter(range(5))

    _all_moved(scene.replay(rule.dlq), 5, "cluster c")

    assert sorted(map(number_of, tasks(scene))) == list(range(5))
    assert rule.nobody_else_got_anything()


def test_a_launch_that_fails_with_http_200_is_no_success_and_is_repeated(scene: Scene) -> None:
    arn, target = cluster(scene)
    target["EcsParameters"]["TaskCount"] = 2
    rule = FailedRule(scene, arn, target)
    rule.dead_letter(range(4))
    # GIVEN an account where every third launch fails for want of capacity, and calls are throttled
    scene.local("run-task-limits", {"account": scene.account.id, "per_second": 20, "failure_share": 0.34})

    # WHEN what failed is replayed
    _all_moved(scene.replay(rule.dlq), 4, "cluster c")

    # THEN each event has its two tasks: the missing ones were started, and none was started twice
    assert Counter(map(number_of, tasks(scene))) == dict.fromkeys(range(4), 2)
    assert scene.local("run-task-limits")[scene.account.id]["failed"] >= 3


def test_a_function_is_invoked_for_each(scene: Scene) -> None:
    seen = scene.queue("seen")
    rule = FailedRule(scene, function(scene, seen))
    sent = rule.dead_letter(range(5))

    _all_moved(scene.replay(rule.dlq), 5, "function f")

    wait_until(lambda: scene.counts(seen)[0] == 5, "five invocations", 60)
    got = [json.loads(body) for body in scene.bodies(seen)]
    assert sorted(got, key=lambda one: one["id"]) == sent
    assert rule.nobody_else_got_anything()


def test_a_log_group_gets_a_line_for_each(scene: Scene) -> None:
    logs = scene.account.client("logs")
    logs.create_log_group(logGroupName="/events/orders")
    template = '{"timestamp": 1795600000000, "message": "order <n>"}'
    transformer = {"InputPathsMap": {"n": "$.detail.data.number"}, "InputTemplate": template}
    arn = f"arn:aws:logs:{scene.account.region}:{scene.account.id}:log-group:/events/orders"
    rule = FailedRule(scene, arn, {"InputTransformer": transformer})
    rule.dead_letter(range(5))

    _all_moved(scene.replay(rule.dlq), 5, "log group /events/orders")

    lines = logs.filter_log_events(logGroupName="/events/orders")["events"]
    assert sorted(line["message"] for line in lines) == [f"order {n}" for n in range(5)]
    assert {line["timestamp"] for line in lines} == {1795600000000}
    assert rule.nobody_else_got_anything()


def test_another_bus_gets_them_and_events_of_aws_stay(scene: Scene) -> None:
    events = scene.account.client("events")
    bus = events.create_event_bus(Name="far")["EventBusArn"]
    seen = scene.queue("seen")
    pattern = json.dumps({"source": ["pizza.service.com"]})
    scene.allow(seen, [events.put_rule(Name="all", EventBusName="far", EventPattern=pattern)["RuleArn"]])
    events.put_targets(Rule="all", EventBusName="far", Targets=[{"Id": "seen", "Arn": scene.arn(seen)}])
    rule = FailedRule(scene, bus, {"RoleArn": "arn:aws:iam::123456789012:role/r"})
    sent = rule.dead_letter(range(12))
    rule.dead_letter(range(12, 14), source="aws.s3")

    report = scene.replay(rule.dlq)

    assert (report.moved, report.skipped) == (12, 2)
    assert report.destinations == {"bus far": 12}
    assert next(iter(report.reasons)).startswith("it is an event of AWS (aws.s3), which only AWS may put on a bus")
    got = [json.loads(body) for body in scene.bodies(seen)]
    facts = [{name: one[name] for name in ("source", "detail-type", "detail", "time")} for one in got]
    assert sorted(facts, key=lambda one: one["detail"]["data"]["number"]) == [
        {name: one[name] for name in ("source", "detail-type", "detail", "time")} for one in sent
    ]
    assert rule.nobody_else_got_anything()


def test_an_api_destination_gets_what_eventbridge_would_have_posted(scene: Scene) -> None:
    with web_server(200) as api:
        login = {"BasicAuthParameters": {"Username": "ops", "Password": "pass:word"}}
        extra = {
            "HeaderParameters": [{"Key": "x-tenant", "Value": "t1", "IsValueSecret": True}],
            "BodyParameters": [{"Key": "via", "Value": "bus", "IsValueSecret": False}],
        }
        arn = api_destination(
            scene,
            f"{api.url}/orders/*?v=1",
            AuthorizationType="BASIC",
            AuthParameters={**login, "InvocationHttpParameters": extra},
        )
        parameters = {
            "PathParameterValues": ["$.detail.data.city"],
            "HeaderParameters": {"x-kind": "$.detail-type", "x-tenant": "the connection wins", "Host": "evil"},
            "QueryStringParameters": {"n": "$.detail.data.number"},
        }
        rule = FailedRule(scene, arn, {"InputTransformer": _TRANSFORMER, "HttpParameters": parameters})
        rule.dead_letter(range(4))

        _all_moved(scene.replay(rule.dlq), 4, "API destination partner")

    expected = [{**one, "via": "bus"} for one in _transformed(range(4))]
    assert sorted(api.bodies, key=lambda one: one["number"]) == expected
    assert sorted(path for _, path, *_ in api.requests) == [f"/orders/city%20{n % 3}?v=1&n={n}" for n in (0, 3, 1, 2)]
    for method, _, headers, _ in api.requests:
        assert (method, headers["authorization"]) == ("POST", "Basic b3BzOnBhc3M6d29yZA==")
        assert (headers["x-kind"], headers["x-tenant"]) == ("OrderCreated", "t1")
        assert headers["user-agent"] == "Amazon/EventBridge/ApiDestinations"
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert headers["host"] != "evil"
    assert rule.nobody_else_got_anything()


def test_an_api_that_answers_503_twice_is_asked_again(scene: Scene) -> None:
    with web_server(503, 429, 200) as api:
        rule = FailedRule(scene, api_destination(scene, api.url))
        rule.dead_letter(range(1))

        report = scene.replay(rule.dlq)

    _all_moved(report, 1, "API destination partner")
    assert [body["id"] for body in api.bodies] == [event(0)["id"]] * 3
    assert all(headers["x-api-key"] == "s3cret" for *_, headers, _ in api.requests)
    assert report.duplicates_possible == 0


def test_what_an_api_refuses_stays_with_the_reason(scene: Scene) -> None:
    with web_server(200, 400, 302) as api:
        rule = FailedRule(scene, api_destination(scene, api.url))
        rule.dead_letter(range(3))

        ran = scene.run("replay-dlq", "--dlq-url", rule.dlq, "--concurrency", "1", "--yes", "--output", "json")

    assert ran.code == ExitCode.PARTLY
    assert (ran.last["moved"], ran.last["failed"], ran.last["left"]) == (1, 2, 0)
    assert ran.last["queues"][0]["reasons"] == {
        "API destination partner answered HTTP 400": 1,
        "API destination partner answered HTTP 302": 1,
    }
    assert scene.counts(rule.dlq) == (2, 0)
    assert "s3cret" not in ran.stdout + ran.stderr
    assert len(api.requests) == 3


def test_a_login_by_oauth_fetches_a_token_once_and_again_when_it_is_refused(scene: Scene) -> None:
    token = json.dumps({"access_token": "t0ken", "token_type": "bearer", "expires_in": 3600})
    with web_server(200, answer=token) as login, web_server(200, 401, 200) as api:
        oauth = {
            "AuthorizationEndpoint": f"{login.url}/token",
            "HttpMethod": "POST",
            "ClientParameters": {"ClientID": "me", "ClientSecret": "s3cret"},
            "OAuthHttpParameters": {"BodyParameters": [{"Key": "scope", "Value": "orders", "IsValueSecret": False}]},
        }
        arn = api_destination(
            scene, api.url, AuthorizationType="OAUTH_CLIENT_CREDENTIALS", AuthParameters={"OAuthParameters": oauth}
        )
        rule = FailedRule(scene, arn)
        rule.dead_letter(range(3))

        report = scene.replay(rule.dlq, concurrency=1)

    _all_moved(report, 3, "API destination partner")
    assert [headers["authorization"] for *_, headers, _ in api.requests] == ["Bearer t0ken"] * 4
    form = "grant_type=client_credentials&client_id=me&client_secret=s3cret&scope=orders"
    assert [body for *_, body in login.requests] == [form, form]


def test_an_api_that_cannot_be_reached_keeps_its_events(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.actions.replay.client_engine._ATTEMPTS", 2)
    with web_server(200) as api:
        pass
    rule = FailedRule(scene, api_destination(scene, api.url))
    rule.dead_letter(range(2))

    report = scene.replay(rule.dlq)

    assert (report.moved, report.failed, report.duplicates_possible) == (0, 2, 0)
    assert "cannot be reached" in next(iter(report.reasons))
    assert scene.counts(rule.dlq) == (2, 0)


def test_a_connection_that_is_not_authorized_is_named(scene: Scene) -> None:
    with web_server(200) as api:
        rule = FailedRule(scene, api_destination(scene, api.url))
        scene.account.client("events").deauthorize_connection(Name="partner")
        rule.dead_letter(range(2))

        report = scene.replay(rule.dlq)

    assert (report.moved, report.failed) == (0, 2)
    assert "the connection of the API destination partner is DEAUTHORIZED; mend it first" in next(iter(report.reasons))
    assert api.requests == []


def test_a_target_that_is_gone_keeps_its_events_and_says_which(scene: Scene) -> None:
    region, account = scene.account.region, scene.account.id
    arns = {
        f"arn:aws:sns:{region}:{account}:gone": "topic gone",
        f"arn:aws:kinesis:{region}:{account}:stream/gone": "stream gone",
        f"arn:aws:states:{region}:{account}:stateMachine:gone": "state machine gone",
        f"arn:aws:lambda:{region}:{account}:function:gone": "function gone",
        f"arn:aws:logs:{region}:{account}:log-group:gone": "log group gone",
        f"arn:aws:events:{region}:{account}:api-destination/gone/1": "API destination gone",
    }
    for number, (arn, name) in enumerate(arns.items()):
        rule = FailedRule(scene, arn, name=f"rule-{number}")
        rule.dead_letter(range(2))

        report = scene.replay(rule.dlq)

        assert (report.moved, report.failed, report.complete) == (0, 2, False), name
        assert name in next(iter(report.reasons))
        assert scene.counts(rule.dlq) == (2, 0)


def test_a_lost_answer_starts_no_second_execution_and_no_second_task(scene: Scene) -> None:
    machine = FailedRule(scene, state_machine(scene), name="machine")
    arn, target = cluster(scene)
    task = FailedRule(scene, arn, target, name="task")
    machine.dead_letter(range(5))
    task.dead_letter(range(5))
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        # GIVEN a network that loses the answers of the first requests, after AWS has acted
        proxy.inject("StartExecution", Fault.DROPPED_AFTER, times=3)
        proxy.inject("RunTask", Fault.DROPPED_AFTER, times=3)

        reports = [scene.replay(machine.dlq), scene.replay(task.dlq)]

    assert proxy.faults[Fault.DROPPED_AFTER] == 6
    assert [(report.moved, report.duplicates_possible) for report in reports] == [(5, 0), (5, 0)]
    executions = scene.account.client("stepfunctions").list_executions(stateMachineArn=machine.target_arn)
    assert len(executions["executions"]) == 5
    assert sorted(map(number_of, tasks(scene, "events-rule/task"))) == list(range(5))


def test_a_lost_answer_of_a_topic_is_counted_as_a_possible_duplicate(scene: Scene) -> None:
    sns = scene.account.client("sns")
    topic, subscriber = sns.create_topic(Name="orders")["TopicArn"], scene.queue("subscriber")
    scene.allow(subscriber, [topic], "sns.amazonaws.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=scene.arn(subscriber))
    rule = FailedRule(scene, topic)
    rule.dead_letter(range(10))
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        proxy.inject("PublishBatch", Fault.DROPPED_AFTER, times=1)

        report = scene.replay(rule.dlq)

    arrived = Counter(json.loads(json.loads(body)["Message"])["id"] for body in scene.bodies(subscriber))
    assert (report.moved, len(arrived)) == (10, 10)
    assert arrived.total() - 10 == report.duplicates_possible > 0
