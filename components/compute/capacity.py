"""The CPU and memory pairs that Fargate has. Standard library only: the settings are checked with it, too."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Final

__all__ = ["MEMORY_MIB_BY_CPU", "capacity_problem"]

_GIB = 1024

MEMORY_MIB_BY_CPU: Final[Mapping[int, tuple[int, ...]]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: tuple(range(1 * _GIB, 4 * _GIB + 1, _GIB)),
    1024: tuple(range(2 * _GIB, 8 * _GIB + 1, _GIB)),
    2048: tuple(range(4 * _GIB, 16 * _GIB + 1, _GIB)),
    4096: tuple(range(8 * _GIB, 30 * _GIB + 1, _GIB)),
    8192: tuple(range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB)),
    16384: tuple(range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB)),
}
"""Memory sizes (MiB) that Fargate allows with each CPU size (units, 1,024 are a vCPU), for Linux.

Source: Amazon ECS developer guide, "Amazon ECS task definition parameters for Fargate", "Task CPU and memory".
"""


def capacity_problem(cpu: int, memory_mib: int) -> str | None:
    """What is wrong with the pair, and what is allowed; None when Fargate has it."""
    if cpu not in MEMORY_MIB_BY_CPU:
        return f"cpu is {cpu!r}; allowed is one of {_listed(tuple(MEMORY_MIB_BY_CPU))} (1,024 units are a vCPU)"
    if memory_mib in MEMORY_MIB_BY_CPU[cpu]:
        return None
    sentence = f"memory_mib is {memory_mib!r}; with cpu {cpu} allowed is {_listed(MEMORY_MIB_BY_CPU[cpu])}"
    others = tuple(size for size, memory in MEMORY_MIB_BY_CPU.items() if memory_mib in memory)
    if others:
        return f"{sentence}; or keep the memory with cpu {_listed(others)}"
    return sentence


def _listed(sizes: tuple[int, ...]) -> str:
    """``512, 1024, 2048``; an even row of more than four is ``1024 to 4096 in steps of 1024``."""
    steps = {after - before for before, after in itertools.pairwise(sizes)}
    if len(sizes) > 4 and len(steps) == 1:
        return f"{sizes[0]} to {sizes[-1]} in steps of {steps.pop()}"
    return ", ".join(map(str, sizes))
