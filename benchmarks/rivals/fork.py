"""The floor: a bare `os.fork` of a warm process, without a kernel and without any isolation.

The process is warm by the sandbox's own `warm.py`, in the sandbox's own environment, so what a session
costs beyond this is the price of a Jupyter kernel and of its jail.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from pathlib import Path

from tir_agent.assets import sandbox_dir
from tir_agent.errors import SandboxUnavailable
from tir_agent.kernel import environment
from tir_agent.kernel.local import fork_server_environment

from rivals.base import SECONDS, NotMeasured

__all__ = ["ForkRival"]

_SERVER = Path(__file__).with_name("fork_server.py")
_LINE_BYTES = 1 << 20


class ForkProgram:
    """The connection to a forked child."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def run(self, code: str) -> str:
        self._writer.write(json.dumps(code).encode() + b"\n")
        async with asyncio.timeout(SECONDS):
            line = await self._reader.readline()
        if not line:
            raise NotMeasured("the forked process ended")
        return str(json.loads(line))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(SECONDS):
                await self._writer.wait_closed()


class ForkRival:
    """`fork_server.py` as a child of this process."""

    name = "bare warm fork (the floor)"
    isolation = "none"
    keeps_state = True
    refills = False

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def start(self) -> None:
        try:
            python = await asyncio.to_thread(environment.ensure)
        except SandboxUnavailable as error:
            raise NotMeasured(error.message) from None
        self._folder = tempfile.TemporaryDirectory(prefix="kernel-speed-")
        self._process = await asyncio.create_subprocess_exec(
            str(python.python),
            "-P",
            str(_SERVER),
            str(self._socket),
            env=fork_server_environment(python.folder) | {"PYTHONPATH": str(sandbox_dir())},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS):
            if not await self._process.stdout.readline():
                raise NotMeasured("the process to fork from ended while it warmed up")

    @property
    def _socket(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "s"

    async def open(self) -> ForkProgram:
        async with asyncio.timeout(SECONDS):
            return ForkProgram(*await asyncio.open_unix_connection(self._socket, limit=_LINE_BYTES))

    async def close(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            async with asyncio.timeout(SECONDS):
                await process.wait()
        if self._folder is not None:
            self._folder.cleanup()
