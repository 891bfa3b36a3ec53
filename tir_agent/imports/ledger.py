"""The account of an import: everything that was read, and what became of it. Plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tir_agent.imports.reading import Refused
from tir_agent.imports.recording import Recording

__all__ = ["Ledger"]

_KEPT: Final = 20
"""Refused rows, and conflicts, that are named."""


@dataclass
class Ledger:
    """Counts while rows are read."""

    read: int = 0
    """Rows, and lines that are none."""
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By reason."""
    examples: list[Refused] = field(default_factory=list)
    """The first ones that were refused."""
    conflicts: list[str] = field(default_factory=list)
    """The first problems whose samples have different gold answers, a sentence each."""
    conflicting: int = 0
    """Rows with another gold answer than the first row of their problem."""
    systems: Counter[str] = field(default_factory=Counter)
    noted: int = 0
    """Trajectories with something guessed beyond what is guessed of all."""
    right: int = 0
    """The source says that it is right."""
    wrong: int = 0
    unlabelled: int = 0
    replies: int = 0
    cells: Counter[str] = field(default_factory=Counter)
    """By status."""
    _labels: dict[str, set[bool]] = field(default_factory=dict)

    @property
    def problems(self) -> int:
        """Different ones."""
        return len(self._labels)

    @property
    def with_both(self) -> int:
        """Problems with right and wrong samples, by the source's labels."""
        return sum(len(labels) == 2 for labels in self._labels.values())

    def refuse(self, refused: Refused) -> None:
        """Count a row of which nothing was made."""
        self.refused[refused.reason] += 1
        if len(self.examples) < _KEPT:
            self.examples.append(refused)

    def accept(self, recording: Recording) -> None:
        """Count one that becomes a trajectory."""
        self.accepted += 1
        self.systems[recording.system] += 1
        self.noted += bool(recording.notes)
        self.right += recording.label is True
        self.wrong += recording.label is False
        self.unlabelled += recording.label is None
        self.replies += len(recording.turns)
        self.cells.update(cell.execution.status.value for turn in recording.turns for cell in turn.cells)
        labels = self._labels.setdefault(recording.problem.id, set())
        if recording.label is not None:
            labels.add(recording.label)

    def conflict(self, recording: Recording, first: str | None) -> None:
        """Count one whose gold answer is not that of its problem's first sample."""
        self.conflicting += 1
        if len(self.conflicts) < _KEPT:
            problem = recording.problem
            self.conflicts.append(
                f"{problem.source}: the gold answer is {problem.gold!r} here and {first!r} where the problem "
                "first stands, which was kept"
            )
