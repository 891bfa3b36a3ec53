"""What evaluation keeps of a trajectory: one small row, so that a hundred thousand fit in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from sys import intern
from typing import Final

from tir_agent.grades import GradingRule, Verdict
from tir_agent.trajectory import ExecutionStatus, StopReason, Trajectory

__all__ = ["APART", "Intake", "Result", "reduce"]

APART: Final = frozenset({StopReason.ERROR, StopReason.INTERRUPTED})
"""How runs end that say nothing about the model."""
_PLAIN: Final = GradingRule()


@dataclass(frozen=True, slots=True)
class Result:
    """One trajectory, reduced. What it spent includes starts that were given up."""

    problem: str
    arm: str
    index: int
    stop: StopReason
    verdict: Verdict | None = None
    """None where there was no gold answer, or nothing was graded."""
    answer: str | None = None
    subject: str | None = None
    level: str | None = None
    rule: GradingRule | None = None
    """None for the rule that every problem has that says nothing else."""
    turns: int = 0
    cut: int = 0
    """Replies of which a part was cut off: output that the model invented, text after its code, or a
    repetition."""
    cells: int = 0
    errors: int = 0
    """Cells that raised; time-outs, deaths and refusals are counted on their own."""
    timeouts: int = 0
    died: int = 0
    refused: int = 0
    recovered: bool = False
    """A cell ran without an error after one that had failed."""
    completion_tokens: int = 0
    prompt_tokens: int = 0
    seconds: float = 0.0
    model_seconds: float = 0.0
    kernel_seconds: float = 0.0
    cost: float | None = None
    currency: str | None = None
    reward: float | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        """Unique in a run."""
        return self.problem, self.arm, self.index

    @property
    def scored(self) -> bool:
        """Whether it enters rates: the machinery did not fail, and there is a verdict."""
        return self.stop not in APART and self.verdict is not None

    @property
    def correct(self) -> bool:
        """Whether it is known to be right; ungradable and timed-out comparisons are not."""
        return self.verdict is Verdict.CORRECT

    @property
    def undecided(self) -> bool:
        """Whether the grader could not tell."""
        return self.verdict in {Verdict.UNGRADABLE, Verdict.TIMEOUT}

    @property
    def failed_cells(self) -> int:
        """Cells that did not end well, whatever the reason."""
        return self.errors + self.timeouts + self.died + self.refused


def reduce(trajectory: Trajectory, *, index: int = 0, reward: float | None = None) -> Result:
    """The row of one trajectory; `index` is for those that have no `sample`."""
    problem, sample = trajectory.problem, trajectory.sample
    statuses = [cell.execution.status for turn in trajectory.turns for cell in turn.cells]
    counts = Counter(statuses)
    failed = [number for number, status in enumerate(statuses) if status is not ExecutionStatus.OK]
    usage, timings = trajectory.usage, trajectory.timings
    return Result(
        problem=intern(problem.id),
        arm=intern(sample.arm if sample else trajectory.settings.model),
        index=sample.index if sample else index,
        stop=trajectory.stop,
        verdict=trajectory.grade.verdict if trajectory.grade else None,
        answer=trajectory.answer,
        subject=intern(problem.subject) if problem.subject is not None else None,
        level=intern(problem.level) if problem.level is not None else None,
        rule=problem.rule if problem.rule != _PLAIN else None,
        turns=len(trajectory.turns),
        cut=sum(turn.kept < len(turn.completion.text) for turn in trajectory.turns),
        cells=len(statuses),
        errors=counts[ExecutionStatus.ERROR],
        timeouts=counts[ExecutionStatus.TIMEOUT],
        died=counts[ExecutionStatus.DIED],
        refused=counts[ExecutionStatus.REFUSED],
        recovered=bool(failed) and ExecutionStatus.OK in statuses[failed[0] :],
        completion_tokens=usage.completion_tokens,
        prompt_tokens=usage.prompt_tokens,
        seconds=timings.duration,
        model_seconds=timings.model,
        kernel_seconds=timings.kernel,
        cost=usage.cost.amount if usage.cost else None,
        currency=intern(usage.cost.currency) if usage.cost else None,
        reward=reward,
    )


@dataclass
class Intake:
    """Takes trajectories one by one and keeps their rows, each sample once."""

    results: list[Result] = field(default_factory=list)
    duplicates: int = 0
    """Trajectories of a sample that was there already; the first one counts."""
    _keys: set[tuple[str, str, int]] = field(default_factory=set)
    _ids: set[str] = field(default_factory=set)
    _unnumbered: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, trajectory: Trajectory, *, reward: float | None = None) -> Result | None:
        """Keep its row; returns None where its sample was there already.

        Runs that belong to no collection are numbered as they come.
        """
        index = 0
        if trajectory.sample is None:
            place = (trajectory.problem.id, trajectory.settings.model)
            index = self._unnumbered[place]
        result = reduce(trajectory, index=index, reward=reward)
        if trajectory.id in self._ids or result.key in self._keys:
            self.duplicates += 1
            return None
        if trajectory.sample is None:
            self._unnumbered[place] += 1
        self._ids.add(trajectory.id)
        self._keys.add(result.key)
        self.results.append(result)
        return result

    def add_failure(self, trajectory: Trajectory) -> None:
        """Keep the row of a run that the machinery failed, unless its sample came all the same."""
        sample = trajectory.sample
        if sample is None or (trajectory.problem.id, sample.arm, sample.index) not in self._keys:
            self.add(trajectory)

    def extend(self, trajectories: Iterable[Trajectory]) -> None:
        """Keep the rows of all of them."""
        for trajectory in trajectories:
            self.add(trajectory)
