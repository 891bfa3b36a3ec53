"""Running the code of a run's replies."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Self

from tir_agent.agent.gate import Gate
from tir_agent.agent.observer import Observer
from tir_agent.agent.run import Run
from tir_agent.kernel.base import Sandbox, Session
from tir_agent.observation import observe
from tir_agent.prompts import Prompt
from tir_agent.protocols import Action
from tir_agent.settings import RunSettings
from tir_agent.trajectory import Cell, Execution, ExecutionError, ExecutionStatus

__all__ = ["Cells"]


class Cells:
    """Has a session of its own from the first code on, until the block is left.

    Not before: a model that thinks for minutes needs no kernel meanwhile, and others do.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        gate: Gate,
        run: Run,
        prompt: Prompt,
        settings: RunSettings,
        observer: Observer,
    ) -> None:
        self._sandbox = sandbox
        self._gate = gate
        self._run = run
        self._policy = prompt.observation
        self._settings = settings
        self._observer = observer
        self._session: Session | None = None
        self._places = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._session is not None:
                await self._session.close()
        finally:
            await self._places.aclose()

    async def run(self, action: Action) -> None:
        """Run the newest reply's code in order, up to the first failure; the rest is refused.

        Raises:
            SandboxError: no session could be had, or the sandbox went away.
        """
        not_run = ExecutionError(name="NotRun", message=self._policy.not_run, traceback=self._policy.not_run)
        failed = False
        for block in action.blocks:
            seconds = self._seconds()
            if failed:
                execution = Execution(status=ExecutionStatus.REFUSED, error=not_run)
            else:
                execution, seconds = await self._execute(block.code)
            failed = failed or execution.status is not ExecutionStatus.OK
            cell = Cell(
                code=block.code,
                start=block.start,
                end=block.end,
                call_id=block.call_id,
                execution=execution,
                shown=observe(execution, self._policy, seconds=seconds, packages=self._run.packages),
            )
            self._run.add_cell(cell)
            self._observer.cell_ended(cell)
        self._run.end_cells(malformed=action.malformed is not None or bool(action.bad_calls))

    def _seconds(self) -> float:
        left = self._settings.budget.max_seconds - self._run.seconds
        return max(min(self._settings.limits.cell_seconds, left), 0.1)

    async def _execute(self, code: str) -> tuple[Execution, float]:
        """What came of it, and the seconds that it was given."""
        session = self._session
        if session is None:
            await self._wait(self._places, self._gate.kernel())
            with self._run.kernel_time():
                session = self._session = await self._sandbox.session()
        async with AsyncExitStack() as place:
            await self._wait(place, self._gate.cell())
            seconds = self._seconds()
            self._observer.cell_started(code, session.interrupt)
            with self._run.kernel_time():
                return await session.execute(code, timeout=seconds), seconds

    async def _wait(self, stack: AsyncExitStack, place: AbstractAsyncContextManager[None]) -> None:
        with self._run.queue():
            await stack.enter_async_context(place)
