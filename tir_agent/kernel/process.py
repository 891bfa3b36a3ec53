"""One kernel's process in a jail: how it comes to life, is reached, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo

from tir_agent.errors import SandboxLost
from tir_agent.kernel.control import Channel, Control, Prepared
from tir_agent.settings import Limits

__all__ = ["Ground", "KernelProcess"]

_START_SECONDS = 60.0
# A kernel greets at once. That it does not is rare, and not to be waited for.
_GREETING_SECONDS = 2.0


@dataclass(frozen=True)
class Ground:
    """What a kernel stands on: a jail, as far as it concerns one."""

    control: Control
    context: zmq.asyncio.Context
    limits: Limits
    count_processes: bool


class KernelProcess:
    """A kernel that the fork server, or another kernel, forks."""

    def __init__(self, ground: Ground, channel: Channel, folder: str, key: str) -> None:
        self._ground = ground
        self._channel = channel
        self._folder = folder
        self.key = key
        self.ended: asyncio.Future[int] = channel.exited

    @classmethod
    async def start(
        cls, ground: Ground, *, folder: str | None = None, key: str | None = None, rich: bool = False
    ) -> KernelProcess:
        """Fork a kernel; returns when its sockets are bound.

        Its sockets are in `folder`, its messages signed with `key`, or it has its own. A `rich` one is for
        notebooks.

        Raises:
            SandboxLost: the jail went away, or no kernel came up within a minute.
        """
        folder, key = folder or secrets.token_hex(8), key or secrets.token_hex(32)
        channel = ground.control.open(
            folder, key, ground.limits, count_processes=ground.count_processes, rich=rich
        )
        process = cls(ground, channel, folder, key)
        await process.wait_until_bound()
        return process

    @classmethod
    async def prepare_branch(cls, parent: KernelProcess) -> tuple[KernelProcess, Prepared]:
        """Ask the fork server to make ready for a fork of `parent`.

        Raises:
            SandboxLost: the jail went away, or has no room for another.
        """
        folder, key = secrets.token_hex(8), secrets.token_hex(32)
        ground = parent._ground
        channel = ground.control.branch(parent._channel, folder)
        process = cls(ground, channel, folder, key)
        try:
            async with asyncio.timeout(_START_SECONDS):
                return process, await channel.prepared
        except BaseException as error:
            await process.end()
            if isinstance(error, TimeoutError):
                raise SandboxLost("The sandbox does not answer") from None
            raise

    @property
    def folder(self) -> Path:
        """Where its sockets are, on the host."""
        return self._ground.control.folder / self._folder

    @property
    def connection(self) -> KernelConnectionInfo:
        """Jupyter connection information."""
        return {
            "transport": "ipc",
            "ip": str(self.folder / "k"),
            "key": self.key,
            "signature_scheme": "hmac-sha256",
            # The sockets' numbers, as in sandbox/channels.py.
            "shell_port": 1,
            "iopub_port": 2,
            "stdin_port": 3,
            "control_port": 4,
            "hb_port": 5,
        }

    async def wait_until_bound(self) -> None:
        """Until it can be connected to. Ends it if it cannot.

        Raises:
            SandboxLost: the jail went away, or the kernel did not come up within a minute.
        """
        channel = self._channel
        waiting: set[asyncio.Future[Any]] = {channel.ready, channel.exited}
        try:
            await asyncio.wait(waiting, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not channel.ready.done():
                reason = channel.error.strip().rpartition("\n")[2] or "no answer"
                raise SandboxLost(f"The sandbox did not start a kernel: {reason}")
            channel.ready.result()
        except BaseException:
            await self.end()
            raise

    async def connect(self) -> AsyncKernelClient:
        """A client of its shell and its outputs. Nothing that it sends from now on is missed.

        Raises:
            SandboxLost: it does not answer within a minute.
        """
        client = AsyncKernelClient(context=self._ground.context)
        client.load_connection_info(self.connection)
        client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)  # noqa: S604
        try:
            async with asyncio.timeout(_START_SECONDS):
                await _subscribed(client)
        except TimeoutError:
            client.stop_channels()
            raise SandboxLost("The sandbox's kernel does not answer") from None
        except BaseException:
            client.stop_channels()
            raise
        return client

    @property
    def verdict(self) -> str | None:
        """Why the fork server ended it, where it did."""
        return self._channel.error or None

    def signal(self, number: int) -> None:
        """Send a signal; it has come there once `signalled` returns."""
        with contextlib.suppress(SandboxLost):
            self._ground.control.signal(self._channel, number)

    async def signalled(self) -> None:
        """Until no signal is under way, at most for ten seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await self._channel.quiet.wait()

    async def end(self) -> None:
        """Kill it with everything it started, and remove what it wrote. Raises nothing."""
        await self._ground.control.close_channel(self._channel)


async def _subscribed(client: AsyncKernelClient) -> None:
    """Until outputs arrive: the kernel greets a subscription, or answers when it is asked."""
    while True:
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                # Whatever it is, it has come on that channel.
                await client.get_iopub_msg()
                return
        except TimeoutError:
            client.kernel_info()
