"""Functions, their URLs and their event sources, as this project's components make them, on the embedded AWS."""

from __future__ import annotations

import json
from pathlib import Path

from tests.emulator import Account
from tests.ops.local.deployer.deploying import run_program
from tests.ops.local.server.helpers import wait_until

PROGRAM = """
import pathlib
folder = pathlib.Path("{folder}")
code = pulumi.AssetArchive({{"package/main.py": pulumi.FileAsset(str(folder / "main.py"))}})
role = aws.iam.Role("role", assume_role_policy=json.dumps({{"Version": "2012-10-17", "Statement": []}}))
logs = aws.cloudwatch.LogGroup("logs", retention_in_days=7)
queue = aws.sqs.Queue("work")
done = aws.sqs.Queue("done")
function = aws.lambda_.Function(
    "worker", runtime="python3.13", architectures=["arm64"], handler="package.main.handle", code=code, role=role.arn,
    timeout=30, memory_size=256, reserved_concurrent_executions=2, description="works",
    environment={{"variables": {{"DONE": done.url}}}}, logging_config={{"log_format": "JSON", "log_group": logs.name}})
mapping = aws.lambda_.EventSourceMapping(
    "worker", event_source_arn=queue.arn, function_name=function.arn, batch_size=10,
    function_response_types=["ReportBatchItemFailures"])
url = aws.lambda_.FunctionUrl("worker", function_name=function.name, authorization_type="AWS_IAM")
for name, value in {{"queue": queue.url, "done": done.url, "function": function.name, "url": url.function_url}}.items():
    pulumi.export(name, value)
"""
_MAIN = """
import os, boto3
def handle(event, context):
    for record in event["Records"]:
        boto3.client("sqs").send_message(QueueUrl=os.environ["DONE"], MessageBody=record["body"].upper())
    return {"batchItemFailures": []}
"""


def test_a_function_works_on_its_queue(account: Account, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(_MAIN)
    run = run_program(account, tmp_path / "home", PROGRAM.format(folder=tmp_path))
    assert run.error == ""
    functions, sqs = account.client("lambda"), account.client("sqs")
    name = run.outputs["function"]
    found = functions.get_function(FunctionName=name)["Configuration"]
    assert (found["Timeout"], found["MemorySize"], found["Description"]) == (30, 256, "works")
    assert found["LoggingConfig"]["LogGroup"].startswith("logs-")
    concurrency = functions.get_function_concurrency(FunctionName=name)
    assert concurrency["ReservedConcurrentExecutions"] == 2
    url = functions.get_function_url_config(FunctionName=name)
    assert (url["AuthType"], url["FunctionUrl"]) == ("AWS_IAM", run.outputs["url"])
    sqs.send_message(QueueUrl=run.outputs["queue"], MessageBody=json.dumps("ping"))
    (message,) = wait_until(
        lambda: sqs.receive_message(QueueUrl=run.outputs["done"], WaitTimeSeconds=1).get("Messages"), "the answer"
    )
    assert message["Body"] == '"PING"'


def test_code_that_is_no_archive_of_files_is_refused(account: Account, tmp_path: Path) -> None:
    role = 'aws.lambda_.Function("f", runtime="python3.13", handler="m.h", role="arn:aws:iam::1:role/r", code={code})'
    for code, problem in (
        ('pulumi.FileArchive("/tmp")', "packs an AssetArchive of files"),
        ('pulumi.AssetArchive({"m.py": pulumi.StringAsset("x")})', "'m.py' is StringAsset; allowed is FileAsset"),
    ):
        run = run_program(account, tmp_path, role.replace("{code}", code))
        assert problem in run.error
