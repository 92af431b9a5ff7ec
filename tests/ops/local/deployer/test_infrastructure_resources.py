"""Networks, roles, tables, clusters, services: created by a Pulumi program, described by boto3."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.emulator import Account
from tests.ops.local.deployer.deploying import Run, run_program

PROGRAM = """
zones = aws.get_availability_zones_output(state="available")
identity = aws.get_caller_identity_output()
region = aws.get_region_output()

vpc = aws.ec2.Vpc("main", cidr_block="10.9.0.0/16", enable_dns_hostnames=True, enable_dns_support=True)
gateway = aws.ec2.InternetGateway("main", vpc_id=vpc.id)
subnet = aws.ec2.Subnet("a", vpc_id=vpc.id, cidr_block="10.9.1.0/24", availability_zone=zones.names[0],
    map_public_ip_on_launch=True)
private = aws.ec2.Subnet("b", vpc_id=vpc.id, cidr_block="10.9.2.0/24", availability_zone=zones.names[1])
table = aws.ec2.RouteTable("public", vpc_id=vpc.id,
    routes=[{"cidr_block": "10.20.0.0/16", "gateway_id": gateway.id}])
aws.ec2.Route("public", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
aws.ec2.RouteTableAssociation("public", route_table_id=table.id, subnet_id=subnet.id)
address = aws.ec2.Eip("nat", domain="vpc")
nat = aws.ec2.NatGateway("nat", allocation_id=address.id, subnet_id=subnet.id)
private_table = aws.ec2.RouteTable("private", vpc_id=vpc.id)
aws.ec2.Route("private", route_table_id=private_table.id, destination_cidr_block="0.0.0.0/0", nat_gateway_id=nat.id)
group = aws.ec2.SecurityGroup("tasks", vpc_id=vpc.id, description="of the tasks")
inline = aws.ec2.SecurityGroup("inline", vpc_id=vpc.id, ingress=[
    {"protocol": "tcp", "from_port": 8080, "to_port": 8081, "cidr_blocks": ["10.9.0.0/16"], "self": True}])
aws.vpc.SecurityGroupIngressRule("https", security_group_id=group.id, ip_protocol="tcp", from_port=443, to_port=443,
    referenced_security_group_id=group.id, description="between tasks")
aws.vpc.SecurityGroupEgressRule("out", security_group_id=group.id, ip_protocol="-1", cidr_ipv4="0.0.0.0/0")
gateway_endpoint = aws.ec2.VpcEndpoint("s3", vpc_id=vpc.id, vpc_endpoint_type="Gateway",
    service_name=region.region.apply(lambda name: f"com.amazonaws.{name}.s3"), route_table_ids=[table.id])
interface_endpoint = aws.ec2.VpcEndpoint("sqs", vpc_id=vpc.id, vpc_endpoint_type="Interface",
    service_name=region.region.apply(lambda name: f"com.amazonaws.{name}.sqs"), subnet_ids=[subnet.id],
    security_group_ids=[group.id], private_dns_enabled=True)

role = aws.iam.Role("task", max_session_duration=7200, assume_role_policy=json.dumps({"Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"},
    "Action": "sts:AssumeRole"}]}))
inline_policy = aws.iam.RolePolicy("task", role=role.name, policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Sid": "read", "Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}]}))
aws.iam.RolePolicyAttachment("task", role=role.name,
    policy_arn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy")

logs = aws.cloudwatch.LogGroup("tasks", name="/eda/tasks", retention_in_days=14)
events = aws.dynamodb.Table("events", billing_mode="PAY_PER_REQUEST", hash_key="id", range_key="at",
    attributes=[{"name": "id", "type": "S"}, {"name": "at", "type": "N"}, {"name": "state", "type": "S"}],
    global_secondary_indexes=[{"name": "by-state", "hash_key": "state", "projection_type": "KEYS_ONLY"}],
    ttl={"attribute_name": "expiration", "enabled": True}, point_in_time_recovery={"enabled": True})
provisioned = aws.dynamodb.Table("provisioned", hash_key="id", attributes=[{"name": "id", "type": "S"}],
    read_capacity=2, write_capacity=3, stream_enabled=True, stream_view_type="NEW_IMAGE")

repository = aws.ecr.Repository("worker", image_tag_mutability="IMMUTABLE",
    image_scanning_configuration={"scan_on_push": True}, force_delete=True)
aws.ecr.LifecyclePolicy("worker", repository=repository.name, policy=json.dumps({"rules": [{"rulePriority": 1,
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5},
    "action": {"type": "expire"}}]}))
login = aws.ecr.get_authorization_token_output()

cluster = aws.ecs.Cluster("main", settings=[{"name": "containerInsights", "value": "disabled"}])
providers = aws.ecs.ClusterCapacityProviders("main", cluster_name=cluster.name,
    capacity_providers=["FARGATE", "FARGATE_SPOT"],
    default_capacity_provider_strategies=[{"capacity_provider": "FARGATE_SPOT", "weight": 1}])
task = aws.ecs.TaskDefinition("worker", family="worker", cpu="256", memory="512", network_mode="awsvpc",
    requires_compatibilities=["FARGATE"], task_role_arn=role.arn, execution_role_arn=role.arn,
    runtime_platform={"cpu_architecture": "ARM64", "operating_system_family": "LINUX"},
    ephemeral_storage={"size_in_gib": 30},
    container_definitions=pulumi.Output.json_dumps([{"name": "worker", "image": repository.repository_url,
        "essential": True, "stopTimeout": 60, "environment": [{"name": "QUEUE_URL", "value": "x"}]}]))
service = aws.ecs.Service("worker", cluster=cluster.arn, task_definition=task.arn, desired_count=0,
    capacity_provider_strategies=[{"capacity_provider": "FARGATE", "base": 1, "weight": 0},
                                  {"capacity_provider": "FARGATE_SPOT", "weight": 1}],
    deployment_circuit_breaker={"enable": True, "rollback": True},
    deployment_maximum_percent=200, deployment_minimum_healthy_percent=100,
    enable_ecs_managed_tags=True, propagate_tags="SERVICE", enable_execute_command=True,
    network_configuration={"subnets": [subnet.id], "security_groups": [group.id], "assign_public_ip": True},
    opts=pulumi.ResourceOptions(depends_on=[providers]))

for name, value in {
    "account": identity.account_id, "region": region.region, "zones": zones.names, "vpc": vpc.id, "subnet": subnet.id,
    "private": private.id, "table": table.id, "private_table": private_table.id, "gateway": gateway.id, "nat": nat.id,
    "group": group.id, "inline": inline.id, "gateway_endpoint": gateway_endpoint.id,
    "interface_endpoint": interface_endpoint.id, "role": role.name, "role_arn": role.arn, "inline_policy":
    inline_policy.name, "log_group_arn": logs.arn, "events": events.name, "events_arn": events.arn,
    "provisioned": provisioned.name, "stream": provisioned.stream_arn, "repository": repository.name,
    "cluster": cluster.name, "cluster_arn": cluster.arn, "task": task.arn, "task_family": task.arn_without_revision,
    "service": service.name, "service_arn": service.arn, "login_user": login.user_name,
    "motto": pulumi.Config("eda").require("motto"),
}.items():
    pulumi.export(name, value)
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, emulator: str) -> tuple[Account, Run]:
    account = Account(emulator)
    run = run_program(account, tmp_path_factory.mktemp("infrastructure"), PROGRAM)
    assert not run.error
    return account, run


def test_functions_answer_who_and_where(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    assert run.outputs["account"] == account.id
    assert run.outputs["region"] == account.region
    assert len(run.outputs["zones"]) >= 2
    assert all(zone.startswith(account.region) for zone in run.outputs["zones"])
    assert run.outputs["login_user"] == "AWS"
    assert run.outputs["motto"] == "served hot"


def test_a_network_routes_as_declared(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    ec2 = account.client("ec2")
    hostnames = ec2.describe_vpc_attribute(VpcId=run.outputs["vpc"], Attribute="enableDnsHostnames")
    assert hostnames["EnableDnsHostnames"]["Value"] is True
    subnets = ec2.describe_subnets(SubnetIds=[run.outputs["subnet"], run.outputs["private"]])["Subnets"]
    public = {subnet["SubnetId"]: subnet["MapPublicIpOnLaunch"] for subnet in subnets}
    assert public == {run.outputs["subnet"]: True, run.outputs["private"]: False}
    tables = {
        table["RouteTableId"]: table
        for table in ec2.describe_route_tables(RouteTableIds=[run.outputs["table"], run.outputs["private_table"]])[
            "RouteTables"
        ]
    }
    routes = {route["DestinationCidrBlock"]: route for route in tables[run.outputs["table"]]["Routes"]}
    assert routes["0.0.0.0/0"]["GatewayId"] == run.outputs["gateway"]
    assert routes["10.20.0.0/16"]["GatewayId"] == run.outputs["gateway"]
    associations = tables[run.outputs["table"]]["Associations"]
    assert [association["SubnetId"] for association in associations] == [run.outputs["subnet"]]
    private = {route["DestinationCidrBlock"]: route for route in tables[run.outputs["private_table"]]["Routes"]}
    assert private["0.0.0.0/0"]["NatGatewayId"] == run.outputs["nat"]


def test_security_groups_allow_only_what_is_declared(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    groups = account.client("ec2").describe_security_groups(GroupIds=[run.outputs["group"], run.outputs["inline"]])
    by_id = {group["GroupId"]: group for group in groups["SecurityGroups"]}
    tasks, inline = by_id[run.outputs["group"]], by_id[run.outputs["inline"]]
    (ingress,) = tasks["IpPermissions"]
    assert (ingress["IpProtocol"], ingress["FromPort"], ingress["ToPort"]) == ("tcp", 443, 443)
    assert ingress["UserIdGroupPairs"][0]["GroupId"] == run.outputs["group"]
    (egress,) = tasks["IpPermissionsEgress"]
    assert [cidr["CidrIp"] for cidr in egress["IpRanges"]] == ["0.0.0.0/0"]
    (ingress,) = inline["IpPermissions"]
    assert (ingress["FromPort"], ingress["ToPort"]) == (8080, 8081)
    assert [cidr["CidrIp"] for cidr in ingress["IpRanges"]] == ["10.9.0.0/16"]
    assert [pair["GroupId"] for pair in ingress["UserIdGroupPairs"]] == [run.outputs["inline"]]
    assert inline["IpPermissionsEgress"] == []  # the provider takes AWS's allow-all rule away


def test_endpoints_are_of_their_kind(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    ids = [run.outputs["gateway_endpoint"], run.outputs["interface_endpoint"]]
    endpoints = {
        endpoint["VpcEndpointId"]: endpoint
        for endpoint in account.client("ec2").describe_vpc_endpoints(VpcEndpointIds=ids)["VpcEndpoints"]
    }
    assert endpoints[ids[0]]["RouteTableIds"] == [run.outputs["table"]]
    assert endpoints[ids[1]]["SubnetIds"] == [run.outputs["subnet"]]
    assert endpoints[ids[1]]["VpcEndpointType"] == "Interface"


def test_a_role_has_its_policies(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    iam = account.client("iam")
    role = iam.get_role(RoleName=run.outputs["role"])["Role"]
    assert role["Arn"] == run.outputs["role_arn"]
    assert role["MaxSessionDuration"] == 7200
    policy = iam.get_role_policy(RoleName=run.outputs["role"], PolicyName=run.outputs["inline_policy"])
    assert policy["PolicyDocument"]["Statement"][0]["Sid"] == "read"
    attached = iam.list_attached_role_policies(RoleName=run.outputs["role"])["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AmazonECSTaskExecutionRolePolicy"]


def test_a_log_group_keeps_for_its_days(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    (group,) = account.client("logs").describe_log_groups(logGroupNamePrefix="/eda/tasks")["logGroups"]
    assert group["retentionInDays"] == 14
    assert group["arn"].removesuffix(":*") == run.outputs["log_group_arn"]


def test_tables_have_keys_indexes_expiry_and_streams(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    dynamodb = account.client("dynamodb")
    table = dynamodb.describe_table(TableName=run.outputs["events"])["Table"]
    assert table["TableArn"] == run.outputs["events_arn"]
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [("id", "HASH"), ("at", "RANGE")]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["GlobalSecondaryIndexes"][0]["Projection"]["ProjectionType"] == "KEYS_ONLY"
    expiry = dynamodb.describe_time_to_live(TableName=run.outputs["events"])["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expiration")
    backups = dynamodb.describe_continuous_backups(TableName=run.outputs["events"])["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    provisioned = dynamodb.describe_table(TableName=run.outputs["provisioned"])["Table"]
    throughput = provisioned["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (2, 3)
    assert provisioned["LatestStreamArn"] == run.outputs["stream"]


def test_a_repository_has_its_lifecycle(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    ecr = account.client("ecr")
    (repository,) = ecr.describe_repositories(repositoryNames=[run.outputs["repository"]])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    lifecycle = ecr.get_lifecycle_policy(repositoryName=run.outputs["repository"])
    assert json.loads(lifecycle["lifecyclePolicyText"])["rules"][0]["selection"]["countNumber"] == 5


def test_a_task_definition_is_registered(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    task = account.client("ecs").describe_task_definition(taskDefinition=run.outputs["task"])["taskDefinition"]
    assert run.outputs["task"] == f"{run.outputs['task_family']}:{task['revision']}"
    assert (task["cpu"], task["memory"], task["networkMode"]) == ("256", "512", "awsvpc")
    assert task["runtimePlatform"] == {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
    assert task["ephemeralStorage"] == {"sizeInGiB": 30}
    (container,) = task["containerDefinitions"]
    assert container["stopTimeout"] == 60
    assert container["environment"] == [{"name": "QUEUE_URL", "value": "x"}]


def test_a_cluster_and_a_service_run_on_their_capacity(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    ecs = account.client("ecs")
    (cluster,) = ecs.describe_clusters(clusters=[run.outputs["cluster"]], include=["SETTINGS"])["clusters"]
    assert sorted(cluster["capacityProviders"]) == ["FARGATE", "FARGATE_SPOT"]
    assert cluster["defaultCapacityProviderStrategy"][0]["capacityProvider"] == "FARGATE_SPOT"
    (service,) = ecs.describe_services(cluster=run.outputs["cluster"], services=[run.outputs["service"]])["services"]
    assert service["serviceArn"] == run.outputs["service_arn"]
    assert service["taskDefinition"] == run.outputs["task"]
    strategy: list[dict[str, Any]] = service["capacityProviderStrategy"]
    assert [(item["capacityProvider"], item.get("base", 0), item["weight"]) for item in strategy] == [
        ("FARGATE", 1, 0),
        ("FARGATE_SPOT", 0, 1),
    ]
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert service["deploymentConfiguration"]["maximumPercent"] == 200
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["subnets"] == [run.outputs["subnet"]]
    assert network["assignPublicIp"] == "ENABLED"
    assert (service["enableECSManagedTags"], service["propagateTags"]) == (True, "SERVICE")
    assert re.fullmatch(r"worker-[0-9a-f]{7}", run.outputs["service"])


def test_an_image_becomes_the_process_of_its_dockerfile(account: Account, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM python:3.13\nENTRYPOINT ["python", "-m", "worker"]\nCMD ["queue"]\n')
    run = run_program(
        account,
        tmp_path,
        f"""
        import pulumi_docker_build as docker_build
        image = docker_build.Image(
            "worker", context={{"location": {str(tmp_path)!r}}}, tags=["1.dkr.ecr.x.amazonaws.com/worker:latest"],
            push=True, platforms=["linux/arm64"],
            registries=[{{"address": "x", "username": "AWS", "password": pulumi.Output.secret("s")}}])
        pulumi.export("ref", image.ref)
        """,
    )
    assert re.fullmatch(r"1\.dkr\.ecr\.x\.amazonaws\.com/worker:latest@sha256:[0-9a-f]{64}", run.outputs["ref"])
    table = json.loads((tmp_path / "images.json").read_text())
    process = table["1.dkr.ecr.x.amazonaws.com/worker"]
    assert process["entry_point"] == [sys.executable, "-m", "worker"]
    assert process["command"] == ["queue"]
    assert process["working_directory"] == str(tmp_path)
