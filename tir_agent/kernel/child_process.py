"""A fork server as a child process of this one: common ground of bubblewrap and local."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from tir_agent.errors import SandboxUnavailable

__all__ = ["ChildProcess"]

_KEPT_BYTES = 4096
# The fork server kills and cleans up what it started once the host has hung up.
_GRACE_SECONDS = 5.0


class ChildProcess:
    """A process in a session of its own, so that Ctrl-C on the terminal does not reach it."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(
        self, command: list[str], environment: dict[str, str], folder: Path
    ) -> asyncio.Future[str]:
        """Returns a future of its last words.

        Raises:
            SandboxUnavailable: the program cannot be started.
        """
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxUnavailable(f"Cannot start {command[0]}: {error.strerror}") from None
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._watching = asyncio.create_task(self._watch(self._process, ended))
        return ended

    async def kill(self) -> None:
        """Wait a little for it to end by itself, then kill it. Idempotent."""
        if self._process is None or self._watching is None:
            return
        await asyncio.wait({self._watching}, timeout=_GRACE_SECONDS)
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.wait({self._watching}, timeout=_GRACE_SECONDS)
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        self._process = self._watching = None

    @staticmethod
    async def _watch(process: asyncio.subprocess.Process, ended: asyncio.Future[str]) -> None:
        assert process.stderr is not None
        words = b""
        while data := await process.stderr.read(_KEPT_BYTES):
            words = (words + data)[-_KEPT_BYTES:]
        await process.wait()
        if not ended.done():
            ended.set_result(words.decode("utf-8", "replace").strip())
