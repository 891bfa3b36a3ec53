"""How the bytes of an answer reach the client: in time, or as a fault has it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.faults import (
    Drip,
    Ends,
    ErrorEvent,
    Fault,
    NoDone,
    Reset,
    SplitBytes,
    Stall,
    TruncatedEvent,
)
from conformance.line import Line
from conformance.replies import encode

__all__ = ["EVENT_STREAM", "Events", "Pace", "deliver", "deliver_whole", "never"]

EVENT_STREAM: Final = "text/event-stream"
_LAST: Final = b"0\r\n\r\n"
_RANDOM_SIZES: Final = (1, 24)


@dataclass(frozen=True)
class Pace:
    """How fast the model writes, in seconds."""

    first: float = 0.0
    """Until the first event."""
    between: float = 0.0
    """From one event to the next. Events without a pause between them leave in one write."""
    comment_every: float = 0.2
    """Between comments while the first event is waited for."""


@dataclass(frozen=True)
class Events:
    """The stream of one answer."""

    frames: Sequence[bytes]
    """Each one event."""
    finish: int
    """How many come before the first one with a finish reason."""
    comment: bytes | None = None


async def deliver(
    line: Line, events: Events, pace: Pace, fault: Fault | None, headers: Mapping[str, str]
) -> bool:
    """Send a stream; whether the whole reply was sent."""
    head = line.head(200, EVENT_STREAM, headers)
    if events.comment is not None:
        head = await _comments(line, head + _chunk(events.comment), events.comment, pace)
    elif pace.first:
        await asyncio.sleep(pace.first)
    frames, between = events.frames, pace.between
    after = 0
    if isinstance(fault, Stall | Reset | Ends | TruncatedEvent | ErrorEvent):
        after = min(fault.after, events.finish)
    match fault:
        case None:
            pass
        case SplitBytes():
            return await _send_split(line, head, b"".join(frames), fault)
        case Drip():
            between = fault.seconds
        case NoDone():
            frames = frames[:-1]
        case Stall():
            await _send(line, head, frames[:after], between)
            await never()
        case Reset() | Ends(complete=False):
            half = frames[after][: len(frames[after]) // 2] if isinstance(fault, Reset) else b""
            await _send(line, head, [*frames[:after], half] if half else frames[:after], between)
            await asyncio.sleep(0)
            line.reset() if isinstance(fault, Reset) else line.close()
            return False
        case Ends():
            await _send(line, head, frames[:after], between, _LAST)
            return False
        case TruncatedEvent():
            half = frames[after][: len(frames[after]) // 2]
            await _send(line, head, [*frames[:after], half + b"\n\n"], between, _LAST)
            return False
        case ErrorEvent():
            await _send(line, head, [*frames[:after], _error(fault)], between, _LAST)
            return False
        case _:
            pass
    await _send(line, head, frames, between, _LAST)
    return True


async def deliver_whole(
    line: Line, body: bytes, pace: Pace, fault: Fault | None, headers: Mapping[str, str]
) -> bool:
    """Send a reply that is not streamed; whether all of it was sent."""
    if pace.first:
        await asyncio.sleep(pace.first)
    head = line.head(200, "application/json", headers, length=len(body))
    half = body[: len(body) // 2]
    match fault:
        case SplitBytes():
            await line.send(head)
            for piece in _cut(body, fault):
                await line.send(piece)
                await asyncio.sleep(0)
        case Drip():
            await asyncio.sleep(fault.seconds)
            await line.send(head + body)
        case Stall():
            await line.send(head + half)
            await never()
        case Reset() | Ends(complete=False):
            await line.send(head + half)
            await asyncio.sleep(0)
            line.reset() if isinstance(fault, Reset) else line.close()
            return False
        case Ends() | TruncatedEvent():
            await line.whole(200, half, headers=headers)
            return False
        case ErrorEvent():
            await line.whole(fault.status, _error(fault)[len(b"data: ") :], headers=headers)
            return False
        case _:
            await line.send(head + body)
    return True


async def never() -> None:
    """Wait until the client goes."""
    await asyncio.Event().wait()


async def _send(line: Line, head: bytes, frames: Sequence[bytes], between: float, last: bytes = b"") -> None:
    if not between:
        await line.send(b"".join([head, *map(_chunk, frames), last]))
        return
    for number, frame in enumerate(frames):
        if number:
            await asyncio.sleep(between)
        await line.send(head + _chunk(frame))
        head = b""
    await line.send(head + last)


async def _comments(line: Line, first: bytes, comment: bytes, pace: Pace) -> bytes:
    """Send the head with a comment at once and a comment now and then; the head that is left to send."""
    await line.send(first)
    wait = pace.first
    while wait > 0:
        await asyncio.sleep(min(pace.comment_every, wait))
        wait -= pace.comment_every
        if wait > 0:
            await line.send(_chunk(comment))
    return b""


async def _send_split(line: Line, head: bytes, stream: bytes, fault: SplitBytes) -> bool:
    await line.send(head)
    for piece in _cut(stream, fault):
        await line.send(_chunk(piece))
        # Each piece is a segment of its own, so that the client reads it alone.
        await asyncio.sleep(0)
    await line.send(_LAST)
    return True


def _cut(stream: bytes, fault: SplitBytes) -> Iterator[bytes]:
    chance = random.Random(fault.seed)
    start = 0
    while start < len(stream):
        size = fault.size or chance.randint(*_RANDOM_SIZES)
        yield stream[start : start + size]
        start += size


def _error(fault: ErrorEvent) -> bytes:
    error = {"message": "the engine died while it wrote", "type": "error", "code": fault.status}
    return b"data: " + encode({"error": error}).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
