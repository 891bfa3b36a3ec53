"""What the server was asked and what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.faults import Fault
from conformance.requests import Request

__all__ = ["Log", "Record"]


@dataclass
class Record:
    """One request for a reply."""

    number: int
    """The first one is 1."""
    path: str
    body: Mapping[str, object]
    """As it came."""
    headers: Mapping[str, str]
    """Their names in lower case."""
    started: float
    """Seconds of the server's clock."""
    fault: Fault | None = None
    request: Request | None = None
    """What the server made of it; None where it was refused."""
    status: int | None = None
    """Of the answer; None where none was begun."""
    texts: tuple[str, ...] = ()
    """What was generated, one for each of `n`, whether or not it arrived."""
    tokens: int = 0
    """Generated."""
    completed: bool = False
    """The whole reply was sent."""
    left: bool = False
    """The client closed the connection before the end."""
    ended: float | None = None


@dataclass
class Log:
    """All requests for replies, in order; those for `/models` and the like are not in it."""

    records: list[Record] = field(default_factory=list)
    running: int = 0
    peak: int = 0
    """The most that ran at one time."""
    connections: int = 0
    """Opened so far."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while a request is being answered."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while none is."""

    @property
    def bodies(self) -> list[Mapping[str, object]]:
        """What was asked."""
        return [record.body for record in self.records]

    @property
    def completed(self) -> int:
        """Replies that were sent to their end."""
        return sum(record.completed for record in self.records)

    @property
    def per_second(self) -> float:
        """Requests in a second, from the first one's beginning to the last one's end."""
        ended = [record.ended for record in self.records if record.ended is not None]
        if not ended:
            return 0.0
        return len(ended) / max(max(ended) - self.records[0].started, 1e-9)

    def begin(self, record: Record) -> None:
        """A request has come."""
        self.records.append(record)
        self.running += 1
        self.peak = max(self.peak, self.running)
        self.begun.set()
        self.idle.clear()

    def end(self, record: Record, now: float) -> None:
        """It was answered, or cannot be any more."""
        self.running -= 1
        record.ended = now
        if not self.running:
            self.begun.clear()
            self.idle.set()
