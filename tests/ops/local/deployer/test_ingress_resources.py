"""Load balancers, HTTP APIs, Cloud Map, secrets: created by a Pulumi program, described by boto3."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.emulator import Account
from tests.ops.local.deployer.deploying import Run, run_program

PROGRAM = """
balancer = aws.lb.LoadBalancer("menu", internal=True, load_balancer_type="application", idle_timeout=90,
    drop_invalid_header_fields=True, security_groups=["sg-1"], subnets=["subnet-1", "subnet-2"],
    access_logs={"bucket": "logs", "prefix": "menu", "enabled": True})
group = aws.lb.TargetGroup("menu", target_type="ip", port=8080, protocol="HTTP", vpc_id="vpc-1",
    deregistration_delay=7, load_balancing_algorithm_type="least_outstanding_requests",
    health_check={"path": "/health", "matcher": "200", "interval": 10, "timeout": 5})
listener = aws.lb.Listener("menu", load_balancer_arn=balancer.arn, port=80, protocol="HTTP",
    default_actions=[{"type": "forward", "target_group_arn": group.arn}])

api = aws.apigatewayv2.Api("menu", protocol_type="HTTP", description="orders")
link = aws.apigatewayv2.VpcLink("menu", subnet_ids=["subnet-1"], security_group_ids=["sg-1"])
integration = aws.apigatewayv2.Integration("menu", api_id=api.id, integration_type="AWS_PROXY",
    integration_subtype="SQS-SendMessage", credentials_arn="arn:aws:iam::000000000000:role/menu",
    payload_format_version="1.0", request_parameters={"QueueUrl": "http://queue", "MessageBody": "$request.body"},
    response_parameters=[{"status_code": "200", "mappings": {"overwrite:statuscode": "202"}}])
private = aws.apigatewayv2.Integration("private", api_id=api.id, integration_type="HTTP_PROXY",
    integration_method="ANY", integration_uri="arn:aws:servicediscovery:x:1:service/srv-1",
    connection_type="VPC_LINK", connection_id=link.id, timeout_milliseconds=1500)
authorizer = aws.apigatewayv2.Authorizer("menu", api_id=api.id, authorizer_type="JWT",
    identity_sources=["$request.header.Authorization"],
    jwt_configuration={"issuer": "https://login.example", "audiences": ["menu"]})
aws.apigatewayv2.Route("menu", api_id=api.id, route_key="POST /events", authorization_type="JWT",
    authorizer_id=authorizer.id, authorization_scopes=["order"],
    target=pulumi.Output.concat("integrations/", integration.id))
aws.apigatewayv2.Stage("menu", api_id=api.id, name="$default", auto_deploy=True,
    default_route_settings={"throttling_rate_limit": 5, "throttling_burst_limit": 9})

namespace = aws.servicediscovery.PrivateDnsNamespace("menu", name="menu.internal", vpc="vpc-1")
registry = aws.servicediscovery.Service("menu", name="tasks", dns_config={"namespace_id": namespace.id,
    "routing_policy": "MULTIVALUE", "dns_records": [{"type": "SRV", "ttl": 10}]}, force_destroy=True)

secret = aws.secretsmanager.Secret("menu", description="a key", recovery_window_in_days=7)
password = aws.secretsmanager.get_random_password_output(password_length=48, exclude_punctuation=True)
version = aws.secretsmanager.SecretVersion("menu", secret_id=secret.id, secret_string=password.random_password)
read = aws.secretsmanager.get_secret_version_output(secret_id=version.secret_id)

pulumi.export("balancer", balancer.arn)
pulumi.export("suffixes", [balancer.arn_suffix, group.arn_suffix])
pulumi.export("dns", balancer.dns_name)
pulumi.export("group", group.arn)
pulumi.export("listener", listener.arn)
pulumi.export("api", api.id)
pulumi.export("endpoint", api.api_endpoint)
pulumi.export("integrations", [integration.id, private.id])
pulumi.export("registry", registry.arn)
pulumi.export("secret", secret.arn)
pulumi.export("read", read.secret_string)
"""


@pytest.fixture(scope="module")
def deployed(emulator: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Account, Run]:
    account = Account(emulator)
    run = run_program(account, tmp_path_factory.mktemp("ingress"), PROGRAM)
    assert run.error == ""
    return account, run


def test_a_load_balancer_with_its_attributes(deployed: tuple[Account, Run]):
    account, run = deployed
    elb = account.client("elbv2")
    arn = run.outputs["balancer"]
    (found,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert found["Scheme"] == "internal"
    attributes = {
        item["Key"]: item["Value"] for item in elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    }
    assert attributes["idle_timeout.timeout_seconds"] == "90"
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert (attributes["access_logs.s3.enabled"], attributes["access_logs.s3.bucket"]) == ("true", "logs")
    assert urlsplit(f"http://{run.outputs['dns']}").path == f"/_alb/{found['LoadBalancerName']}"


def test_a_target_group_and_its_listener(deployed: tuple[Account, Run]):
    account, run = deployed
    elb = account.client("elbv2")
    (group,) = elb.describe_target_groups(TargetGroupArns=[run.outputs["group"]])["TargetGroups"]
    assert (group["TargetType"], group["Port"], group["HealthCheckPath"]) == ("ip", 8080, "/health")
    (listener,) = elb.describe_listeners(ListenerArns=[run.outputs["listener"]])["Listeners"]
    assert listener["DefaultActions"][0]["TargetGroupArn"] == run.outputs["group"]
    balancer_suffix, group_suffix = run.outputs["suffixes"]
    assert run.outputs["balancer"].endswith(f":loadbalancer/{balancer_suffix}")
    assert run.outputs["group"].endswith(f":{group_suffix}")
    assert group_suffix.startswith("targetgroup/")


def test_an_http_api_with_its_parts(deployed: tuple[Account, Run]):
    account, run = deployed
    gateway = account.client("apigatewayv2")
    api_id = run.outputs["api"]
    assert run.outputs["endpoint"] == f"{account.endpoint_url}/_aws/execute-api/{api_id}"
    service, private = (
        gateway.get_integration(ApiId=api_id, IntegrationId=identifier) for identifier in run.outputs["integrations"]
    )
    assert service["IntegrationSubtype"] == "SQS-SendMessage"
    assert service["ResponseParameters"] == {"200": {"overwrite:statuscode": "202"}}
    assert (private["ConnectionType"], private["TimeoutInMillis"]) == ("VPC_LINK", 1500)
    (route,) = gateway.get_routes(ApiId=api_id)["Items"]
    assert (route["RouteKey"], route["AuthorizationType"]) == ("POST /events", "JWT")
    (authorizer,) = gateway.get_authorizers(ApiId=api_id)["Items"]
    assert authorizer["JwtConfiguration"] == {"Issuer": "https://login.example", "Audience": ["menu"]}
    (stage,) = gateway.get_stages(ApiId=api_id)["Items"]
    assert stage["StageName"] == "$default"


def test_a_cloud_map_service_and_a_secret(deployed: tuple[Account, Run]):
    account, run = deployed
    (service,) = account.client("servicediscovery").list_services()["Services"]
    assert service["Arn"] == run.outputs["registry"]
    value = account.client("secretsmanager").get_secret_value(SecretId=run.outputs["secret"])["SecretString"]
    assert len(value) == 48
    assert run.outputs["read"] == value


@pytest.mark.parametrize(
    ("listener", "reason"),
    [
        ('protocol="HTTPS", default_actions=[{"type": "forward", "target_group_arn": "arn"}]', "over plain HTTP"),
        (
            'protocol="HTTP", default_actions=[{"type": "redirect", "redirect": {"status_code": "HTTP_301"}}]',
            "knows only 'forward'",
        ),
    ],
)
def test_what_cannot_be_served_here_is_refused(account: Account, tmp_path: Path, listener: str, reason: str):
    run = run_program(account, tmp_path, f'aws.lb.Listener("menu", load_balancer_arn="arn", port=443, {listener})\n')
    assert reason in run.error
    assert "aws:lb/listener:Listener::menu" in run.error


def test_a_web_acl_is_refused_by_name(account: Account, tmp_path: Path):
    run = run_program(account, tmp_path, 'aws.wafv2.WebAclAssociation("menu", resource_arn="a", web_acl_arn="b")\n')
    assert "cannot create resources of type 'aws:wafv2/webAclAssociation:WebAclAssociation'" in run.error
