"""No jail at all: the fork server as an ordinary process, for people who know what they run."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tir_agent.assets import sandbox_dir
from tir_agent.kernel.child_process import ChildProcess
from tir_agent.kernel.environment import PythonEnvironment

__all__ = ["LocalLauncher", "fork_server_environment"]


def fork_server_environment(python: Path) -> dict[str, str]:
    """All environment variables that the fork server gets: nothing of the user's, no key above all."""
    return {"PATH": f"{python}/bin:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


class LocalLauncher:
    """Sessions run as this user, on this machine: limits against accidents, none against malice."""

    backend = "local"
    one_session = False
    # It would count every process of the user's, the browser's too.
    counts_processes = False

    def __init__(self, python: PythonEnvironment) -> None:
        self.image: str | None = python.identity
        self._python = python
        self._process = ChildProcess()

    async def launch(self, folder: Path) -> asyncio.Future[str]:
        scratch = folder.parent / "s"
        scratch.mkdir(mode=0o700)
        command = [
            str(self._python.python),
            str(sandbox_dir() / "forkserver.py"),
            str(folder / "control.sock"),
            "--scratch",
            str(scratch),
        ]
        return await self._process.start(command, fork_server_environment(self._python.folder), folder)

    async def kill(self) -> None:
        await self._process.kill()
