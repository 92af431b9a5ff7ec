"""Alarms on the server."""

from __future__ import annotations

import json
from typing import Any

from tests.emulator import Account
from tests.ops.local.server.helpers import allow_events, allow_service, queue, receive, wait_until


def _alarm(account: Account, name: str, **alarm: Any) -> None:
    settings = {
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }
    account.client("cloudwatch").put_metric_alarm(AlarmName=name, **{**settings, **alarm})


def _depth_alarm(account: Account, name: str, queue_name: str, **alarm: Any) -> None:
    _alarm(
        account,
        name,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": queue_name}],
        Statistic="Maximum",
        Period=60,
        **alarm,
    )


def _state(account: Account, name: str) -> str:
    (alarm,) = account.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarm["StateValue"])


def _wait_for(account: Account, name: str, state: str) -> None:
    wait_until(lambda: _state(account, name) == state, f"alarm {name} in {state}")


def _changes(account: Account, name: str) -> list[str]:
    """Every change of the alarm's state so far, as "OK to ALARM": a state may last half a second here, history stays."""
    history = account.client("cloudwatch").describe_alarm_history(
        AlarmName=name, HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
    )
    changes = [item["HistorySummary"].removeprefix("Alarm updated from ") for item in history["AlarmHistoryItems"]]
    assert changes[0] == "INSUFFICIENT_DATA to INSUFFICIENT_DATA", "MiniStack's line for a new alarm"
    return changes[1:]


def test_an_alarm_sees_its_own_queue_only_and_recovers(account: Account) -> None:
    full, _ = queue(account, "full")
    queue(account, "idle")
    _depth_alarm(account, "full", "full")
    _depth_alarm(account, "idle", "idle")
    account.client("sqs").send_message(QueueUrl=full, MessageBody="x")
    _wait_for(account, "full", "ALARM")
    _wait_for(account, "idle", "OK")
    account.client("sqs").purge_queue(QueueUrl=full)
    _wait_for(account, "full", "OK")
    assert _changes(account, "idle") == ["INSUFFICIENT_DATA to OK"]
    changes = _changes(account, "full")
    assert changes[0].startswith("INSUFFICIENT_DATA to ")
    assert changes[-1] == "ALARM to OK"


def test_an_alarm_leaves_its_state_when_the_data_stops(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    for treatment in ("notBreaching", "missing", "breaching"):
        _alarm(
            account, treatment, Namespace="N", MetricName="M", Statistic="Sum", Period=60, TreatMissingData=treatment
        )
    cloudwatch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "M", "Value": 5}])
    wait_until(lambda: _changes(account, "notBreaching")[-1:] == ["ALARM to OK"], "no data is no breach")
    wait_until(lambda: _changes(account, "missing")[-1:] == ["ALARM to INSUFFICIENT_DATA"], "no data is no state")
    assert _changes(account, "breaching") == ["INSUFFICIENT_DATA to ALARM"]


def test_m_out_of_n(account: Account) -> None:
    _alarm(
        account,
        "m",
        Namespace="N",
        MetricName="M",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=4,
        DatapointsToAlarm=2,
    )
    put = account.client("cloudwatch").put_metric_data
    put(Namespace="N", MetricData=[{"MetricName": "M", "Value": 5}])
    _wait_for(account, "m", "OK")
    assert _state(account, "m") == "OK"

    def breach_again() -> bool:
        put(Namespace="N", MetricData=[{"MetricName": "M", "Value": 5}])
        return _state(account, "m") == "ALARM"

    wait_until(breach_again, "two breaching minutes of four")


def test_an_alarm_on_metric_math_keeps_its_metrics(account: Account) -> None:
    url, _ = queue(account, "q")
    dimensions = [{"Name": "QueueName", "Value": "q"}]
    metrics = [
        {
            "Id": name,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": dimensions},
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for name, metric in (
            ("v", "ApproximateNumberOfMessagesVisible"),
            ("f", "ApproximateNumberOfMessagesNotVisible"),
        )
    ]
    metrics.append({"Id": "e", "Expression": "v + f", "ReturnData": True, "Label": "all"})
    _alarm(account, "math", Metrics=metrics, Threshold=2)
    (shown,) = account.client("cloudwatch").describe_alarms(AlarmNames=["math"])["MetricAlarms"]
    assert [metric["Id"] for metric in shown["Metrics"]] == ["v", "f", "e"]
    assert "MetricName" not in shown
    for _ in range(2):
        account.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    account.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=600)
    _wait_for(account, "math", "ALARM")


def test_a_change_notifies_a_topic_and_the_default_bus(account: Account) -> None:
    events, sns, sqs = account.client("events"), account.client("sns"), account.client("sqs")
    bus_url, bus_arn = queue(account, "from-bus")
    rule_arn = events.put_rule(Name="r", EventPattern=json.dumps({"source": ["aws.cloudwatch"]}))["RuleArn"]
    allow_events(account, bus_url, bus_arn, rule_arn)
    events.put_targets(Rule="r", Targets=[{"Id": "q", "Arn": bus_arn}])
    topic = sns.create_topic(Name="t")["TopicArn"]
    topic_url, topic_queue_arn = queue(account, "from-topic")
    allow_service(account, topic_url, topic_queue_arn, "sns.amazonaws.com", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic_queue_arn)
    url, _ = queue(account, "q")
    _depth_alarm(account, "a", "q", AlarmActions=[topic], OKActions=[topic])
    sqs.send_message(QueueUrl=url, MessageBody="x")
    _wait_for(account, "a", "ALARM")

    def until(queue_url: str, state: str) -> dict[str, Any]:
        while True:
            message = receive(account, queue_url)
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            body: dict[str, Any] = json.loads(message["Body"])
            shown = (
                json.loads(body["Message"])["NewStateValue"] if "Message" in body else body["detail"]["state"]["value"]
            )
            if shown == state:
                return body

    event = until(bus_url, "ALARM")
    assert (event["detail-type"], event["detail"]["alarmName"]) == ("CloudWatch Alarm State Change", "a")
    until(topic_url, "ALARM")
    sqs.purge_queue(QueueUrl=url)
    until(topic_url, "OK")
    history = account.client("cloudwatch").describe_alarm_history(AlarmName="a", HistoryItemType="StateUpdate")
    assert any("to ALARM" in item["HistorySummary"] for item in history["AlarmHistoryItems"])
