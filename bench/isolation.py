"""A network namespace of its own for all that is measured: peers cannot phone home, and nothing else is on the wire."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Sequence

__all__ = ["home_free_environment", "isolated_command", "only_loopback", "raise_loopback"]

# linux/sockios.h and linux/if.h
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def isolated_command(command: Sequence[str]) -> list[str] | None:
    """`command`, prefixed so that it sees no network but loopback; None when this machine cannot do that."""
    if unshare := shutil.which("unshare"):
        for options in (["--net"], ["--net", "--map-root-user"]):
            prefix = [unshare, *options, "--"]
            if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
                return [*prefix, *command]
    return None


def only_loopback() -> bool:
    """Whether this process can reach nothing but this machine."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


def raise_loopback() -> None:
    """Bring the loopback interface up, which is down in a new namespace.

    Raises:
        OSError: the process may not.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(handle, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def home_free_environment(home: os.PathLike[str]) -> dict[str, str]:
    """What every contender gets: a PATH, and a home directory without anybody's settings."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.fspath(home), "LANG": "C.UTF-8"}
