"""A client that reads HTTP and server-sent events byte by byte and forgives nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

DEADLINE = 20.0


@dataclass(frozen=True)
class Answer:
    """One response, complete."""

    status: int
    headers: Mapping[str, str]
    chunks: tuple[bytes, ...]
    """As HTTP framed them; one for a body with a length."""

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def lines(self) -> list[str]:
        return self.data.decode().splitlines()

    @property
    def done(self) -> bool:
        return self.lines[-2:] == ["data: [DONE]", ""]

    @property
    def events(self) -> list[Any]:
        """What the events hold; `[DONE]` and comments left out."""
        data = [line[6:] for line in self.lines if line.startswith("data: ")]
        return [json.loads(text) for text in data if text != "[DONE]"]

    def choices(self, index: int = 0) -> list[Any]:
        """One reply's part of the stream."""
        return [choice for event in self.events for choice in event["choices"] if choice["index"] == index]

    def text(self, field: str = "content", index: int = 0) -> str:
        """What the deltas of a chat spell."""
        return "".join(choice["delta"].get(field) or "" for choice in self.choices(index))

    @property
    def finish(self) -> Any:
        """The last choice."""
        return self.choices()[-1]


class RawClient:
    """One connection, kept alive."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self.seen = b""
        """The bodies' bytes so far."""

    async def __aenter__(self) -> Self:
        assert self._address.hostname is not None
        self.reader, self.writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def ask(
        self,
        body: object = None,
        *,
        path: str = "/v1/chat/completions",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read the whole answer.

        Raises:
            ConnectionResetError, asyncio.IncompleteReadError: the answer broke off.
            TimeoutError: it did not end.
        """
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", "Host: here"]
        lines += [
            f"Content-Length: {len(data)}",
            *(f"{key}: {value}" for key, value in (headers or {}).items()),
        ]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        async with asyncio.timeout(DEADLINE):
            return await self._read()

    async def _read(self) -> Answer:
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        chunks = []
        if "content-length" in headers:
            chunks.append(await self.reader.readexactly(int(headers["content-length"])))
        else:
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                chunks.append(await self.reader.readexactly(size))
                self.seen += chunks[-1]
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        return Answer(int(first.split()[1]), headers, tuple(chunks))


async def ask(url: str, body: object = None, **more: Any) -> Answer:
    """One request over a connection of its own."""
    async with RawClient(url) as client:
        return await client.ask(body, **more)
