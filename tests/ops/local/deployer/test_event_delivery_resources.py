"""Targets of rules, as this project's components make them, on the embedded AWS."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.emulator import Account
from tests.ops.local.deployer.deploying import run_program
from tests.ops.local.server.helpers import wait_until


@contextmanager
def api() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An HTTP API that remembers its requests."""
    requests: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append({"path": self.path, "key": self.headers["x-api-key"], "body": json.loads(body)})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()


def send(account: Account, bus: str, detail: dict[str, Any]) -> None:
    entry = {"EventBusName": bus, "Source": "shop", "DetailType": "Sold", "Detail": json.dumps(detail)}
    assert account.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


API = """
bus = aws.cloudwatch.EventBus("shop")
connection = aws.cloudwatch.EventConnection(
    "connection", authorization_type="API_KEY", auth_parameters={{"api_key": {{"key": "x-api-key", "value": "secret"}}}})
destination = aws.cloudwatch.EventApiDestination(
    "destination", connection_arn=connection.arn, http_method="POST", invocation_endpoint="{url}/*/orders")
rule = aws.cloudwatch.EventRule("rule", event_bus_name=bus.name, event_pattern=json.dumps({{"source": ["shop"]}}))
role = aws.iam.Role("role", assume_role_policy=json.dumps({{"Version": "2012-10-17", "Statement": []}}))
aws.cloudwatch.EventTarget(
    "target", rule=rule.name, event_bus_name=bus.name, arn=destination.arn, role_arn=role.arn,
    input_path="$.detail",
    http_target={{"path_parameter_values": ["$.detail.region"], "query_string_parameters": {{"dry": "no"}}}})
pulumi.export("bus", bus.name)
"""


def test_an_api_destination_is_called_with_its_key_path_and_query(account: Account, tmp_path: Path) -> None:
    with api() as (url, requests):
        run = run_program(account, tmp_path, API.format(url=url))
        assert run.error == ""
        send(account, run.outputs["bus"], {"region": "AU"})
        wait_until(lambda: requests, "the call")
    assert requests == [{"path": "/AU/orders?dry=no", "key": "secret", "body": {"region": "AU"}}]


COMPONENTS = """
from components.routers.event_bus import EventBus, EventBusArgs
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import EventBusTarget, LogGroupTarget, SqsTarget
from components.stores.queue import Queue

shop, audit = EventBus("shop", EventBusArgs(archive_days=0)), EventBus("audit", EventBusArgs(archive_days=0))
group = aws.cloudwatch.LogGroup("sold")
queue = Queue("audited")
Rule("all", RuleArgs(bus=shop, event_pattern={"source": ["shop"]}, targets=[
    EventBusTarget(bus=audit), LogGroupTarget(name="log", log_group=group)]))
Rule("audited", RuleArgs(bus=audit, event_pattern={"source": ["shop"]}, targets=[SqsTarget(queue=queue)]))
pulumi.export("bus", shop.bus_name)
pulumi.export("group", group.name)
pulumi.export("queue", queue.url)
"""


def test_an_event_goes_on_to_another_bus_and_into_a_log(account: Account, tmp_path: Path) -> None:
    run = run_program(account, tmp_path, COMPONENTS)
    assert run.error == ""
    send(account, run.outputs["bus"], {"region": "NZ"})
    logs, sqs = account.client("logs"), account.client("sqs")
    (line,) = wait_until(lambda: logs.filter_log_events(logGroupName=run.outputs["group"])["events"], "the log line")
    assert json.loads(line["message"])["detail"] == {"region": "NZ"}
    message = wait_until(
        lambda: sqs.receive_message(QueueUrl=run.outputs["queue"], WaitTimeSeconds=1).get("Messages"), "the copy"
    )
    assert json.loads(message[0]["Body"])["detail"] == {"region": "NZ"}


FUNCTION = """
function = aws.lambda_.Permission("permission", action="lambda:InvokeFunction", function="{arn}",
    principal="events.amazonaws.com", source_arn="arn:aws:events:ap-southeast-2:1:rule/r")
"""


def test_a_function_gets_its_permission(account: Account, tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("main.py", "def handle(event, context):\n    return None\n")
    functions = account.client("lambda")
    arn = functions.create_function(
        FunctionName="track",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{account.id}:role/r",
        Handler="main.handle",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    run = run_program(account, tmp_path, FUNCTION.format(arn=arn))
    assert run.error == ""
    (statement,) = json.loads(functions.get_policy(FunctionName="track")["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
