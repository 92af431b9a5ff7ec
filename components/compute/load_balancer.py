"""LoadBalancer: an Application Load Balancer in front of one service, HTTPS unless told otherwise."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.ingress import LoadBalancerTarget, connect
from components.core.base import Component
from components.core.validation import Check, Range, check
from components.network import Network

__all__ = ["TLS_POLICY", "LoadBalancer", "LoadBalancerArgs"]

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.2 and 1.3 (Elastic Load Balancing user guide, "Security policies for your Application Load Balancer")."""

_ANYWHERE = "0.0.0.0/0"
_HTTP, _HTTPS = 80, 443
_MAX_NAME = 24
"""A load balancer's and a target group's name has 32 characters; the provider adds eight."""


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """Arguments of `LoadBalancer`.

    Attributes:
        network: whose VPC, and whose public subnets when it is public.
        container_port: where the tasks listen; default 8080.
        certificate_arn: ACM certificate, of this region; default None, which needs `http_only`.
        http_only: no encryption on the way to the load balancer. For development; default False.
        public: reached from the internet, from anywhere unless `ingress_cidrs` says from where; default False: inside
            the VPC only. **A change replaces the load balancer.**
        ingress_cidrs: IPv4 ranges that may connect; required unless `public`.
        subnet_ids: two or more, in different zones; default the network's public subnets when `public`, else those of
            the tasks.
        domain_name: a name that the certificate has, under which clients reach it; default None: its own DNS name,
            which no certificate has.
        zone_id: Route 53 hosted zone in which to create `domain_name`; default None: it exists already.
        health_check_path: answered with 200 by a task that can serve; default ``/health``.
        health_check_interval_seconds: 6 to 300; default 10. Two good checks in a row make a task healthy, three bad
            ones unhealthy.
        deregistration_delay_seconds: how long requests under way may take after a task was taken out, 0 to 3,600;
            default 30. Every deployment and scale-in takes that much longer.
        idle_timeout_seconds: a request without an answer for so long ends with 504; 1 to 4,000; default 60.
        deletion_protection: default False.
        access_log_bucket: S3 bucket whose policy admits the load balancer's logs; default None, no access log.
        web_acl_arn: AWS WAF web ACL (regional); default None, no WAF.
    """

    network: Network
    container_port: int = 8080
    certificate_arn: pulumi.Input[str] | None = None
    http_only: bool = False
    public: bool = False
    ingress_cidrs: Sequence[str] = ()
    subnet_ids: Sequence[pulumi.Input[str]] = ()
    domain_name: str | None = None
    zone_id: pulumi.Input[str] | None = None
    health_check_path: str = "/health"
    health_check_interval_seconds: int = 10
    deregistration_delay_seconds: int = 30
    idle_timeout_seconds: int = 60
    deletion_protection: bool = False
    access_log_bucket: pulumi.Input[str] | None = None
    web_acl_arn: pulumi.Input[str] | None = None


def _not_a_range(text: str) -> bool:
    """As the provider has it: with its length, and without bits of a host."""
    try:
        return str(ipaddress.IPv4Network(text)) != text
    except ValueError:
        return True


_RULES = (
    Range("container_port", 1, 65_535),
    Range("health_check_interval_seconds", 6, 300, "seconds"),
    Range("deregistration_delay_seconds", 0, 3_600, "seconds"),
    Range("idle_timeout_seconds", 1, 4_000, "seconds"),
    Check(
        ("http_only",),
        lambda args: (args.certificate_arn is None) != args.http_only,
        "set exactly one of certificate_arn (HTTPS) and http_only=True (no encryption, for development)",
    ),
    Check(
        ("public", "ingress_cidrs"),
        lambda args: not args.public and not args.ingress_cidrs,
        "ingress_cidrs is empty and public is False: nobody could connect; name IPv4 ranges, e.g. that of the VPC, or "
        "set public=True",
    ),
    Check(
        ("ingress_cidrs",),
        lambda args: any(_not_a_range(cidr) for cidr in args.ingress_cidrs),
        lambda args: f"ingress_cidrs are {list(args.ingress_cidrs)}; each is an IPv4 range, e.g. '10.0.0.0/16'",
    ),
    Check(
        ("public", "subnet_ids"),
        lambda args: args.public and not args.subnet_ids and not args.network.public_subnet_ids,
        "public=True needs subnets with a route from the internet, and this network knows none: name two in subnet_ids",
    ),
    Check(
        ("domain_name",),
        lambda args: args.zone_id is not None and args.domain_name is None,
        "zone_id needs domain_name: the name to create there",
    ),
    Check(
        ("health_check_path",),
        lambda args: not args.health_check_path.startswith("/"),
        lambda args: f"health_check_path is {args.health_check_path!r}; allowed is a path, e.g. '/health'",
    ),
)


class LoadBalancer(Component):
    """A load balancer with one target group. Its tasks admit requests from it and from nobody else.

    Attributes:
        url: where clients reach it, without a path: ``https://<domain name or its own DNS name>``.
        dns_name, arn, arn_suffix: of the load balancer.
        target_group_arn, target_group_arn_suffix: of the target group. (The suffixes are metric dimensions.)
        listener_arn: of the listener that forwards.
        target: what a `Service` needs to be registered.
        load_balancer, target_group: the raw resources.
    """

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"LoadBalancer {name!r}", args, _RULES)
        self._args = args
        own_group, tasks_group = self._create_security_groups()
        self.load_balancer = self._create_load_balancer(own_group)
        self.arn: pulumi.Output[str] = self.load_balancer.arn
        self.arn_suffix: pulumi.Output[str] = self.load_balancer.arn_suffix
        self.dns_name: pulumi.Output[str] = self.load_balancer.dns_name
        self.target_group = self._create_target_group()
        self.target_group_arn: pulumi.Output[str] = self.target_group.arn
        self.target_group_arn_suffix: pulumi.Output[str] = self.target_group.arn_suffix
        listener = self._create_listeners()
        self.listener_arn: pulumi.Output[str] = listener.arn
        self.target = LoadBalancerTarget(
            target_group_arn=self.target_group_arn,
            container_port=args.container_port,
            security_group_id=tasks_group.id,
            depends_on=[listener],
        )
        self.url: pulumi.Output[str] = pulumi.Output.concat(
            "http://" if args.http_only else "https://", args.domain_name or self.dns_name
        )
        if args.zone_id is not None and args.domain_name is not None:
            self._create_record(args.zone_id, args.domain_name)
        if args.web_acl_arn is not None:
            aws.wafv2.WebAclAssociation(
                f"{name}-waf",
                resource_arn=self.arn,
                web_acl_arn=args.web_acl_arn,
                # Whoever ends an association names only the load balancer: the old one, ended after the new one was
                # made, would take the new web ACL away.
                opts=self.child(delete_before_replace=True),
            )
        self.publish({"url": self.url, "arn": self.arn, "target_group_arn": self.target_group_arn})

    def _create_security_groups(self) -> tuple[aws.ec2.SecurityGroup, aws.ec2.SecurityGroup]:
        """(the load balancer's, its tasks')."""
        args = self._args
        own = aws.ec2.SecurityGroup(
            f"{self.name}-balancer",
            vpc_id=args.network.vpc_id,
            description="Load balancer: in from its clients, out to its tasks",
            opts=self.child(),
        )
        tasks = aws.ec2.SecurityGroup(
            f"{self.name}-behind",
            vpc_id=args.network.vpc_id,
            description="Tasks behind a load balancer: in from it",
            opts=self.child(),
        )
        for port in (_HTTP,) if args.http_only else (_HTTP, _HTTPS):
            for cidr in dict.fromkeys(args.ingress_cidrs or [_ANYWHERE]):
                aws.vpc.SecurityGroupIngressRule(
                    # Not numbered: the rules behind a range that goes would all move up, and EC2 refuses to make one
                    # into what its neighbour still is.
                    f"{self.name}-in-{port}-{cidr.replace('.', '-').replace('/', '-')}",
                    security_group_id=own.id,
                    cidr_ipv4=cidr,
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    opts=self.child(),
                )
        connect(self, own.id, tasks.id, args.container_port)
        return own, tasks

    def _create_load_balancer(self, group: aws.ec2.SecurityGroup) -> aws.lb.LoadBalancer:
        args = self._args
        default = args.network.public_subnet_ids if args.public else args.network.task_subnet_ids
        bucket = args.access_log_bucket
        return aws.lb.LoadBalancer(
            _short(self.name),
            load_balancer_type="application",
            internal=not args.public,
            security_groups=[group.id],
            subnets=list(args.subnet_ids) or list(default),
            drop_invalid_header_fields=True,
            idle_timeout=args.idle_timeout_seconds,
            enable_deletion_protection=args.deletion_protection,
            access_logs=(
                aws.lb.LoadBalancerAccessLogsArgs(bucket=bucket, prefix=self.name, enabled=True)
                if bucket is not None
                else None
            ),
            # The internet gateway must be there before what the internet reaches. Another security group is one of
            # another VPC, and the provider would try to give it to the load balancer of this one.
            opts=self.child(depends_on=[args.network], replace_on_changes=["security_groups"]),
        )

    def _create_target_group(self) -> aws.lb.TargetGroup:
        args = self._args
        return aws.lb.TargetGroup(
            _short(self.name),
            target_type="ip",
            port=args.container_port,
            protocol="HTTP",
            vpc_id=args.network.vpc_id,
            deregistration_delay=args.deregistration_delay_seconds,
            load_balancing_algorithm_type="least_outstanding_requests",
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                path=args.health_check_path,
                protocol="HTTP",
                matcher="200",
                interval=args.health_check_interval_seconds,
                timeout=5,
                healthy_threshold=2,
                unhealthy_threshold=3,
            ),
            opts=self.child(),
        )

    def _create_listeners(self) -> aws.lb.Listener:
        """The listener that forwards; with HTTPS also one that sends plain requests there."""
        forward = aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=self.target_group_arn)
        if self._args.http_only:
            return self._create_http_listener(forward)
        https = aws.lb.Listener(
            f"{self.name}-https",
            load_balancer_arn=self.arn,
            port=_HTTPS,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=self._args.certificate_arn,
            default_actions=[forward],
            # A target group belongs to one load balancer: before another one's listener can forward to it, this one
            # must have gone.
            opts=self.child(delete_before_replace=True),
        )
        redirect = aws.lb.ListenerDefaultActionRedirectArgs(protocol="HTTPS", port=str(_HTTPS), status_code="HTTP_301")
        self._create_http_listener(aws.lb.ListenerDefaultActionArgs(type="redirect", redirect=redirect), https)
        return https

    def _create_http_listener(
        self, action: aws.lb.ListenerDefaultActionArgs, *after: pulumi.Resource
    ) -> aws.lb.Listener:
        """One resource for the port, whatever it does: a second one could not be made before the first one goes."""
        return aws.lb.Listener(
            f"{self.name}-http",
            load_balancer_arn=self.arn,
            port=_HTTP,
            protocol="HTTP",
            default_actions=[action],
            opts=self.child(depends_on=after, delete_before_replace=True),
        )

    def _create_record(self, zone_id: pulumi.Input[str], domain_name: str) -> None:
        aws.route53.Record(
            f"{self.name}-record",
            zone_id=zone_id,
            name=domain_name,
            type="A",
            aliases=[
                aws.route53.RecordAliasArgs(
                    name=self.dns_name, zone_id=self.load_balancer.zone_id, evaluate_target_health=True
                )
            ],
            opts=self.child(),
        )


def _short(name: str) -> str:
    """The name, or its beginning with four digits of its hash: two long names with one beginning stay two."""
    if len(name) <= _MAX_NAME:
        return name
    return f"{name[: _MAX_NAME - 5].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"
