"""What the agent asks of a sandbox, and what every backend promises (`tests/test_kernel_contract.py`)."""

from __future__ import annotations

from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict

from tir_agent.trajectory import Execution, Grade

__all__ = ["Sandbox", "SandboxInfo", "Session"]


class SandboxInfo(BaseModel):
    """What a running sandbox is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    """docker, bubblewrap or local."""
    image: str | None
    """Id of the container image, or hash of the environment."""
    python: str
    packages: dict[str, str]


class Session(Protocol):
    """One live kernel with its own state. Not for concurrent use, but for `interrupt`."""

    async def execute(self, code: str, *, timeout: float) -> Execution:
        """Run one cell and wait for its end, at most `timeout` seconds and the limits' grace.

        Whatever the code does is returned, not raised: an exception, a time-out, a dead kernel. After
        a time-out that ended in a kill, or a death, the session has a fresh kernel and
        `state_lost` is set.

        Raises:
            SandboxLost: the sandbox itself went away.
        """

    async def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the running cell, if there is one."""

    async def close(self) -> None:
        """End the kernel and everything it started. Idempotent."""


class Sandbox(Protocol):
    """A jail that holds kernels."""

    @property
    def info(self) -> SandboxInfo:
        """What it is made of."""

    async def session(self) -> Session:
        """Start a fresh kernel.

        Raises:
            SandboxLost: the sandbox went away.
        """

    async def grade(self, answer: str, gold: str, *, timeout: float) -> Grade:
        """Compare two answers inside the jail; past `timeout` seconds the verdict is `timeout`.

        Raises:
            SandboxLost: the sandbox went away.
        """

    async def close(self) -> None:
        """End every session and the jail. Idempotent."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...
