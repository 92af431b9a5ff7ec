"""Where and when a report was made."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

__all__ = ["Machine"]


@dataclass(frozen=True)
class Machine:
    """Attributes:
    when: UTC, ISO 8601.
    system: operating system, kernel release and architecture.
    processor: model, as the kernel names it.
    processors: logical processors that this process may use.
    memory_gib: of the machine.
    load_before: processes that wanted to run in the last minute before; over 0 means that the machine was not idle.
    software: what the figures depend on, name → version.
    """

    when: str
    system: str
    processor: str
    processors: int
    memory_gib: float
    load_before: float
    software: dict[str, str]

    @classmethod
    def here(cls) -> Machine:
        """This machine, now."""
        software = {"Python": platform.python_version()}
        software |= {name: version(name) for name in ("boto3", "botocore", "ministack", "pulumi", "pulumi-aws")}
        if node := shutil.which("node"):
            software["Node.js"] = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
        return cls(
            when=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            processor=_processor(),
            processors=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1),
            load_before=round(os.getloadavg()[0], 2),
            software=software,
        )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"
