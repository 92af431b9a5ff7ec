"""AWS Cloud Map: private DNS namespaces and their services."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_namespace", "create_service"]


@creates("aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace", "description", "name", "vpc")
def create_namespace(request: Request) -> Created:
    operation = request.call(
        "servicediscovery", "create_private_dns_namespace", **request.pick("description", "name", "vpc")
    )["OperationId"]
    targets = request.call("servicediscovery", "get_operation", OperationId=operation)["Operation"]["Targets"]
    namespace_id = targets["NAMESPACE"]
    account = request.context.clients.account
    return Created(
        namespace_id, {"arn": f"arn:aws:servicediscovery:{request.region}:{account}:namespace/{namespace_id}"}
    )


@creates("aws:servicediscovery/service:Service", "description", "dnsConfig", "name", "namespaceId")
def create_service(request: Request) -> Created:
    config = dict(request["dnsConfig"])
    # The provider has it inside the DNS configuration; the API wants it outside.
    namespace_id = config.pop("namespaceId", None) or request["namespaceId"]
    service = request.call(
        "servicediscovery",
        "create_service",
        Name=request["name"],
        DnsConfig=config,
        NamespaceId=namespace_id,
        **request.pick("description"),
    )["Service"]
    return Created(service["Id"], {"arn": service["Arn"]})
