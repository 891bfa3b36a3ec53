"""tir-agent's own sandboxes. What the installed version does not have yet is left out, with a note."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

from tir_agent import settings
from tir_agent.errors import TirError
from tir_agent.kernel.base import Sandbox, Session
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice, Limits
from tir_agent.trajectory import ExecutionStatus

from rivals.base import SECONDS, NotMeasured

__all__ = ["TirProgram", "TirRival", "per_container", "per_session"]


class TirProgram:
    """A session of a sandbox."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def run(self, code: str) -> str:
        try:
            execution = await self.session.execute(code, timeout=SECONDS)
        except TirError as error:
            raise NotMeasured(error.message) from None
        if execution.status is not ExecutionStatus.OK:
            raise NotMeasured(f"a cell ended with {execution.status}: {execution.error}")
        return execution.stdout

    async def close(self) -> None:
        async with asyncio.timeout(SECONDS):
            await self.session.close()

    async def branch(self) -> TirProgram:
        """A copy of the session with all its state."""
        branch = getattr(self.session, "branch", None)
        if branch is None:
            raise NotMeasured("this version of tir-agent has no branches")
        async with asyncio.timeout(SECONDS):
            (copy,) = await branch(1)
        return TirProgram(copy)


class TirRival:
    """A sandbox of tir-agent's."""

    keeps_state = True

    def __init__(self, name: str, choice: KernelChoice, isolation: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.isolation = isolation
        self.refills = "pool" in options
        self._choice = choice
        self._options = options
        self._sandbox: Sandbox | None = None

    async def start(self) -> None:
        missing = sorted(set(self._options) - set(inspect.signature(open_sandbox).parameters))
        if missing:
            raise NotMeasured(f"this version of tir-agent has no option {', '.join(missing)}")
        try:
            self._sandbox = await open_sandbox(self._choice, Limits(), **self._options)
        except TirError as error:
            raise NotMeasured(error.message) from None

    async def open(self) -> TirProgram:
        assert self._sandbox is not None
        try:
            async with asyncio.timeout(SECONDS):
                return TirProgram(await self._sandbox.session())
        except TirError as error:
            raise NotMeasured(error.message) from None

    async def close(self) -> None:
        if self._sandbox is not None:
            sandbox, self._sandbox = self._sandbox, None
            async with asyncio.timeout(SECONDS):
                await sandbox.close()


def per_session() -> dict[str, Any]:
    """Options of `open_sandbox`: one jail holds all sessions."""
    isolation = getattr(settings, "Isolation", None)
    return {"isolation": isolation.SESSION} if isolation else {}


def per_container(pool: int) -> dict[str, Any]:
    """Options of `open_sandbox`: a container for each session, `pool` of them ready ahead of demand."""
    isolation = getattr(settings, "Isolation", None)
    return {"isolation": isolation.CONTAINER if isolation else None, "pool": pool}
