"""What the agent asks of a sandbox, and what every backend promises (`tests/test_kernel_contract.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict

from tir_agent.execution import Execution
from tir_agent.grades import EQUALITY, GRADING_SECONDS, Comparison, Grade, GradingRule

__all__ = ["Load", "Sandbox", "SandboxInfo", "Session", "SessionOrigin", "Start"]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SandboxInfo(_Facts):
    """What a running sandbox is made of."""

    backend: str
    """docker, bubblewrap or local."""
    image: str | None
    """Id of the container image, or hash of the environment."""
    python: str
    packages: dict[str, str]


class Load(_Facts):
    """How much is going on in a sandbox."""

    jails: int
    """Containers, or their like."""
    sessions: int
    """Live kernels, those kept ready among them."""
    ready: int
    """Sessions that are kept ready for the next who asks."""
    processes: int
    """Processes in all jails: fork servers, kernels, and what their programs started."""
    resident_bytes: int
    """Their resident memory. Pages that processes share are counted for each."""
    server_seconds: float
    """Processor time of the fork servers themselves."""
    restarts: int
    """Times that a jail ended by itself and was replaced."""


class Start(StrEnum):
    """How a session came to the state with which it began."""

    FRESH = "fresh"
    """A new kernel: no state."""
    FORKED = "forked"
    """A copy of another session, taken from its memory."""
    REPLAYED = "replayed"
    """The cells of another session were run once more, and gave the same outputs."""


class SessionOrigin(_Facts):
    """Where a session comes from, for the record."""

    start: Start = Start.FRESH
    cells: int = 0
    """Cells of the other session that its state comes from."""
    reason: str | None = None
    """Why the other session could not be forked, where its cells were replayed."""


class Session(Protocol):
    """One live kernel with its own state. Not for concurrent use, but for `interrupt` and `close`."""

    @property
    def origin(self) -> SessionOrigin:
        """Where its first state came from."""

    async def execute(self, code: str, *, timeout: float) -> Execution:
        """Run one cell and wait for its end, at most `timeout` seconds and the limits' grace.

        Whatever the code does is returned, not raised: an exception, a time-out, a dead kernel. After
        a time-out that ended in a kill, or a death, the session has a fresh kernel and
        `state_lost` is set.

        Raises:
            SandboxLost: the sandbox itself went away, or the session was closed.
        """

    async def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the running cell, if there is one."""

    def names(self) -> Mapping[str, str]:
        """The names that the user's code has defined (at most 100), and the types of their values."""

    async def branch(self, n: int = 1, *, seeds: Sequence[int] | None = None) -> tuple[Session, ...]:
        """`n` sessions that go on from this one's state, and leave it as it is.

        The live process is forked: memory is shared until one of them writes, functions keep their
        globals, random generators their states. `seeds`, one for each branch, seeds `random`, NumPy's
        and SymPy's global generators instead. Where a process cannot be forked (its threads or its child
        processes are running, a pipe or a socket is open), the cells are run again in a fresh session and
        must give the same outputs; `origin` says so.

        Files of the session's folder are copied. Branches share this session's user and its limit on
        processes, and end by themselves or with the sandbox, not with this session.

        Raises:
            BranchRefused: neither was possible; says why.
            SandboxLost: the sandbox went away.
        """

    async def restart(self) -> None:
        """Go on with a fresh kernel: every name is gone.

        Raises:
            SandboxLost: the sandbox went away.
        """

    async def close(self) -> None:
        """End the kernel and everything it started. Idempotent."""


class Sandbox(Protocol):
    """A jail that holds kernels."""

    @property
    def info(self) -> SandboxInfo:
        """What it is made of."""

    async def session(self) -> Session:
        """A session with a fresh kernel. If the jail has ended by itself, a new one is started first.

        Raises:
            SandboxLost: there is no room for another, or no jail could be had.
        """

    async def grade(
        self, answer: str, gold: str, *, rule: GradingRule = EQUALITY, timeout: float = GRADING_SECONDS
    ) -> Grade:
        """Compare two answers inside the jail; past `timeout` seconds the verdict is `timeout`.

        Raises:
            SandboxLost: the sandbox went away.
        """

    async def grade_many(
        self, pairs: Sequence[Comparison], *, timeout: float = GRADING_SECONDS
    ) -> list[Grade]:
        """Compare many pairs, each for at most `timeout` seconds; the grades are in the pairs' order.

        A process compares several, which costs a fraction of a process for each. One that takes too long
        is killed, and the rest go on in another. What an answer could do to the process that reads it, it
        could do to the grades of those that follow it there.

        Raises:
            SandboxLost: the sandbox went away.
        """

    async def load(self) -> Load:
        """How much is going on."""

    async def close(self) -> None:
        """End every session and the jail. Idempotent."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...
