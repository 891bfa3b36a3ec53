"""Everything that goes wrong between a client and a server, and what a correct client makes of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

__all__ = [
    "PASSING",
    "UNHARMFUL",
    "BadStatus",
    "Context",
    "Drip",
    "Ends",
    "ErrorEvent",
    "Fault",
    "Faults",
    "FinishMissing",
    "Hangs",
    "HtmlPage",
    "NoDone",
    "Outcome",
    "Plan",
    "Reset",
    "SplitBytes",
    "Stall",
    "TooMany",
    "TruncatedEvent",
    "UsageWithFinish",
    "WaitForm",
    "at_random",
    "no_faults",
]


class Outcome(Enum):
    """What a correct client ends with when one request meets the fault, and later ones do not."""

    UNAFFECTED = auto()
    """The reply, from this one request."""
    RETRIED = auto()
    """The reply, from another request."""
    REFUSED = auto()
    """An error that says that the server, or what was sent, is wrong; no other request."""
    OVERFLOW = auto()
    """An error that says that the prompt is too long; no other request."""


@dataclass(frozen=True)
class SplitBytes:
    """The stream is cut without regard for events, lines or characters. Harmless by the SSE standard."""

    size: int | None = None
    """Bytes each; None for random sizes."""
    seed: int = 0
    outcome: Outcome = Outcome.UNAFFECTED


@dataclass(frozen=True)
class Drip:
    """Every event comes this many seconds after the one before."""

    seconds: float = 0.05
    outcome: Outcome = Outcome.UNAFFECTED


@dataclass(frozen=True)
class NoDone:
    """The stream ends without `[DONE]`, after the finish reason."""

    outcome: Outcome = Outcome.UNAFFECTED


@dataclass(frozen=True)
class FinishMissing:
    """`finish_reason` is null to the end, and then come the counts and `[DONE]`."""

    outcome: Outcome = Outcome.UNAFFECTED


@dataclass(frozen=True)
class UsageWithFinish:
    """The counts come in the chunk with the finish reason and in no other."""

    outcome: Outcome = Outcome.UNAFFECTED


class WaitForm(Enum):
    """How a server says how long to wait."""

    NOT = auto()
    SECONDS = auto()
    """`Retry-After: 2`"""
    DATE = auto()
    """`Retry-After: Wed, 21 Oct 2026 07:28:00 GMT`"""
    MILLISECONDS = auto()
    """`Retry-After-Ms: 1500`, as OpenAI and Azure send beside the other"""


@dataclass(frozen=True)
class TooMany:
    """429 with a wish how long to wait."""

    form: WaitForm = WaitForm.SECONDS
    wait: float = 1.0
    """Seconds; the first two forms know whole ones only."""
    outcome: Outcome = Outcome.RETRIED


@dataclass(frozen=True)
class BadStatus:
    """A server or the proxy before it fails: 500, 502, 503, 504, 529."""

    status: int = 500
    html: bool = False
    """The body is a page of the proxy's."""
    outcome: Outcome = Outcome.RETRIED


@dataclass(frozen=True)
class Hangs:
    """Nothing is answered at all, and the connection stays open."""

    outcome: Outcome = Outcome.RETRIED


@dataclass(frozen=True)
class Stall:
    """Nothing more comes after some events, and the connection stays open."""

    after: int = 2
    outcome: Outcome = Outcome.RETRIED


@dataclass(frozen=True)
class Reset:
    """The connection is reset (RST) in the middle of an event."""

    after: int = 2
    outcome: Outcome = Outcome.RETRIED


@dataclass(frozen=True)
class Ends:
    """The stream ends early: the connection is closed (FIN), or the response is even complete as HTTP."""

    after: int = 2
    complete: bool = False
    outcome: Outcome = Outcome.RETRIED


@dataclass(frozen=True)
class TruncatedEvent:
    """An event has half of its JSON."""

    after: int = 2
    outcome: Outcome = Outcome.RETRIED


@dataclass(frozen=True)
class ErrorEvent:
    """An error object in the middle of a stream, where the status can no longer be changed."""

    status: int = 500
    after: int = 2

    @property
    def outcome(self) -> Outcome:
        """4xx would be the same the next time; the rest may pass."""
        return Outcome.REFUSED if 400 <= self.status < 500 and self.status != 429 else Outcome.RETRIED


@dataclass(frozen=True)
class HtmlPage:
    """A web page with status 200: the address is that of something else, or a login stands before it."""

    outcome: Outcome = Outcome.REFUSED


@dataclass(frozen=True)
class Context:
    """The context has this many tokens for this request, counted by the server's own tokenizer."""

    tokens: int = 8
    outcome: Outcome = Outcome.OVERFLOW


Fault = (
    SplitBytes
    | Drip
    | NoDone
    | FinishMissing
    | UsageWithFinish
    | TooMany
    | BadStatus
    | Hangs
    | Stall
    | Reset
    | Ends
    | TruncatedEvent
    | ErrorEvent
    | HtmlPage
    | Context
)

Faults = Callable[[int], Fault | None]
"""Which fault a request meets, by its number; the first one is 1."""

PASSING: Final[tuple[Fault, ...]] = (
    TooMany(wait=0.0),
    TooMany(WaitForm.MILLISECONDS, 0.01),
    BadStatus(500),
    BadStatus(502, html=True),
    BadStatus(503),
    BadStatus(529),
    Reset(0),
    Reset(2),
    Ends(1),
    Ends(2, complete=True),
    TruncatedEvent(1),
    ErrorEvent(500, 1),
)
"""Those that pass with another request, at once: none that a client needs patience for."""

UNHARMFUL: Final[tuple[Fault, ...]] = (
    SplitBytes(1),
    SplitBytes(7),
    SplitBytes(),
    NoDone(),
    UsageWithFinish(),
    Drip(0.002),
)
"""Those that a correct client does not notice."""


@dataclass(frozen=True)
class Plan:
    """Faults by the number of the request."""

    faults: Mapping[int, Fault] = field(default_factory=dict)

    def __call__(self, number: int) -> Fault | None:
        """The fault of request `number`."""
        return self.faults.get(number)

    @classmethod
    def of(cls, *faults: Fault | None) -> Plan:
        """The first request meets the first one, and so on; None is for a request that goes well."""
        return cls({number: fault for number, fault in enumerate(faults, 1) if fault is not None})

    @classmethod
    def burst(cls, fault: Fault, count: int, *, start: int = 1) -> Plan:
        """The same fault `count` times from request `start` on."""
        return cls(dict.fromkeys(range(start, start + count), fault))


def no_faults(number: int) -> Fault | None:
    """Every request goes well."""
    return None


def at_random(seed: int, rate: float, faults: Sequence[Fault] = PASSING) -> Faults:
    """A share `rate` of the requests meets one of these; the same ones for the same seed."""

    def fault(number: int) -> Fault | None:
        chance = random.Random(f"{seed}/{number}")
        return chance.choice(faults) if chance.random() < rate else None

    return fault
