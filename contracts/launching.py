"""Names of the environment variables of a dispatcher: the worker whose handler runs a Fargate task for each event."""

from typing import Final

__all__ = [
    "CAPACITY_PROVIDER",
    "CLUSTER",
    "CONTAINER",
    "LARGE_EVENTS",
    "LAUNCHES_PER_SECOND",
    "PUBLIC_IP",
    "SECURITY_GROUPS",
    "SUBNETS",
    "TASK_DEFINITION",
]

CLUSTER: Final = "LAUNCH_CLUSTER"
"""Name or ARN of the cluster."""
TASK_DEFINITION: Final = "LAUNCH_TASK_DEFINITION"
"""Family or ARN of the task definition; without a revision the latest is run."""
CONTAINER: Final = "LAUNCH_CONTAINER"
"""The container that gets the event."""
SUBNETS: Final = "LAUNCH_SUBNETS"
"""Subnet ids, with commas between."""
SECURITY_GROUPS: Final = "LAUNCH_SECURITY_GROUPS"
"""Security group ids, with commas between."""
PUBLIC_IP: Final = "LAUNCH_PUBLIC_IP"
"""``true`` or ``false``; default ``false``."""
CAPACITY_PROVIDER: Final = "LAUNCH_CAPACITY_PROVIDER"
"""FARGATE or FARGATE_SPOT; default FARGATE."""
LARGE_EVENTS: Final = "LAUNCH_LARGE_EVENTS"
"""Where an event goes that does not fit into the task's environment, ``s3://bucket/prefix``; unset: it is refused."""
LAUNCHES_PER_SECOND: Final = "LAUNCHES_PER_SECOND"
"""RunTask calls a second, 0.1 to 20; default 5. Fargate launches 20 a second for a whole account."""
