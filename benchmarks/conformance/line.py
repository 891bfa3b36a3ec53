"""HTTP/1.1 over a socket: requests in, responses out, connections kept alive.

Covered: bodies with a length, `Expect: 100-continue`, requests that come before the last answer is out.
Not covered: chunked request bodies, upgrades, HTTP/2, TLS.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

__all__ = ["Asked", "Handler", "Line"]

_MOST_HEAD: Final = 64 * 1024


@dataclass(frozen=True)
class Asked:
    """One HTTP request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Their names in lower case."""
    body: bytes


Handler = Callable[[Asked, "Line"], Awaitable[None]]


class Line(asyncio.Protocol):
    """One connection. The handler of a request answers through it; one request is answered at a time."""

    def __init__(self, handler: Handler, on_open: Callable[[Line], None], on_close: Callable[[Line], None]):
        self._handler = handler
        self._on_open = on_open
        self._on_close = on_close
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._chunked = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._on_open(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone: whatever is being written to it ends."""
        self._transport = None
        self._room.set()
        if self._task is not None:
            self._task.cancel()
        self._on_close(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self._buffer += data
        self._next()

    def pause_writing(self) -> None:
        """The client does not read."""
        self._room.clear()

    def resume_writing(self) -> None:
        """It reads again."""
        self._room.set()

    # the handler's side

    async def whole(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A complete response."""
        self._write(self.head(status, kind, headers, length=len(body)) + body)
        await self._room.wait()

    def head(
        self, status: int, kind: str, headers: Mapping[str, str] | None = None, *, length: int | None = None
    ) -> bytes:
        """The head of a response; without a length it comes in chunks."""
        self._chunked = length is None
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Status"
        return f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}\r\n{framing}\r\n{more}\r\n".encode()

    async def send(self, data: bytes) -> None:
        """Write bytes as they are, and wait while the client has too many unread."""
        self._write(data)
        if not self._room.is_set():
            await self._room.wait()

    async def abandon(self) -> None:
        """Break the connection, and wait until its handler has ended."""
        task = self._task
        if self._transport is not None:
            self._transport.abort()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def close(self) -> None:
        """End the connection in the orderly way (FIN)."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Break the connection (RST). What was written and not yet sent is lost."""
        if self._transport is not None:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is None:
            raise ConnectionResetError("the client has gone")
        self._transport.write(data)

    def _next(self) -> None:
        """Begin with the next request, where one is complete and none is being answered."""
        if self._task is not None or self._transport is None:
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MOST_HEAD:
                self.close()
            return
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        if len(self._buffer) < end + 4 + length:
            if headers.get("expect", "").lower() == "100-continue" and len(self._buffer) == end + 4:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        method, _, rest = first.partition(" ")
        asked = Asked(method, rest.partition(" ")[0], headers, body)
        self._task = asyncio.get_running_loop().create_task(self._answer(asked))

    async def _answer(self, asked: Asked) -> None:
        try:
            await self._handler(asked, self)
        except ConnectionError:
            return
        except Exception:
            # A fault of this program's: the client is not left waiting, and asyncio reports it.
            self.close()
            raise
        finally:
            self._task = None
        if asked.headers.get("connection", "").lower() == "close":
            self.close()
        self._next()
