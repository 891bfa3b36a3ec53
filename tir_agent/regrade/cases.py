"""What of a trajectory is graded again, and by which rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from tir_agent.answers import extract_answer
from tir_agent.grades import GRADING_SECONDS, Comparison, Grade, GradingRule, Verdict
from tir_agent.store import Key
from tir_agent.trajectory import Problem, StopReason, Trajectory

__all__ = ["Case", "Golds", "Terms"]


class Golds:
    """Gold answers from elsewhere, with the rules of their problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Those of `problems` that have a gold answer."""
        self._by_text: dict[str, Problem] = {}
        self._by_id: dict[str, Problem] = {}
        for problem in problems:
            if problem.gold is not None:
                self._by_text.setdefault(problem.text.strip(), problem)
                self._by_id.setdefault(problem.id, problem)

    def knows(self, problem: Problem) -> bool:
        """Whether there is a gold answer for `problem`."""
        return self._found(problem) is not None

    def put_in(self, problem: Problem) -> Problem:
        """`problem` with the gold answer and the rule of the one with the same text, else the same id; as
        it is where there is neither."""
        found = self._found(problem)
        if found is None:
            return problem
        return problem.model_copy(update={"gold": found.gold, "rule": found.rule})

    def _found(self, problem: Problem) -> Problem | None:
        return self._by_text.get(problem.text.strip()) or self._by_id.get(problem.id)


@dataclass(frozen=True)
class Terms:
    """Which trajectories are graded again, and how."""

    only: frozenset[Verdict | None] = frozenset()
    """The verdicts that they have now; None is that of those without a grade. Empty: all."""
    relative: float | None = None
    """In the place of the problems' own; None: theirs."""
    absolute: float | None = None
    """In the place of the problems' own; None: theirs."""
    timeout: float = GRADING_SECONDS
    """Seconds for one comparison."""
    extract: bool = False
    """Read the answer from the last reply once more."""
    golds: Golds | None = None

    @property
    def asked_of_judge(self) -> frozenset[Verdict]:
        """The grader's verdicts that a judge is asked about."""
        named = {verdict for verdict in self.only if verdict is not None}
        return frozenset(named or {Verdict.UNGRADABLE, Verdict.TIMEOUT})

    def selects(self, grade: Grade | None) -> bool:
        """Whether a trajectory with this grade is graded again."""
        return not self.only or (grade.verdict if grade else None) in self.only

    def rule(self, problem: Problem) -> GradingRule:
        """By which its answers are compared."""
        own = {"relative": self.relative, "absolute": self.absolute}
        changes = {name: value for name, value in own.items() if value is not None}
        return problem.rule.model_copy(update=changes)


@dataclass(frozen=True)
class Case:
    """One trajectory, as far as grading needs it: the whole of it may be large."""

    trajectory: str
    """Its id."""
    key: Key
    problem: Problem
    answer: str | None
    before: Grade | None

    @classmethod
    def of(cls, trajectory: Trajectory, terms: Terms) -> Self:
        """With the gold answer and the answer that `terms` say."""
        sample = trajectory.sample
        problem = trajectory.problem
        return cls(
            trajectory=trajectory.id,
            key=Key(problem.id, sample.arm if sample else "", sample.index if sample else 0),
            problem=terms.golds.put_in(problem) if terms.golds else problem,
            answer=_extracted(trajectory) if terms.extract else trajectory.answer,
            before=trajectory.grade,
        )

    def comparison(self, terms: Terms) -> Comparison | None:
        """What the grader is asked; None where there is no answer, or no gold one."""
        if self.answer is None or self.problem.gold is None:
            return None
        return Comparison(answer=self.answer, gold=self.problem.gold, rule=terms.rule(self.problem))


def _extracted(trajectory: Trajectory) -> str | None:
    """The answer in the last reply; the recorded one where none is found there, or none counted."""
    if trajectory.stop is not StopReason.ANSWERED or not trajectory.turns:
        return trajectory.answer
    return extract_answer(trajectory.turns[-1].completion.text) or trajectory.answer
