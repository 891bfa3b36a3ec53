"""tir-agent's own sandboxes."""

from __future__ import annotations

import asyncio

from tir_agent.errors import TirError
from tir_agent.kernel.base import Sandbox, Session
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import Isolation, KernelChoice, Limits
from tir_agent.trajectory import ExecutionStatus

from rivals.base import SECONDS, NotMeasured

__all__ = ["TirProgram", "TirRival"]


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
        async with asyncio.timeout(SECONDS):
            (copy,) = await self.session.branch(1)
        return TirProgram(copy)


class TirRival:
    """A sandbox of tir-agent's."""

    keeps_state = True

    def __init__(
        self,
        name: str,
        choice: KernelChoice,
        told: str,
        *,
        isolation: Isolation = Isolation.SESSION,
        pool: int = 1,
    ) -> None:
        """`told` is what the table says of the isolation; `pool` sessions are kept ready."""
        self.name = name
        self.isolation = told
        self.refills = pool > 1
        self._choice = choice
        self._own = isolation
        self._pool = pool
        self._sandbox: Sandbox | None = None

    async def start(self) -> None:
        try:
            self._sandbox = await open_sandbox(self._choice, Limits(), isolation=self._own, pool=self._pool)
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
