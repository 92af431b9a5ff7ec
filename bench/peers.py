"""Installs the peers, each in a folder of its own under bench/out/peers, through npm and pip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.processes import ROOT

__all__ = ["CDK", "CELERY", "LUMIGO", "OUT", "PEERS", "SQS_CONSUMER", "SQS_MOVER", "Peer", "Registry", "install"]

OUT = ROOT / "bench" / "out"
"""Everything that a run leaves apart from its report; not committed."""

_INSTALL_SECONDS = 600


class Registry(StrEnum):
    """Where a peer comes from."""

    NPM = "npm"
    PYPI = "pypi"


@dataclass(frozen=True)
class Peer:
    """A program to compare with, pinned.

    Attributes:
        name, version: in the registry.
        registry: see `Registry`.
        extra: a PyPI extra, or empty.
        beside: further npm packages (pinned) that it needs at its side.
    """

    name: str
    version: str
    registry: Registry
    extra: str = ""
    beside: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def folder(self) -> Path:
        return OUT / "peers" / f"{self.name}-{self.version}"

    @property
    def installed(self) -> bool:
        return (self.folder / ".installed").exists()

    def program(self, name: str) -> str:
        """The path of a program that the peer installed."""
        place = "node_modules/.bin" if self.registry is Registry.NPM else "bin"
        return str(self.folder / place / name)


LUMIGO = Peer("lumigo-cli", "0.48.4", Registry.NPM)
SQS_CONSUMER = Peer("sqs-consumer", "15.0.3", Registry.NPM)
CDK = Peer("aws-cdk-lib", "2.276.0", Registry.NPM, beside=("constructs@10.8.1",))
SQS_MOVER = Peer("sqs-mover", "0.0.6", Registry.PYPI)
CELERY = Peer("celery", "5.7.0", Registry.PYPI, extra="sqs")
PEERS = (LUMIGO, SQS_MOVER, SQS_CONSUMER, CELERY, CDK)


def install(peer: Peer) -> str:
    """Install a peer if it is not there; return why that was not possible, or an empty string.

    Installation scripts of npm packages are not run: none of these needs one.
    """
    if peer.installed:
        return ""
    peer.folder.mkdir(parents=True, exist_ok=True)
    if peer.registry is Registry.NPM:
        if not shutil.which("npm") or not shutil.which("node"):
            return "npm and node are not on the PATH"
        wanted = [f"{peer.name}@{peer.version}", *peer.beside]
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save"]
        commands = [["npm", "install", *quiet, "--prefix", str(peer.folder), *wanted]]
    else:
        extra = f"[{peer.extra}]" if peer.extra else ""
        commands = [
            [sys.executable, "-m", "venv", str(peer.folder)],
            [peer.program("pip"), "install", "--quiet", f"{peer.name}{extra}=={peer.version}"],
        ]
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"its installation did not end within {_INSTALL_SECONDS} s"
        if done.returncode:
            return f"its installation failed: {done.stderr.strip()[-300:]}"
    (peer.folder / ".installed").touch()
    return ""
