"""The host's side of the control connection to a jail's fork server (`sandbox/wire.py`).

The jail may end at any time; everyone who waits then gets `SandboxLost`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tir_agent.errors import SandboxLost, SandboxUnavailable
from tir_agent.grades import Comparison
from tir_agent.settings import Limits

__all__ = ["Channel", "Control", "Hello", "Prepared", "ServerLoad"]

# The server is warm after one or two seconds; a loaded machine gets much more.
START_SECONDS = 120.0
# Longer than any line that the fork server sends.
_LINE_BYTES = 1 << 20

# Branches are their session's user, whose processes and threads are limited together.
_KERNEL_THREADS = 8

_T = TypeVar("_T")


class Hello(BaseModel):
    """What the fork server says of itself."""

    model_config = ConfigDict(frozen=True)

    python: str
    packages: dict[str, str]


class Prepared(BaseModel):
    """Where a branch will listen and write, as the jail sees it; and what its processes are marked with."""

    model_config = ConfigDict(frozen=True)

    sockets: str
    home: str
    mark: str


class ServerLoad(BaseModel):
    """What a fork server says of its load; see `tir_agent.kernel.base.Load`."""

    model_config = ConfigDict(frozen=True)

    sessions: int
    processes: int
    resident_bytes: int
    server_seconds: float


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)

    event: str
    id: int = 0
    code: int = 0
    error: str = ""
    grade: str | None = None


_EVENTS = TypeAdapter(_Event)


class Channel:
    """What the fork server has said of one session or grading."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.error = ""
        """Why its kernel could not start, where it could not."""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.grades: asyncio.Queue[str | SandboxLost | None] = asyncio.Queue()
        """What a grader wrote, pair by pair; None when it ended."""
        self.prepared: asyncio.Future[Prepared] = asyncio.get_running_loop().create_future()
        self.load: asyncio.Future[ServerLoad] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.signals = 0
        """How many are under way."""
        self.quiet = asyncio.Event()
        """Set while none is."""
        self.quiet.set()

    def fail(self, error: SandboxLost) -> None:
        for future in (self.ready, self.exited, self.prepared, self.load, self.closed):
            if not future.done():
                future.set_exception(error)
                # Not everyone waits for everything: an error that nobody asks for is no leak.
                future.exception()
        self.grades.put_nowait(error)
        self.quiet.set()

    async def next_grade(self) -> str | None:
        """What the grader wrote of the next pair; None if it ended. Raises SandboxLost."""
        found = await self.grades.get()
        if isinstance(found, SandboxLost):
            raise found
        return found


class Control:
    """A connection to one fork server. `listen` first, then start the jail, then `wait_for_hello`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Host side of the folder that holds the sockets; the jail sees it as its runtime folder."""
        self.lost: SandboxLost | None = None
        self._numbers = itertools.count(1)
        self._channels: dict[int, Channel] = {}
        self._server: asyncio.Server | None = None
        self._connected: asyncio.Future[None] | None = None
        self._hello: asyncio.Future[Hello] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the fork server has said hello and not gone since."""
        return self.lost is None and self._hello is not None and self._hello.done()

    async def listen(self) -> None:
        """Bind the control socket. No user code runs yet, so any process that reaches it is the server."""
        loop = asyncio.get_running_loop()
        self._hello = loop.create_future()
        path = self.folder / "control.sock"
        self._server = await asyncio.start_unix_server(self._accept, path, limit=_LINE_BYTES)
        # The jail's user 0 has no power over the host user's files but what their modes give.
        path.chmod(0o666)

    async def wait_for_hello(self, jail_ended: asyncio.Future[str]) -> Hello:
        """Wait until the fork server is warm; from then on nobody else can connect.

        `jail_ended` resolves to the jail's last words if it ends by itself.

        Raises:
            SandboxUnavailable: the jail ended or did not report within two minutes.
        """
        assert self._hello is not None
        assert self._server is not None
        waiting: set[asyncio.Future[Any]] = {self._hello, jail_ended}
        done, _ = await asyncio.wait(waiting, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        self._server.close()
        (self.folder / "control.sock").unlink(missing_ok=True)
        if self._hello in done:
            # Nobody needs to look after the jail any more: the connection's end tells.
            jail_ended.cancel()
            try:
                return self._hello.result()
            except SandboxLost as error:
                raise SandboxUnavailable(error.message) from None
        if jail_ended in done:
            raise SandboxUnavailable(f"The sandbox ended while it started: {jail_ended.result()}")
        raise SandboxUnavailable(
            "The sandbox started but did not connect back",
            hint="Its folder must be on this machine: a remote Docker engine cannot reach it",
        )

    def open(
        self, folder: str, key: str, limits: Limits, *, count_processes: bool, rich: bool = False
    ) -> Channel:
        """Ask for a kernel whose sockets are in `folder`."""
        fields = {"folder": folder, "key": key, "rich": rich}
        return self._ask("open", {**fields, "limits": _wire_limits(limits, count_processes)})

    def branch(self, parent: Channel, folder: str) -> Channel:
        """Ask to make ready for a kernel that the kernel of `parent` will fork."""
        return self._ask("branch", {"of": parent.number, "folder": folder})

    def report(self) -> Channel:
        """Ask how much is going on."""
        return self._ask("report", {})

    def grade(self, pairs: Sequence[Comparison], limits: Limits, *, count_processes: bool) -> Channel:
        """Ask for comparisons, one after the other in one process."""
        asked = [pair.model_dump(mode="json") for pair in pairs]
        return self._ask("grade", {"pairs": asked, "limits": _wire_limits(limits, count_processes)})

    def signal(self, channel: Channel, number: int) -> None:
        """Send a signal to the kernel's process. It has come there once the channel is quiet again."""
        channel.signals += 1
        channel.quiet.clear()
        self._send({"op": "signal", "id": channel.number, "signal": int(number)})

    async def close_channel(self, channel: Channel) -> None:
        """Kill and clean up all that belongs to the channel. Raises nothing: a lost jail has ended it."""
        if self.lost is None:
            self._send({"op": "close", "id": channel.number})
        await asyncio.wait({channel.closed}, timeout=10)
        self._channels.pop(channel.number, None)

    async def disconnect(self) -> None:
        """Hang up: the fork server then kills every session and exits."""
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=1)
        self._lose("the sandbox was closed")

    def _ask(self, op: str, fields: Mapping[str, object]) -> Channel:
        if self.lost is not None:
            raise self.lost
        channel = Channel(next(self._numbers))
        self._channels[channel.number] = channel
        self._send({"op": op, "id": channel.number, **fields})
        return channel

    def _send(self, request: dict[str, object]) -> None:
        if self.lost is not None or self._writer is None:
            raise self.lost or SandboxLost("The sandbox is not connected")
        self._writer.write(json.dumps(request).encode() + b"\n")

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            writer.close()
            return
        self._writer = writer
        self._reading = asyncio.current_task()
        try:
            while line := await reader.readline():
                self._hear(line)
        except (ConnectionError, ValueError, ValidationError):
            pass
        finally:
            writer.close()
            self._lose("the sandbox ended")

    def _hear(self, line: bytes) -> None:
        assert self._hello is not None
        if not self._hello.done():
            self._hello.set_result(Hello.model_validate_json(line))
            return
        event = _EVENTS.validate_json(line)
        channel = self._channels.get(event.id)
        if channel is None:
            return
        match event.event:
            case "ready":
                _resolve(channel.ready, None)
            case "exited":
                channel.error = event.error
                _resolve(channel.exited, event.code)
            case "graded":
                channel.grades.put_nowait(event.grade)
            case "prepared":
                _resolve(channel.prepared, Prepared.model_validate_json(line))
            case "load":
                _resolve(channel.load, ServerLoad.model_validate_json(line))
                self._channels.pop(event.id, None)
            case "closed":
                _resolve(channel.exited, -int(signal.SIGKILL))
                _resolve(channel.closed, None)
            case "failed":
                channel.fail(SandboxLost(f"The sandbox could not start a process: {event.error}"))
            case "signalled":
                channel.signals -= 1
                if channel.signals <= 0:
                    channel.quiet.set()

    def _lose(self, why: str) -> None:
        if self.lost is not None:
            return
        self.lost = SandboxLost(f"The sandbox is gone: {why}")
        for channel in self._channels.values():
            channel.fail(self.lost)
        if self._hello is not None and not self._hello.done():
            self._hello.set_exception(self.lost)
            self._hello.exception()


def _resolve(future: asyncio.Future[_T], value: _T) -> None:
    if not future.done():
        future.set_result(value)


def _wire_limits(limits: Limits, count_processes: bool) -> dict[str, object]:
    return {
        "output_chars": limits.output_chars,
        "memory_bytes": limits.memory_bytes,
        "processes": limits.processes + _KERNEL_THREADS * limits.branches if count_processes else None,
        "open_files": limits.open_files,
        "file_bytes": limits.file_bytes,
        "cpus": limits.cpus,
    }
