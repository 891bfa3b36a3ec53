"""The model of the benchmark: a server that answers every request after the same time, and knows the replies.

    python benchmarks/orchestration_server.py [--latency 0.2] [--bursts 4] [--port 0]

Prints its port, serves on 127.0.0.1 until its standard input ends, and takes little of the machine:
`/v1/chat/completions`, streamed or not, on connections that are kept; `/stats`; nothing else. The name of
the model is the form of the replies. A streamed reply has an event for each four characters, about a token;
they come in bursts at even distances, the last of which ends the reply when the time is over. Standard
library alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from functools import lru_cache
from typing import Any

from orchestration_task import Form, Say, task, task_in

__all__ = ["Stats", "serve"]

_TOKEN_CHARS = 4
_BACKLOG = 1024
_HEAD_END = b"\r\n\r\n"


class Stats:
    """What the server has done so far."""

    def __init__(self) -> None:
        self.requests = 0
        self.open_now = 0
        self.most_open = 0
        self.connections = 0
        self.late = 0.0
        """Seconds by which answers left later than they should, in sum: the server's own share of a delay."""

    def as_json(self) -> bytes:
        return json.dumps({**vars(self), "cpu": time.process_time()}).encode()


class Connection(asyncio.Protocol):
    """One client; a request is answered before the next one is read."""

    def __init__(self, stats: Stats, latency: float, bursts: int) -> None:
        self._stats = stats
        self._latency = latency
        self._bursts = bursts
        self._heard = bytearray()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._pending: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._stats.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._pending:
            timer.cancel()
        if self._pending:
            self._stats.open_now -= 1

    def data_received(self, data: bytes) -> None:
        self._heard += data
        end = self._heard.find(_HEAD_END)
        if end < 0:
            return
        head = self._heard[:end].decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        start = end + len(_HEAD_END)
        length = int(headers.get("content-length", 0))
        if len(self._heard) < start + length:
            return
        body = bytes(self._heard[start : start + length])
        del self._heard[: start + length]
        self._answer(first.split()[1], body)

    def _answer(self, path: str, body: bytes) -> None:
        if path == "/stats":
            self._transport.write(_plain(self._stats.as_json()))
        elif path == "/v1/chat/completions":
            self._complete(json.loads(body))
        else:
            self._transport.write(_plain(b'{"error": {"message": "no such page"}}', "404 Not Found"))

    def _complete(self, request: dict[str, Any]) -> None:
        stats, now = self._stats, self._loop.time()
        stats.requests += 1
        stats.open_now += 1
        stats.most_open = max(stats.most_open, stats.open_now)
        form = Form(request["model"])
        say, key = _reply(form, request["messages"])
        if request.get("stream"):
            parts = _stream(form, say, key, self._bursts)
        else:
            parts = (_plain(json.dumps(_whole(form, say, key)).encode()),)
        due = [now + self._latency * (number + 1) / len(parts) for number in range(len(parts))]
        last = len(parts) - 1
        self._pending = [
            self._loop.call_at(when, self._send, part, when, number == last)
            for number, (part, when) in enumerate(zip(parts, due, strict=True))
        ]

    def _send(self, part: bytes, due: float, is_last: bool) -> None:
        self._transport.write(part)
        if is_last:
            self._pending = []
            self._stats.open_now -= 1
            self._stats.late += self._loop.time() - due


def _reply(form: Form, messages: list[dict[str, Any]]) -> tuple[Say, str]:
    """The next reply of a conversation, and a name for it."""
    turn = sum(message["role"] == "assistant" for message in messages)
    asked = next((t for m in messages if m["role"] == "user" and (t := task_in(_text(m)))), None)
    if asked is None:
        return Say("There is no task here."), "none"
    return asked.reply(form, turn, _text(messages[-1])), f"{asked.number}-{turn}"


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def _usage(say: Say) -> dict[str, int]:
    tokens = -(-len(say.text) // _TOKEN_CHARS)
    return {"prompt_tokens": 400, "completion_tokens": tokens, "total_tokens": 400 + tokens}


def _whole(form: Form, say: Say, key: str) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": say.text}
    if say.tool is not None:
        function = {"name": say.tool, "arguments": _arguments(say)}
        message["tool_calls"] = [{"id": f"call-{key}", "type": "function", "function": function}]
    return {
        "id": f"reply-{key}",
        "object": "chat.completion",
        "created": 0,
        "model": form.value,
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(say)}],
        "usage": _usage(say),
    }


@lru_cache(maxsize=4096)
def _stream(form: Form, say: Say, key: str, bursts: int) -> tuple[bytes, ...]:
    """The whole answer, head included, in as many parts as there are bursts."""
    shared = {"id": f"reply-{key}", "object": "chat.completion.chunk", "created": 0, "model": form.value}

    def event(delta: dict[str, object], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _framed(json.dumps({**shared, "choices": [choice]}))

    events = [event({"role": "assistant", "content": ""})]
    events += [event({"content": token}) for token in _tokens(say.text)]
    if say.tool is not None:
        call = {"index": 0, "id": f"call-{key}", "type": "function"}
        events.append(event({"tool_calls": [{**call, "function": {"name": say.tool, "arguments": ""}}]}))
        pieces = [{"index": 0, "function": {"arguments": token}} for token in _tokens(_arguments(say))]
        events += [event({"tool_calls": [piece]}) for piece in pieces]
    events.append(event({}, _finish(say)))
    events.append(_framed(json.dumps({**shared, "choices": [], "usage": _usage(say)})))
    events.append(_framed("[DONE]"))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    size = -(-len(events) // bursts)
    parts = [b"".join(events[at : at + size]) for at in range(0, len(events), size)]
    return head + parts[0], *parts[1:-1], parts[-1] + b"0\r\n\r\n"


def _arguments(say: Say) -> str:
    return json.dumps({say.argument: say.value})


def _finish(say: Say) -> str:
    return "stop" if say.tool is None else "tool_calls"


def _tokens(text: str) -> list[str]:
    return [text[at : at + _TOKEN_CHARS] for at in range(0, len(text), _TOKEN_CHARS)]


def _framed(data: str) -> bytes:
    event = f"data: {data}\n\n".encode()
    return f"{len(event):x}\r\n".encode() + event + b"\r\n"


def _plain(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(latency: float, bursts: int, port: int = 0) -> None:
    """Serve until the standard input ends: whoever started this has ended then. Port 0 is a free one."""
    loop, stats = asyncio.get_running_loop(), Stats()
    task(0)
    server = await loop.create_server(
        lambda: Connection(stats, latency, bursts), "127.0.0.1", port, backlog=_BACKLOG
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--latency", type=float, default=0.2, help="seconds from a request to its reply's end"
    )
    parser.add_argument("--bursts", type=int, default=4, help="in which a streamed reply comes")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.latency, arguments.bursts, arguments.port))


if __name__ == "__main__":
    main()
