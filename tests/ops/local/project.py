"""A project of one file in a folder of its own, and `ops local` run in it as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ops.local.home import Home, State
from tests.emulator import ROOT

__all__ = ["SLEEPER", "Project"]

QUEUE = """
import pulumi
import pulumi_aws as aws

queue = aws.sqs.Queue("orders")
pulumi.export("queue", queue.url)
"""

SLEEPER = """
import json
import pulumi
import pulumi_aws as aws

cluster = aws.ecs.Cluster("main")
task = aws.ecs.TaskDefinition("sleeper", family="sleeper", cpu="256", memory="512", network_mode="awsvpc",
    requires_compatibilities=["FARGATE"],
    container_definitions=json.dumps([{"name": "sleeper", "image": "sleeper", "essential": True}]))
aws.ecs.Service("sleeper", cluster=cluster.arn, task_definition=task.arn, desired_count=1, launch_type="FARGATE",
    network_configuration={"subnets": ["subnet-1"]})
"""


@dataclass
class Project:
    """A checkout with its own ``.local``; `port` is the port of its embedded AWS."""

    root: Path
    port: int

    @classmethod
    def create(cls, root: Path, port: int, program: str = QUEUE) -> Project:
        root.mkdir(parents=True, exist_ok=True)
        (root / "Pulumi.yaml").write_text("name: eda\nruntime: python\n")
        (root / "Pulumi.local.yaml").write_text("config:\n  aws:region: eu-west-1\n")
        (root / "__main__.py").write_text(textwrap.dedent(program))
        return cls(root, port)

    @property
    def home(self) -> Home:
        return Home(self.root)

    @property
    def state(self) -> State:
        state = self.home.read()
        assert state is not None
        return state

    def command(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command line and the environment of `ops local <arguments>` here."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = kept | {
            "PYTHONPATH": str(ROOT),
            "EDA_LOCAL_PORT": str(self.port),
            "AWS_PROFILE": "of-a-real-account",
        }
        return [sys.executable, "-m", "ops", "local", *arguments], environment

    def ops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command, environment = self.command(*arguments)
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=180, check=False
        )

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.ops("status", "--output", "json").stdout)
        return answer

    def processes(self) -> list[psutil.Process]:
        """Everything that runs on behalf of this checkout: its server, its deployer, its tasks."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            ours = str(self.root) in " ".join(process.info["cmdline"] or []) or process.info["cwd"] == str(self.root)
            if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found
