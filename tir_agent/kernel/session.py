"""One live kernel in a jail, spoken to in the Jupyter protocol."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from queue import Empty
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient

from tir_agent.errors import SandboxLost
from tir_agent.kernel.control import Channel, Control, new_key
from tir_agent.kernel.outputs import Outputs
from tir_agent.settings import Limits
from tir_agent.trajectory import Execution, ExecutionError, ExecutionStatus

__all__ = ["JailSession"]

_START_SECONDS = 60.0
# A dead kernel's last messages are already in the sockets' buffers.
_LAST_WORDS_SECONDS = 0.2


class JailSession:
    """A session of a jail. Its kernel is replaced when it dies or cannot be interrupted."""

    def __init__(
        self, control: Control, context: zmq.asyncio.Context, limits: Limits, *, count_processes: bool
    ) -> None:
        self._control = control
        self._context = context
        self._limits = limits
        self._count_processes = count_processes
        self._channel: Channel | None = None
        self._client: AsyncKernelClient | None = None
        self._running = False
        self._closed = False
        self._names: tuple[str, ...] = ()

    async def start(self) -> None:
        """Fork a kernel and connect to it; returns when it would run a cell at once.

        Raises:
            SandboxLost: the jail went away, or no kernel came up within a minute.
        """
        folder, key = secrets.token_hex(8), new_key()
        channel = self._control.open(folder, key, self._limits, count_processes=self._count_processes)
        self._channel = channel
        waiting: set[asyncio.Future[Any]] = {channel.ready, channel.exited}
        await asyncio.wait(waiting, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not channel.ready.done():
            reason = channel.error.strip().rpartition("\n")[2] or "no answer"
            await self._end_kernel()
            raise SandboxLost(f"The sandbox did not start a kernel: {reason}")
        channel.ready.result()
        self._client = await self._connect(folder, key)

    async def execute(self, code: str, *, timeout: float) -> Execution:
        if self._closed or self._client is None or self._channel is None:
            raise SandboxLost("The session is closed")
        if refusal := self._refusal(code):
            error = ExecutionError(name="Refused", message=refusal, traceback=refusal)
            return Execution(status=ExecutionStatus.REFUSED, error=error)
        start = time.monotonic()
        outputs = Outputs()
        message = self._client.execute(code, allow_stdin=False, stop_on_error=True)
        collecting = asyncio.ensure_future(self._collect(self._client, message, outputs))
        self._running = True
        try:
            ended = await self._ended(collecting, timeout)
            status: ExecutionStatus | None = None
            if not ended and not self._channel.exited.done():
                status = ExecutionStatus.TIMEOUT
                self._control.interrupt(self._channel)
                ended = await self._ended(collecting, self._limits.grace_seconds)
            if self._channel.exited.done():
                self._channel.exited.result()
                ended, status = False, status or ExecutionStatus.DIED
                await asyncio.wait({collecting}, timeout=_LAST_WORDS_SECONDS)
        finally:
            self._running = False
            if not collecting.done():
                collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
        duration = time.monotonic() - start
        if not ended:
            lost, self._names = self._names, ()
            await self._end_kernel()
            await self.start()
            return outputs.execution(status, duration, lost_names=lost)
        collecting.result()
        self._names = outputs.names or ()
        return outputs.execution(status, duration)

    async def interrupt(self) -> None:
        if self._running and self._channel is not None:
            self._control.interrupt(self._channel)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._end_kernel()

    def _refusal(self, code: str) -> str | None:
        try:
            size = len(code.encode())
        except UnicodeEncodeError:
            return "The code is not valid Unicode text, so it was not run."
        if size > self._limits.cell_bytes:
            return f"The code has {size:,} bytes; {self._limits.cell_bytes:,} is the most, so it was not run."
        return None

    async def _connect(self, folder: str, key: str) -> AsyncKernelClient:
        client = AsyncKernelClient(context=self._context)
        client.load_connection_info(
            {
                "transport": "ipc",
                "ip": str(self._control.folder / folder / "k"),
                "shell_port": 1,
                "iopub_port": 2,
                "stdin_port": 3,
                "control_port": 4,
                "hb_port": 5,
                "key": key,
                "signature_scheme": "hmac-sha256",
            }
        )
        client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)  # noqa: S604
        try:
            async with asyncio.timeout(_START_SECONDS):
                # Nothing is lost from here on: the kernel has seen the subscription.
                while (await client.get_iopub_msg())["msg_type"] != "iopub_welcome":
                    pass
        except TimeoutError:
            client.stop_channels()
            raise SandboxLost("The sandbox's kernel does not answer") from None
        return client

    async def _ended(self, collecting: asyncio.Future[None], timeout: float) -> bool:
        """Whether the cell came to its end; False if its time passed or its kernel ended first."""
        assert self._channel is not None
        waiting: set[asyncio.Future[Any]] = {collecting, self._channel.exited}
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return collecting.done()

    @staticmethod
    async def _collect(client: AsyncKernelClient, message: str, outputs: Outputs) -> None:
        """Hear the cell out: it has ended when the shell has replied *and* iopub says idle."""

        async def hear_iopub() -> None:
            while True:
                heard = await client.get_iopub_msg()
                # A late message of an earlier cell belongs to that one, and is too late.
                if heard["parent_header"].get("msg_id") != message:
                    continue
                if heard["msg_type"] == "status" and heard["content"].get("execution_state") == "idle":
                    return
                outputs.add(heard["msg_type"], heard["content"])

        async def hear_shell() -> None:
            while True:
                heard = await client.get_shell_msg()
                if heard["parent_header"].get("msg_id") == message:
                    outputs.reply(heard["content"])
                    return

        async with asyncio.TaskGroup() as group:
            group.create_task(hear_iopub())
            group.create_task(hear_shell())

    async def _end_kernel(self) -> None:
        if self._client is not None:
            with contextlib.suppress(zmq.ZMQError, Empty):
                self._client.stop_channels()
            self._client = None
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await self._control.close_channel(channel)
