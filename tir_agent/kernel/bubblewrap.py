"""The jail by bubblewrap, for machines without Docker: namespaces, a read-only view, no network.

As root one jail holds all sessions, each under a user id of its own, as in Docker. An ordinary user has
no second id to give away, so there each session gets a jail to itself.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
from pathlib import Path

from tir_agent.assets import sandbox_dir
from tir_agent.errors import SandboxUnavailable
from tir_agent.kernel.child_process import ChildProcess
from tir_agent.kernel.environment import PythonEnvironment
from tir_agent.kernel.local import fork_server_environment
from tir_agent.settings import Isolation, Limits

__all__ = ["BubblewrapLauncher", "find_bwrap"]

_RUNTIME_DIR = "/run/tir"
_PROGRAMS_DIR = "/opt/tir"
_PYTHON_DIR = "/opt/venv"
_SLOTS = 1024
_SHARED_MEMORY_BYTES = 64 * 2**20
_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_KILL")
# What an interpreter needs of the machine: the loader, the C library, and what Python links to.
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/lib32",
    "/bin",
    "/sbin",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/fonts",
)
# Since this release a limit on processes counts within the user namespace (user_namespaces(7)).
_COUNTS_SINCE = (5, 14)


def find_bwrap() -> str:
    """The program's path.

    Raises:
        SandboxUnavailable: it is not installed.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise SandboxUnavailable(
            "bubblewrap is not installed", hint="Debian, Ubuntu: sudo apt install bubblewrap"
        )
    return path


class BubblewrapLauncher:
    """One bubblewrap jail with one fork server."""

    backend = "bubblewrap"

    def __init__(self, python: PythonEnvironment, limits: Limits, *, isolation: Isolation) -> None:
        self.image: str | None = python.identity
        self._python = python
        self._limits = limits
        self._process = ChildProcess()
        self._root = os.getuid() == 0
        self.one_session = not self._root or isolation is Isolation.CONTAINER
        self.counts_processes = self._root or _kernel_version() >= _COUNTS_SINCE

    async def launch(self, folder: Path) -> asyncio.Future[str]:
        environment = fork_server_environment(Path(_PYTHON_DIR))
        return await self._process.start(self._command(folder), environment, folder)

    async def kill(self) -> None:
        await self._process.kill()

    def _command(self, folder: Path) -> list[str]:
        command = [find_bwrap(), "--unshare-all", "--die-with-parent", "--new-session"]
        if self._root:
            # Without a user namespace: root can do all that is needed, and then drops it.
            command.remove("--unshare-all")
            command += [
                "--unshare-ipc",
                "--unshare-pid",
                "--unshare-net",
                "--unshare-uts",
                "--unshare-cgroup-try",
            ]
            command += ["--cap-drop", "ALL"]
            for capability in _CAPABILITIES:
                command += ["--cap-add", capability]
        # Folders that bubblewrap makes on the way to a mount are closed to other users: make them first.
        prefix = Path(sys.base_prefix)
        on_the_way = [
            Path("/etc"),
            Path("/opt"),
            Path("/run"),
            Path("/scratch"),
            *reversed(prefix.parents[:-1]),
        ]
        for folder_in_jail in on_the_way if not prefix.is_relative_to("/usr") else on_the_way[:4]:
            command += ["--perms", "0755", "--dir", str(folder_in_jail)]
        for path in _SYSTEM:
            command += _mirror(Path(path))
        if not prefix.is_relative_to("/usr"):
            command += ["--ro-bind", str(prefix), str(prefix)]
        command += ["--ro-bind", str(self._python.folder), _PYTHON_DIR]
        command += ["--ro-bind", str(sandbox_dir()), _PROGRAMS_DIR]
        command += ["--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue"]
        command += ["--size", str(_SHARED_MEMORY_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108
        slots = (1 + self._limits.branches if self.one_session else _SLOTS) if self._root else 0
        for scratch in [f"/scratch/{slot}" for slot in range(slots)] or ["/scratch"]:
            command += ["--size", str(self._limits.disk_bytes), "--perms", "0755", "--tmpfs", scratch]
        command += ["--bind", str(folder), _RUNTIME_DIR, "--remount-ro", "/", "--chdir", "/"]
        command += [
            f"{_PYTHON_DIR}/bin/python",
            f"{_PROGRAMS_DIR}/forkserver.py",
            f"{_RUNTIME_DIR}/control.sock",
        ]
        command += ["--scratch", "/scratch", "--slots", str(slots)]
        return [*command, "--own-uids"] if self._root else command


def _mirror(path: Path) -> list[str]:
    """Arguments that make `path` in the jail what it is here: a folder, a link, or nothing."""
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.exists() else []


def _kernel_version() -> tuple[int, int]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int("".join(filter(str.isdigit, minor)) or 0)
