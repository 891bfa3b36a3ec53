"""The control connection between the host and the fork server: one JSON object a line.

The host's side of it is `tir_agent/kernel/control.py`. Only the fork server, which runs no user code,
holds the connection.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

MAX_GRADE_BYTES = 64 * 1024
BOUND = b"."
"""What a kernel's process writes to its pipe when its sockets are bound."""


@dataclass(frozen=True)
class Limits:
    """What one session may use; see `tir_agent.settings.Limits`."""

    output_chars: int
    memory_bytes: int
    processes: int | None
    """None where the limit would count processes that are not the session's."""
    open_files: int
    file_bytes: int
    cpus: int
    """Processors that its processes may run on."""


@dataclass(frozen=True)
class Open:
    """Start a kernel. `folder` (a plain name) gets its sockets, `key` signs its messages."""

    id: int
    folder: str
    key: str
    limits: Limits
    rich: bool
    """For a notebook: all forms of what is shown, and a heartbeat."""


@dataclass(frozen=True)
class Branch:
    """Prepare for a kernel that the kernel `of` will fork. `folder` as for `Open`."""

    id: int
    of: int
    folder: str


@dataclass(frozen=True)
class Comparison:
    """Two answers, and the fields of `tir_agent.grades.GradingRule`."""

    answer: str
    gold: str
    rule: dict[str, Any]


@dataclass(frozen=True)
class Grade:
    """Compare answers, pair by pair. The host ends it with `Close` when one takes too long."""

    id: int
    pairs: tuple[Comparison, ...]
    limits: Limits


@dataclass(frozen=True)
class Signal:
    """Send a signal to the kernel's process."""

    id: int
    signal: int


@dataclass(frozen=True)
class Close:
    """End a session or a grading, whatever state it is in."""

    id: int


@dataclass(frozen=True)
class Report:
    """Tell how much is going on."""

    id: int


Request = Open | Branch | Grade | Signal | Close | Report


@dataclass(frozen=True)
class Hello:
    """The server is warm."""

    python: str
    packages: dict[str, str]


@dataclass(frozen=True)
class Prepared:
    """What a branch needs to know: where its sockets and its files go, and its mark."""

    id: int
    sockets: str
    home: str
    mark: str


@dataclass(frozen=True)
class Load:
    """How much is going on; see `tir_agent.kernel.base.Load`."""

    id: int
    sessions: int
    processes: int
    resident_bytes: int
    server_seconds: float


@dataclass(frozen=True)
class Ready:
    """A kernel's sockets are bound."""

    id: int


@dataclass(frozen=True)
class Exited:
    """A kernel's or grader's process ended; `code` is negative for a signal.

    `error` is the traceback of a kernel that could not start.
    """

    id: int
    code: int
    error: str


@dataclass(frozen=True)
class Closed:
    """Everything that belonged to the session is gone."""

    id: int


@dataclass(frozen=True)
class Graded:
    """What the grader wrote of the next pair, as it stands: it evaluates hostile text. None: it ended."""

    id: int
    grade: str | None


@dataclass(frozen=True)
class Signalled:
    """The signal has been sent, or there was nobody to send it to."""

    id: int


@dataclass(frozen=True)
class Failed:
    """There could be no process for the session or the grading; nothing of it is left."""

    id: int
    error: str


Event = Hello | Prepared | Load | Ready | Exited | Closed | Graded | Signalled | Failed

_REQUESTS: dict[str, type[Open | Branch | Grade | Signal | Close | Report]] = {
    "open": Open,
    "branch": Branch,
    "report": Report,
    "grade": Grade,
    "signal": Signal,
    "close": Close,
}


def parse_request(line: bytes) -> Request:
    """Read a request of the host's, which is trusted to be well-formed."""
    fields = json.loads(line)
    kind = _REQUESTS[fields.pop("op")]
    if "limits" in fields:
        fields["limits"] = Limits(**fields["limits"])
    if "pairs" in fields:
        fields["pairs"] = tuple(Comparison(**pair) for pair in fields["pairs"])
    return kind(**fields)


def encode(event: Event) -> bytes:
    """An event as a line."""
    fields = {"event": type(event).__name__.lower(), **dataclasses.asdict(event)}
    return json.dumps(fields).encode() + b"\n"
