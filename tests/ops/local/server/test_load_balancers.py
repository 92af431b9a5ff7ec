"""Load balancers: who answers, and which tasks get requests."""

from __future__ import annotations

import urllib.error
import urllib.request

from contracts.environment import API_HOST
from tests.emulator import Account
from tests.ops.local.server.helpers import Fargate, wait_until

_SERVER = f"""
import http.server, os, time
time.sleep(float(os.environ["DELAY"]))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        healthy = os.environ["HEALTHY"] == "yes"
        self.send_response(200 if self.path == "/" or healthy else 500)
        self.end_headers()
        self.wfile.write(os.environ["NAME"].encode())
http.server.HTTPServer((os.environ["{API_HOST}"], 8080), Handler).serve_forever()
"""


def balanced(account: Account, name: str) -> tuple[str, str]:
    """(URL, target group ARN) of a load balancer."""
    elb = account.client("elbv2")
    balancer = elb.create_load_balancer(Name=name, Subnets=["subnet-1", "subnet-2"])["LoadBalancers"][0]
    group = elb.create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=8080,
        VpcId="vpc-1",
        TargetType="ip",
        HealthCheckPath="/ready",
        HealthCheckIntervalSeconds=300,  # the longest: a busy machine gets few chances to delay an answer too long
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return f"{account.endpoint_url}/_alb/{name}/", str(group)


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def serve(fargate: Fargate, group: str, name: str, *, healthy: bool = True, delay: float = 0) -> str:
    """The ARN of the running task."""
    variables = {"NAME": name, "HEALTHY": "yes" if healthy else "no", "DELAY": str(delay)}
    definition = fargate.define(
        name,
        [_SERVER],
        image="python",
        environment=[{"name": key, "value": value} for key, value in variables.items()],
        portMappings=[{"containerPort": 8080}],
    )
    fargate.create_service(
        name,
        definition,
        1,
        loadBalancers=[{"targetGroupArn": group, "containerName": "main", "containerPort": 8080}],
    )
    (task,) = fargate.wait_for_running(name, 1)
    return str(task["taskArn"])


def test_a_caller_of_no_account_is_answered(account: Account, fargate: Fargate):
    url, group = balanced(account, f"menu-{account.id}")
    assert get(url)[0] == 503  # no target
    serve(fargate, group, "one")
    wait_until(lambda: get(url) == (200, "one"), "an answer")


def test_only_tasks_that_pass_the_health_check_get_requests(account: Account, fargate: Fargate):
    url, group = balanced(account, f"menu-{account.id}")
    good = serve(fargate, group, "good")
    serve(fargate, group, "sick", healthy=False)
    serve(fargate, group, "late", delay=1)

    def checked() -> bool:
        get(url)  # a request has the targets checked; until one passes, all of them get requests
        return '"GET /ready HTTP/1.1" 200' in fargate.log(good)

    wait_until(checked, "a good health check")
    wait_until(lambda: get(url) == (200, "good"), "an answer")
    answers = {get(url) for _ in range(20)}
    assert (200, "sick") not in answers
    assert {status for status, _ in answers} == {200}
    wait_until(lambda: get(url) == (200, "late"), "the late one's turn")


def test_when_all_are_sick_they_all_get_requests(account: Account, fargate: Fargate):
    url, group = balanced(account, f"menu-{account.id}")
    serve(fargate, group, "sick", healthy=False)
    wait_until(lambda: get(url) == (200, "sick"), "an answer")
