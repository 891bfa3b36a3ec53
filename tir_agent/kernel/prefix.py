"""The cells that a session has run: what a branch has to repeat where it cannot be forked."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tir_agent.errors import BranchRefused
from tir_agent.trajectory import Execution, ExecutionStatus

__all__ = ["Prefix"]

_REPEATABLE = {ExecutionStatus.OK, ExecutionStatus.ERROR}


@dataclass(frozen=True)
class _Cell:
    code: str
    timeout: float
    outcome: str
    """Hash of its outputs."""
    status: ExecutionStatus


@dataclass
class Prefix:
    """In the order in which they ran, since the kernel was fresh."""

    cells: list[_Cell] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.cells)

    def copy(self) -> Prefix:
        return Prefix(list(self.cells))

    def add(self, code: str, timeout: float, execution: Execution) -> None:
        """Note a cell that was run."""
        if execution.state_lost:
            self.cells.clear()
        else:
            self.cells.append(_Cell(code, timeout, _outcome(execution), execution.status))

    async def replay(self, execute: Callable[[str, float], Awaitable[Execution]]) -> None:
        """Run all of them again.

        Raises:
            BranchRefused: one was stopped at its time limit, or its outputs are others now.
        """
        for number, cell in enumerate(self.cells, start=1):
            if cell.status not in _REPEATABLE:
                raise BranchRefused(f"Cell {number} was stopped at its time limit, so it cannot be repeated")
            if _outcome(await execute(cell.code, cell.timeout)) != cell.outcome:
                raise BranchRefused(f"Cell {number} gave other outputs when it was run again")


def _outcome(execution: Execution) -> str:
    error = execution.error and (execution.error.name, execution.error.message)
    shown = (execution.status, execution.stdout, execution.stderr, execution.result, error)
    return hashlib.sha256(repr(shown).encode("utf-8", "backslashreplace")).hexdigest()
