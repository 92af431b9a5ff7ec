from __future__ import annotations

import subprocess
import sys

import pytest

from components.compute.capacity import MEMORY_MIB_BY_CPU, capacity_problem


def test_the_table_has_every_pair_that_fargate_has():
    assert {cpu: (memory[0], memory[-1], len(memory)) for cpu, memory in MEMORY_MIB_BY_CPU.items()} == {
        256: (512, 2048, 3),
        512: (1024, 4096, 4),
        1024: (2048, 8192, 7),
        2048: (4096, 16384, 13),
        4096: (8192, 30720, 23),
        8192: (16384, 61440, 12),
        16384: (32768, 122880, 12),
    }


@pytest.mark.parametrize(("cpu", "memory_mib"), [(256, 512), (512, 3072), (4096, 30720), (16384, 122880)])
def test_a_pair_that_fargate_has_is_no_problem(cpu: int, memory_mib: int):
    assert capacity_problem(cpu, memory_mib) is None


@pytest.mark.parametrize(
    ("cpu", "memory_mib", "problem"),
    [
        (
            300,
            512,
            "cpu is 300; allowed is one of 256, 512, 1024, 2048, 4096, 8192, 16384 (1,024 units are a vCPU)",
        ),
        (
            256,
            4096,
            "memory_mib is 4096; with cpu 256 allowed is 512, 1024, 2048; or keep the memory with cpu 512, 1024, 2048",
        ),
        (
            1024,
            512,
            "memory_mib is 512; with cpu 1024 allowed is 2048 to 8192 in steps of 1024; "
            "or keep the memory with cpu 256",
        ),
        (256, 600, "memory_mib is 600; with cpu 256 allowed is 512, 1024, 2048"),
        (
            8192,
            17408,
            "memory_mib is 17408; with cpu 8192 allowed is 16384 to 61440 in steps of 4096; "
            "or keep the memory with cpu 4096",
        ),
    ],
)
def test_a_pair_that_fargate_does_not_have_says_what_it_has(cpu: int, memory_mib: int, problem: str):
    assert capacity_problem(cpu, memory_mib) == problem


def test_it_is_importable_without_pulumi():
    code = "import sys, components.compute.capacity; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
