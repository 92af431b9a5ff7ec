"""What task-hours cost."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRICE_SOURCE", "TaskPrice"]

PRICE_SOURCE = "AWS Fargate, Linux/X86 on demand, us-east-1 (N. Virginia), price list of March 2026"


@dataclass(frozen=True, kw_only=True)
class TaskPrice:
    """The price of a task.

    Attributes:
        cpu: CPU units of a task, 1,024 to a vCPU; default 256.
        memory_mib: of a task; default 512.
        usd_per_vcpu_hour, usd_per_gb_hour: default `PRICE_SOURCE`. Other regions and Spot differ: override them.
    """

    cpu: int = 256
    memory_mib: int = 512
    usd_per_vcpu_hour: float = 0.04048
    usd_per_gb_hour: float = 0.004445

    @property
    def usd_per_task_hour(self) -> float:
        return self.cpu / 1024 * self.usd_per_vcpu_hour + self.memory_mib / 1024 * self.usd_per_gb_hour
