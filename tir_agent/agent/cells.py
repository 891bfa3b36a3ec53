"""Running the code of one reply."""

from __future__ import annotations

from tir_agent.agent.observer import Observer
from tir_agent.agent.run import Run
from tir_agent.kernel.base import Session
from tir_agent.observation import observe
from tir_agent.prompts import Prompt
from tir_agent.protocols import Action
from tir_agent.settings import RunSettings
from tir_agent.trajectory import Cell, Execution, ExecutionError, ExecutionStatus

__all__ = ["run_cells"]


async def run_cells(
    run: Run, session: Session, action: Action, prompt: Prompt, settings: RunSettings, observer: Observer
) -> None:
    """Run the reply's code in order, up to the first failure; the rest is refused."""
    policy = prompt.observation
    not_run = ExecutionError(name="NotRun", message=policy.not_run, traceback=policy.not_run)
    failed = False
    for block in action.blocks:
        left = settings.budget.max_seconds - run.seconds
        seconds = max(min(settings.limits.cell_seconds, left), 0.1)
        if failed:
            execution = Execution(status=ExecutionStatus.REFUSED, error=not_run)
        else:
            observer.cell_started(block.code, session.interrupt)
            with run.kernel_time():
                execution = await session.execute(block.code, timeout=seconds)
        failed = failed or execution.status is not ExecutionStatus.OK
        cell = Cell(
            code=block.code,
            start=block.start,
            end=block.end,
            call_id=block.call_id,
            execution=execution,
            shown=observe(execution, policy, seconds=seconds, packages=run.packages),
        )
        run.add_cell(cell)
        observer.cell_ended(cell)
    run.end_cells(malformed=action.malformed is not None or bool(action.bad_calls))
