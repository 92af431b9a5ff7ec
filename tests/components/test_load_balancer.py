from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.load_balancer import TLS_POLICY, LoadBalancer, LoadBalancerArgs
from components.compute.service import Service, ServiceArgs
from components.compute.task_definition import TaskDefinition, TaskDefinitionArgs
from components.core.errors import InvalidArgsError
from components.network import NatMode, Network, NetworkArgs
from tests.recorder import ACCOUNT, REGION, Recorder, record

CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/0a1b"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/menu-0a1b2c3/0a1b"


def balancer(name: str = "menu", nat: NatMode = NatMode.NONE, **changes: Any) -> LoadBalancer:
    arguments: dict[str, Any] = {"certificate_arn": CERTIFICATE, "public": True, **changes}
    return LoadBalancer(name, LoadBalancerArgs(network=Network("network", NetworkArgs(nat=nat)), **arguments))


def options(**changes: Any) -> dict[tuple[str, str], pulumi.ResourceOptions]:
    """(type, name) → the options that it is registered with."""
    seen: dict[tuple[str, str], pulumi.ResourceOptions] = {}

    def look(args: pulumi.ResourceTransformationArgs) -> None:
        seen[args.type_.rpartition(":")[2], args.name] = args.opts

    def program() -> None:
        arguments: dict[str, Any] = {"certificate_arn": CERTIFICATE, "public": True, **changes}
        LoadBalancer(
            "menu",
            LoadBalancerArgs(network=Network("network"), **arguments),
            pulumi.ResourceOptions(transformations=[look]),
        )

    record(program)
    return seen


def rules(recorder: Recorder, kind: str) -> dict[str, dict[str, Any]]:
    token = f"aws:vpc/securityGroup{kind}Rule:SecurityGroup{kind}Rule"
    return {item.name: dict(item.inputs) for item in recorder.of_type(token) if item.name.startswith("menu")}


def test_https_and_a_redirect_to_it():
    recorder = record(balancer)
    https = recorder.one("aws:lb/listener:Listener", "menu-https").inputs
    assert (https["port"], https["protocol"]) == (443, "HTTPS")
    assert (https["certificateArn"], https["sslPolicy"]) == (CERTIFICATE, TLS_POLICY)
    assert https["defaultActions"] == [{"type": "forward", "targetGroupArn": GROUP}]
    redirect = recorder.one("aws:lb/listener:Listener", "menu-http").inputs
    assert (redirect["port"], redirect["protocol"]) == (80, "HTTP")
    assert redirect["defaultActions"] == [
        {"type": "redirect", "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}}
    ]


def test_no_encryption_only_when_asked_for():
    recorder = record(lambda: balancer(certificate_arn=None, http_only=True))
    assert recorder.names("aws:lb/listener:Listener") == ["menu-http"]
    assert sorted(rules(recorder, "Ingress")) == ["menu-in-80-0-0-0-0-0", "menu-into-tasks"]


@pytest.mark.parametrize("changes", [{}, {"certificate_arn": None, "http_only": True}])
def test_a_listener_goes_before_that_of_another_load_balancer_takes_its_target_group(changes: dict[str, Any]):
    listeners = [found for (kind, _), found in options(**changes).items() if kind == "Listener"]
    assert listeners
    assert all(found.delete_before_replace for found in listeners)


def test_plain_requests_are_sent_to_https_once_it_is_there():
    after = options()["Listener", "menu-http"].depends_on
    assert isinstance(after, list)
    assert [found._name for found in after] == ["menu-https"]


def test_a_load_balancer_does_not_move_to_another_vpc():
    assert options()["LoadBalancer", "menu"].replace_on_changes == ["security_groups"]


def test_another_web_acl_is_associated_after_the_first_one_has_gone():
    assert options(web_acl_arn="arn:waf")["WebAclAssociation", "menu-waf"].delete_before_replace


def test_what_the_load_balancer_and_its_targets_are_like():
    recorder = record(balancer)
    inputs = recorder.one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert inputs["internal"] is False
    assert inputs["dropInvalidHeaderFields"] is True
    assert inputs["loadBalancerType"] == "application"
    assert inputs["subnets"] == ["network-public-1-0a1b2c3", "network-public-2-0a1b2c3"]
    assert inputs["securityGroups"] == ["menu-balancer-0a1b2c3"]
    assert "accessLogs" not in inputs
    group = recorder.one("aws:lb/targetGroup:TargetGroup").inputs
    assert (group["targetType"], group["port"], group["protocol"]) == ("ip", 8080, "HTTP")
    assert group["deregistrationDelay"] == 30
    assert group["healthCheck"] == {
        "path": "/health",
        "protocol": "HTTP",
        "matcher": "200",
        "interval": 10,
        "timeout": 5,
        "healthyThreshold": 2,
        "unhealthyThreshold": 3,
    }


def test_the_tasks_admit_the_load_balancer_and_nobody_else():
    recorder = record(balancer)
    tasks, own = "menu-behind-0a1b2c3", "menu-balancer-0a1b2c3"
    ingress = rules(recorder, "Ingress")
    assert {name: rule.get("cidrIpv4") for name, rule in ingress.items()} == {
        "menu-in-80-0-0-0-0-0": "0.0.0.0/0",
        "menu-in-443-0-0-0-0-0": "0.0.0.0/0",
        "menu-into-tasks": None,
    }
    inside = ingress["menu-into-tasks"]
    assert (inside["securityGroupId"], inside["referencedSecurityGroupId"]) == (tasks, own)
    assert (inside["fromPort"], inside["toPort"]) == (8080, 8080)
    (egress,) = rules(recorder, "Egress").values()
    assert (egress["securityGroupId"], egress["referencedSecurityGroupId"]) == (own, tasks)


def test_inside_the_vpc_for_named_ranges():
    recorder = record(lambda: balancer(public=False, ingress_cidrs=["10.0.0.0/16", "10.9.0.0/24"]))
    assert recorder.one("aws:lb/loadBalancer:LoadBalancer").inputs["internal"] is True
    opened = {rule.get("cidrIpv4") for rule in rules(recorder, "Ingress").values()}
    assert opened == {"10.0.0.0/16", "10.9.0.0/24", None}


def test_a_range_that_goes_leaves_the_rules_of_the_others():
    def opened(*cidrs: str) -> dict[str, str]:
        found = rules(record(lambda: balancer(ingress_cidrs=cidrs)), "Ingress")
        return {name: rule["cidrIpv4"] for name, rule in found.items() if "cidrIpv4" in rule}

    before, after = opened("10.1.0.0/16", "10.2.0.0/16", "10.1.0.0/16"), opened("10.2.0.0/16")
    assert len(before) == 4
    assert after.items() <= before.items()


def test_public_but_not_for_everybody():
    recorder = record(lambda: balancer(ingress_cidrs=["203.0.113.0/24"]))
    assert {r.get("cidrIpv4") for r in rules(recorder, "Ingress").values()} == {"203.0.113.0/24", None}


def test_options_reach_their_resources():
    def program() -> None:
        urls.append(
            balancer(
                access_log_bucket="logs",
                web_acl_arn="arn:waf",
                deletion_protection=True,
                idle_timeout_seconds=120,
                deregistration_delay_seconds=0,
                container_port=9000,
                health_check_path="/ready",
                domain_name="menu.example.com",
                zone_id="Z1",
            ).url
        )
        urls[0].apply(texts.append)

    urls: list[Any] = []
    texts: list[str] = []
    recorder = record(program)
    inputs = recorder.one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert inputs["accessLogs"] == {"bucket": "logs", "prefix": "menu", "enabled": True}
    assert (inputs["enableDeletionProtection"], inputs["idleTimeout"]) == (True, 120)
    group = recorder.one("aws:lb/targetGroup:TargetGroup").inputs
    assert (group["port"], group["deregistrationDelay"], group["healthCheck"]["path"]) == (9000, 0, "/ready")
    waf = recorder.one("aws:wafv2/webAclAssociation:WebAclAssociation").inputs
    assert waf["webAclArn"] == "arn:waf"
    assert waf["resourceArn"].endswith("loadbalancer/app/menu-0a1b2c3/0a1b")
    alias = recorder.one("aws:route53/record:Record").inputs
    assert (alias["name"], alias["zoneId"], alias["type"]) == ("menu.example.com", "Z1", "A")
    assert texts == ["https://menu.example.com"]


def test_without_a_domain_the_url_is_its_own_name():
    texts: list[str] = []
    record(lambda: balancer(certificate_arn=None, http_only=True).url.apply(texts.append))
    assert texts == [f"http://menu-0a1b2c3.{REGION}.elb.amazonaws.com"]


def test_names_fit_the_32_characters_and_stay_apart():
    first, second = "a-very-long-pattern-name-one", "a-very-long-pattern-name-two"

    def program() -> None:
        network = Network("network")
        for name in (first, second):
            LoadBalancer(name, LoadBalancerArgs(network=network, certificate_arn=CERTIFICATE, public=True))

    names = record(program).names("aws:lb/loadBalancer:LoadBalancer")
    assert len(set(names)) == 2
    assert all(len(f"{name}-0a1b2c3") <= 32 for name in names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"certificate_arn": None}, "set exactly one of certificate_arn"),
        ({"http_only": True}, "set exactly one of certificate_arn"),
        ({"public": False}, "ingress_cidrs is empty and public is False"),
        ({"ingress_cidrs": ["office"]}, "ingress_cidrs are ['office']; each is an IPv4 range"),
        ({"ingress_cidrs": ["::/0"]}, "ingress_cidrs are ['::/0']; each is an IPv4 range"),
        ({"ingress_cidrs": ["10.0.0.5"]}, "ingress_cidrs are ['10.0.0.5']; each is an IPv4 range"),
        ({"nat": NatMode.ENDPOINTS}, "public=True needs subnets with a route from the internet"),
        ({"zone_id": "Z1"}, "zone_id needs domain_name"),
        ({"health_check_path": "health"}, "health_check_path is 'health'; allowed is a path"),
        ({"deregistration_delay_seconds": 3601}, "deregistration_delay_seconds is 3601; allowed is a whole number"),
        ({"idle_timeout_seconds": 0}, "idle_timeout_seconds is 0; allowed is a whole number from 1 to 4,000 seconds"),
        ({"health_check_interval_seconds": 5}, "health_check_interval_seconds is 5; allowed is a whole number from 6"),
        ({"container_port": 0}, "container_port is 0; allowed is a whole number from 1 to 65,535"),
    ],
)
def test_what_aws_or_a_reviewer_would_refuse(changes: dict[str, Any], message: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: balancer(**changes))
    assert message in str(caught.value)


def service(**changes: Any) -> None:
    network, cluster = Network("network"), Cluster("cluster")
    container = ContainerArgs(image="registry.example/worker:1", port=8080)
    definition = TaskDefinition("menu", TaskDefinitionArgs(container=container))
    front = LoadBalancer("menu", LoadBalancerArgs(network=network, certificate_arn=CERTIFICATE, public=True))
    arguments: dict[str, Any] = {"load_balancer_targets": [front.target], **changes}
    Service("menu", ServiceArgs(cluster=cluster, task_definition=definition, network=network, **arguments))


def test_a_service_registers_its_tasks_and_joins_their_security_group():
    inputs = record(service).one("aws:ecs/service:Service").inputs
    assert inputs["loadBalancers"] == [{"targetGroupArn": GROUP, "containerName": "worker", "containerPort": 8080}]
    groups = inputs["networkConfiguration"]["securityGroups"]
    assert groups == ["network-tasks-0a1b2c3", "menu-behind-0a1b2c3"]
    assert inputs["healthCheckGracePeriodSeconds"] == 60
    assert "serviceRegistries" not in inputs


def test_a_service_without_one_says_nothing_of_it():
    inputs = record(lambda: service(load_balancer_targets=[])).one("aws:ecs/service:Service").inputs
    assert not {"loadBalancers", "healthCheckGracePeriodSeconds", "serviceRegistries"} & inputs.keys()
    assert inputs["networkConfiguration"]["securityGroups"] == ["network-tasks-0a1b2c3"]


def test_ecs_takes_five_target_groups():
    def program() -> None:
        front = balancer()
        service(load_balancer_targets=[front.target] * 6)

    with pytest.raises(InvalidArgsError, match="load_balancer_targets has 6 entries; ECS allows 5"):
        record(program)
