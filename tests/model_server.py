"""A real HTTP server that answers as OpenAI-compatible servers do, and fails in every way that they do.

    async with ModelServer(drops("Hel"), says("Hello")) as server: ...

The first request gets the first act, the next one the next; the last act is for all that follow.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

Act = Callable[["Reply"], Awaitable[None]]

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


class Drop(Exception):
    """Break the connection now."""


class Reply:
    """The answer to one request, written piece by piece."""

    def __init__(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        self._writer = writer
        self.body = body
        self._open = False

    async def status(self, code: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        lines = {"Content-Type": "application/json", "Content-Length": str(len(data)), "Connection": "close"}
        self._head(code, lines | (headers or {}))
        self._writer.write(data)
        await self._writer.drain()

    async def raw(self, data: bytes) -> None:
        """Bytes of an event stream."""
        if not self._open:
            self._open = True
            headers = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
            self._head(200, headers | {"Connection": "close"})
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()

    async def event(self, data: object) -> None:
        await self.raw(sse(data))

    async def end(self, *, done: bool = True) -> None:
        if done:
            await self.raw(b"data: [DONE]\n\n")
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def _head(self, code: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {code} Status", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())


def sse(data: object) -> bytes:
    """One server-sent event, with non-ASCII characters as they are."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def chunk(content: str | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    """One chunk; `more` goes into its choice, and `delta_...` into the choice's delta."""
    delta: dict[str, object] = {"content": content} if content is not None else {}
    delta |= {key[6:]: more.pop(key) for key in list(more) if key.startswith("delta_")}
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}],
    }


def _ending(finish: str | None, more: dict[str, object]) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": finish, **more}]}


def text_chunk(text: str, finish: str | None = None, **more: object) -> dict[str, object]:
    """One chunk of a raw completion; `more` goes into its choice."""
    choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None, **more}
    return {"object": "text_completion", "choices": [choice]}


def call_chunk(*pieces: dict[str, object]) -> dict[str, object]:
    """One chunk with pieces of tool calls; `name` and `arguments` of a piece go into its function."""
    calls = []
    for piece in pieces:
        function = {key: piece[key] for key in ("name", "arguments") if key in piece}
        rest = {key: value for key, value in piece.items() if key not in function}
        calls.append({"type": "function", **rest, "function": function})
    return chunk(delta_tool_calls=calls)


def counts(usage: object = USAGE) -> dict[str, object]:
    """The last chunk, with the token counts."""
    return {"object": "chat.completion.chunk", "choices": [], "usage": usage}


def says(*pieces: str, finish: str | None = "stop", usage: bool = True, **more: object) -> Act:
    """A good reply; `more` goes into the choice that says why it ended."""
    return events(*(chunk(piece) for piece in pieces), _ending(finish, more), *([counts()] if usage else []))


def events(*chunks: object, done: bool = True) -> Act:
    """These events, and the end of the stream."""

    async def act(reply: Reply) -> None:
        for data in chunks:
            await reply.event(data)
        await reply.end(done=done)

    return act


def split_at(size: int, *chunks: object) -> Act:
    """These events as a stream of bytes that is cut without regard for characters, lines or events."""

    async def act(reply: Reply) -> None:
        stream = b"".join(sse(data) for data in chunks)
        for start in range(0, len(stream), size):
            await reply.raw(stream[start : start + size])
        await reply.end()

    return act


def raw(data: bytes) -> Act:
    """These bytes in the place of events."""

    async def act(reply: Reply) -> None:
        await reply.raw(data)
        await reply.end()

    return act


def drops(*pieces: str) -> Act:
    """The connection breaks after these pieces."""

    async def act(reply: Reply) -> None:
        for piece in pieces:
            await reply.event(chunk(piece))
        raise Drop

    return act


def stalls(*chunks: object) -> Act:
    """Nothing more comes after these events, and the connection stays."""

    async def act(reply: Reply) -> None:
        for data in chunks:
            await reply.event(data)
        await asyncio.Event().wait()

    return act


def never_stops(piece: str = "again ") -> Act:
    """The same piece for ever, whatever was asked for."""

    async def act(reply: Reply) -> None:
        while True:
            await reply.event(chunk(piece))

    return act


def fails(code: int, error: object = None, **headers: str) -> Act:
    """An HTTP error; underscores in the names of headers stand for hyphens."""
    body = {"error": error if error is not None else {"message": "no"}}

    async def act(reply: Reply) -> None:
        await reply.status(code, body, {name.replace("_", "-"): value for name, value in headers.items()})

    return act


def page(text: str, kind: str = "text/html") -> Act:
    """Something that is not a stream, with status 200."""

    async def act(reply: Reply) -> None:
        await reply.status(200, text, {"Content-Type": kind})

    return act


def refuses(name: str, **error: object) -> Act:
    """A server that refuses requests with the field `name`, and answers those without it."""

    async def act(reply: Reply) -> None:
        if name in reply.body:
            refusal = {"message": "no", "param": name, "code": "unsupported_parameter", **error}
            await reply.status(400, {"error": refusal})
        else:
            await says("fine")(reply)

    return act


class ModelServer:
    """The server; `requests` holds the bodies of what it was asked, `headers` what came with them, and
    `paths` where they went: `/chat/completions` or `/completions`."""

    def __init__(
        self,
        *acts: Act,
        models: list[dict[str, object]] | None = None,
        props: dict[str, object] | None = None,
    ) -> None:
        self.acts = acts or (says("fine"),)
        self.models = [{"id": "m"}] if models is None else models
        self.props = props
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.broken = 0
        """Requests whose client went away before they were answered."""
        self.asked = asyncio.Event()
        """Set when the first request for a reply has come."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def idle(self) -> None:
        """Wait until every connection has ended."""
        await asyncio.gather(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._answer(reader, writer)
            writer.close()
            await writer.wait_closed()
        except Drop:
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.broken += 1
            writer.transport.abort()
        except asyncio.CancelledError:
            # Not passed on: asyncio's own callback would report it as an error of this server.
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        body = json.loads(await reader.readexactly(length)) if length else {}
        reply = Reply(writer, body)
        path = first.split()[1]
        if path == "/v1/models":
            if self.models:
                await reply.status(200, {"object": "list", "data": self.models})
            else:
                await reply.status(404, {"detail": "Not Found"})
        elif path == "/props" and self.props is not None:
            await reply.status(200, self.props)
        elif path in {"/v1/chat/completions", "/v1/completions"}:
            act = self.acts[min(len(self.requests), len(self.acts) - 1)]
            self.requests.append(body)
            self.headers.append(headers)
            self.paths.append(path.removeprefix("/v1"))
            self.asked.set()
            watch = asyncio.ensure_future(reader.read())
            work = asyncio.ensure_future(act(reply))
            try:
                await asyncio.wait({watch, work}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    raise ConnectionResetError
                await work
            finally:
                for future in (watch, work):
                    future.cancel()
                await asyncio.gather(watch, work, return_exceptions=True)
        else:
            await reply.status(404, {"detail": "Not Found"})
