"""The metrics that AWS publishes, and GetMetricData."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import Account
from tests.ops.local.server.helpers import Fargate, queue, wait_until


def _query(account: Account, *queries: dict[str, Any]) -> dict[str, list[float]]:
    """The values of each returned query over the last ten minutes (the account is younger), newest first."""
    now = datetime.now(UTC)
    answer = account.client("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries), StartTime=now - timedelta(minutes=10), EndTime=now
    )
    return {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}


def _stat(query_id: str, namespace: str, name: str, stat: str = "Average", **dimensions: str) -> dict[str, Any]:
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}


def test_a_queue_has_its_depth_age_and_traffic(account: Account) -> None:
    sqs = account.client("sqs")
    url, _ = queue(account, "q")
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(3)])
    sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=600)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)

    def values(name: str, stat: str = "Average") -> list[float]:
        return _query(account, _stat("m", "AWS/SQS", name, stat, QueueName="q"))["m"]

    wait_until(lambda: values("ApproximateNumberOfMessagesVisible")[:1] == [2], "two visible messages")
    assert values("ApproximateNumberOfMessagesNotVisible")[0] == 1
    assert values("ApproximateNumberOfMessagesDelayed")[0] == 1
    totals = [sum(values(f"NumberOfMessages{what}", "Sum")) for what in ("Sent", "Received", "Deleted")]
    assert totals == [5, 2, 1]
    wait_until(lambda: values("ApproximateAgeOfOldestMessage")[0] > 1, "the oldest message ages")


def test_the_sample_count_of_a_services_cpu_is_its_running_tasks(fargate: Fargate, account: Account) -> None:
    fargate.create_service("s", fargate.define("s", ["exec sleep 600"]), 2)
    fargate.wait_for_running("s", 2)
    queue(account, "clock")
    dimensions = {"ClusterName": "c", "ServiceName": "s"}
    samples = _stat("m", "AWS/ECS", "CPUUtilization", "SampleCount", **dimensions)
    minutes = _stat("n", "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="clock")

    def count() -> tuple[int, int]:
        """Data points of the service, and of a queue that has one each minute."""
        found = _query(account, samples, minutes)
        return len(found["m"]), len(found["n"])

    wait_until(lambda: _query(account, samples)["m"][:1] == [2], "two samples")
    assert _query(account, _stat("m", "AWS/ECS", "MemoryUtilization", **dimensions))["m"][0] > 0
    fargate.ecs.update_service(cluster="c", service="s", desiredCount=0)
    fargate.wait_for_running("s", 0)
    _, minute = count()
    wait_until(lambda: count()[1] > minute, "the minute that may have seen the tasks")
    seen, minute = count()
    wait_until(lambda: count()[1] > minute + 1, "two more minutes")
    assert count()[0] == seen, "no more data points at zero"


def test_an_expression_over_queue_and_service(fargate: Fargate, account: Account) -> None:
    url, _ = queue(account, "q")
    for number in range(6):
        account.client("sqs").send_message(QueueUrl=url, MessageBody=str(number))
    queries = [
        {"Id": "e", "Expression": "IF(FILL(tasks, 0) > 0, visible / tasks, visible)", "ReturnData": True},
        _stat("visible", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", QueueName="q")
        | {"ReturnData": False},
        _stat("tasks", "AWS/ECS", "CPUUtilization", "SampleCount", ClusterName="c", ServiceName="s")
        | {"ReturnData": False},
    ]
    wait_until(lambda: _query(account, *queries)["e"][:1] == [6], "six messages and no task")
    fargate.create_service("s", fargate.define("s", ["exec sleep 600"]), 3)
    fargate.wait_for_running("s", 3)
    wait_until(lambda: _query(account, *queries)["e"][0] == 2, "six messages for three tasks")


def test_a_wrong_expression_is_an_error(account: Account) -> None:
    with pytest.raises(ClientError, match="'nothing' is no id of another query"):
        _query(account, {"Id": "e", "Expression": "nothing + 1"})


def test_own_metrics_are_told_apart_by_their_dimensions(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    for name, value in (("a", 1.0), ("b", 9.0)):
        datum = {"MetricName": "M", "Value": value, "Dimensions": [{"Name": "D", "Value": name}]}
        cloudwatch.put_metric_data(Namespace="N", MetricData=[datum])
    found = _query(account, _stat("m", "N", "M", D="a"), _stat("n", "N", "M", D="b"))
    assert found == {"m": [1.0], "n": [9.0]}
