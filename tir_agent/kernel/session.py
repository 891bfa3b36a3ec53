"""A session of a jail: one live kernel after the other, spoken to in the Jupyter protocol."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from queue import Empty
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient

from tir_agent.errors import BranchRefused, SandboxLost
from tir_agent.kernel.base import SessionOrigin, Start
from tir_agent.kernel.cell import collect, request
from tir_agent.kernel.outputs import Outputs
from tir_agent.kernel.prefix import Prefix
from tir_agent.kernel.process import Ground, KernelProcess
from tir_agent.trajectory import Execution, ExecutionError, ExecutionStatus

__all__ = ["JailSession"]

# A dead kernel's last messages are already in the sockets' buffers.
_LAST_WORDS_SECONDS = 0.2
# A fork takes milliseconds, but for a process that has filled its memory.
_BRANCH_SECONDS = 30.0
_CLOSED = "The session is closed"


class JailSession:
    """Its kernel is replaced when it dies or cannot be interrupted."""

    def __init__(
        self, ground: Ground, origin: SessionOrigin | None = None, prefix: Prefix | None = None
    ) -> None:
        self._ground = ground
        self.origin = origin or SessionOrigin()
        self.on_close: Callable[[JailSession], Awaitable[None]] | None = None
        self.on_open: Callable[[JailSession], None] = lambda session: None
        """Called with each branch."""
        self._process: KernelProcess | None = None
        self._client: AsyncKernelClient | None = None
        self._running = False
        self._closed = False
        self._names: Mapping[str, str] = {}
        self._prefix = prefix or Prefix()
        self._family: set[JailSession] = {self}
        """This session, its branches, and theirs."""

    async def start(self) -> None:
        """Fork a kernel and connect to it; returns when it would run a cell at once.

        Raises:
            SandboxLost: the jail went away, or no kernel came up within a minute.
        """
        await self._settle(await KernelProcess.start(self._ground))

    @property
    def is_alive(self) -> bool:
        """Whether its kernel would run a cell."""
        process = self._process
        return not self._closed and process is not None and not process.ended.done()

    async def execute(self, code: str, *, timeout: float) -> Execution:
        if not timeout > 0:
            raise ValueError(f"a time-out of {timeout} seconds")
        process, client = self._open()
        if refusal := self._refusal(code):
            error = ExecutionError(name="Refused", message=refusal, traceback=refusal)
            return Execution(status=ExecutionStatus.REFUSED, error=error)
        execution = await self._run(process, client, code, timeout)
        self._prefix.add(code, timeout, execution)
        return execution

    async def _run(
        self, process: KernelProcess, client: AsyncKernelClient, code: str, timeout: float
    ) -> Execution:
        start = time.monotonic()
        outputs = Outputs(self._ground.limits.output_chars)
        message = client.execute(code, allow_stdin=False, stop_on_error=False)
        collecting = asyncio.ensure_future(collect(client, message, outputs))
        self._running = True
        try:
            ended = await _ended(collecting, process, timeout)
            status: ExecutionStatus | None = None
            if not ended and not process.ended.done():
                status = ExecutionStatus.TIMEOUT
                process.signal(signal.SIGINT)
                ended = await _ended(collecting, process, self._ground.limits.grace_seconds)
            await process.signalled()
            if process.ended.done():
                ended, status = False, status or ExecutionStatus.DIED
                await asyncio.wait({collecting}, timeout=_LAST_WORDS_SECONDS)
        finally:
            self._running = False
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
        if self._closed:
            raise SandboxLost(_CLOSED)
        if process.ended.done():
            process.ended.result()
        duration = time.monotonic() - start
        if not ended:
            lost, self._names = self._names, {}
            if process.verdict is not None:
                outputs.blame(process.verdict)
            await self._end_kernel()
            await self.start()
            return outputs.execution(status, duration, lost_names=tuple(lost))
        self._names = outputs.names or {}
        return outputs.execution(status, duration)

    async def interrupt(self) -> None:
        if self._running and self._process is not None:
            self._process.signal(signal.SIGINT)

    def names(self) -> Mapping[str, str]:
        return dict(self._names)

    async def branch(self, n: int = 1, *, seeds: Sequence[int] | None = None) -> tuple[JailSession, ...]:
        if n < 1:
            raise ValueError(f"{n} branches: there must be at least one")
        if seeds is not None and len(seeds) != n:
            raise ValueError(f"{n} branches with {len(seeds)} seeds")
        if any(not isinstance(seed, int) for seed in seeds or ()):
            raise TypeError("seeds are integers")
        self._open()
        limit = self._ground.limits.branches
        if self._branches + n > limit:
            raise BranchRefused(
                f"A session may have {limit} branches at a time, and {self._branches} are open",
                hint="Limits.branches",
            )
        refusal = None
        branches: list[JailSession] = []
        try:
            refusal = await self._fork(n, seeds, branches)
            if refusal is not None:
                for number in range(n):
                    branches.append(await self._replay(refusal, seeds[number] if seeds else None))
        except BaseException:
            await asyncio.gather(*(branch.close() for branch in branches))
            raise
        for branch in branches:
            branch._family = self._family
            self._family.add(branch)
            branch.on_close, branch.on_open = self.on_close, self.on_open
            self.on_open(branch)
        return tuple(branches)

    @property
    def _branches(self) -> int:
        """How many sessions beside this one are of the same user."""
        return len(self._family - {self})

    async def _fork(self, n: int, seeds: Sequence[int] | None, branches: list[JailSession]) -> str | None:
        """Fork the live kernel into `branches`; returns why it cannot be, where it cannot."""
        process, _ = self._open()
        each: Sequence[int | None] = seeds or [None] * n
        born: list[KernelProcess] = []
        try:
            fields = []
            for seed in each:
                branch, at = await KernelProcess.prepare_branch(process)
                born.append(branch)
                fields.append({**at.model_dump(), "key": branch.key, "seed": seed})
            reply = await self._ask("tir_branch_request", {"branches": fields})
            if reply.get("status") != "ok":
                return str(reply.get("reason", "the kernel refused"))[:500]
            origin = SessionOrigin(start=Start.FORKED, cells=len(self._prefix))
            for branch in list(born):
                await branch.wait_until_bound()
                session = JailSession(self._ground, origin, self._prefix.copy())
                session._names = self._names
                branches.append(session)
                born.remove(branch)
                await session._settle(branch)
        finally:
            for branch in born:
                await branch.end()
        return None

    async def _replay(self, reason: str, seed: int | None) -> JailSession:
        """A fresh session that has run the same cells, with the same outputs."""
        origin = SessionOrigin(start=Start.REPLAYED, cells=len(self._prefix), reason=reason)
        session = JailSession(self._ground, origin)
        try:
            await session.start()
            await self._prefix.replay(lambda code, timeout: session.execute(code, timeout=timeout))
            if seed is not None:
                await session._ask("tir_seed_request", {"seed": seed})
        except BranchRefused as error:
            await session.close()
            raise BranchRefused(f"The session cannot be branched: {reason}; and {error.message}") from None
        except BaseException:
            await session.close()
            raise
        return session

    async def _ask(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        process, client = self._open()
        asking = asyncio.ensure_future(request(client, kind, content))
        waiting: set[asyncio.Future[Any]] = {asking, process.ended}
        await asyncio.wait(waiting, timeout=_BRANCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return {"status": "error", "reason": "the kernel did not answer"}

    async def restart(self) -> None:
        self._open()
        await self._end_kernel()
        self._names = {}
        self._prefix = Prefix()
        await self.start()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._family.discard(self)
        await self._end_kernel()
        if self.on_close is not None:
            await self.on_close(self)

    def _open(self) -> tuple[KernelProcess, AsyncKernelClient]:
        if self._closed:
            raise SandboxLost(_CLOSED)
        if self._ground.control.lost is not None:
            raise self._ground.control.lost
        if self._process is None or self._client is None:
            raise SandboxLost(_CLOSED)
        return self._process, self._client

    def _refusal(self, code: str) -> str | None:
        try:
            size = len(code.encode())
        except UnicodeEncodeError:
            return "The code is not valid Unicode text, so it was not run."
        limit = self._ground.limits.cell_bytes
        if size > limit:
            return f"The code has {size:,} bytes; {limit:,} is the most, so it was not run."
        return None

    async def _settle(self, process: KernelProcess) -> None:
        """Make a kernel whose sockets are bound this session's."""
        self._process = process
        try:
            self._client = await process.connect()
        except BaseException:
            await self._end_kernel()
            raise

    async def _end_kernel(self) -> None:
        client, self._client = self._client, None
        process, self._process = self._process, None
        if client is not None:
            with contextlib.suppress(zmq.ZMQError, Empty):
                client.stop_channels()
        if process is not None:
            await process.end()


async def _ended(collecting: asyncio.Future[None], process: KernelProcess, timeout: float) -> bool:
    """Whether the cell came to its end; False if its time passed or its kernel ended first."""
    waiting: set[asyncio.Future[Any]] = {collecting, process.ended}
    await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    return collecting.done()
