"""What became of the verdicts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tir_agent.grades import Grade, Verdict
from tir_agent.regrade.cases import Case

__all__ = ["Difference", "Report"]


@dataclass(frozen=True)
class Difference:
    """A trajectory whose verdict is another now."""

    case: Case
    after: Grade


@dataclass
class Report:
    """Counts over one grading, those of earlier processes included."""

    show: int = 20
    """Differences that are kept."""
    verdicts: Counter[tuple[Verdict | None, Verdict]] = field(default_factory=Counter)
    """The earlier verdict with the one in this grading. None: there was no grade."""
    differences: list[Difference] = field(default_factory=list)
    """The first ones, in the order of the run."""
    graded: int = 0
    """By the grader or the judge, just now."""
    resumed: int = 0
    """Had a grade of this grading already."""
    kept: int = 0
    """Keep the grade that they had, since they were not selected."""
    without_gold: int = 0
    without_grade: int = 0
    """Had no grade and were not selected, so that they have none now."""
    lost: int = 0
    """Were left out, for the sandbox was lost over each of them."""
    unjudged: int = 0
    """Were left out, for the judge's server failed."""
    too_long: int = 0
    """Kept the grader's verdict, for they are too long for a judge."""

    @property
    def different(self) -> int:
        """Verdicts that are others now."""
        return sum(count for (before, after), count in self.verdicts.items() if before is not after)

    @property
    def left_out(self) -> int:
        """What the same command would try again."""
        return self.lost + self.unjudged

    def add(self, case: Case, after: Grade) -> None:
        """One trajectory and its grade in this grading."""
        before = case.before.verdict if case.before else None
        self.verdicts[before, after.verdict] += 1
        if before is not after.verdict and len(self.differences) < self.show:
            self.differences.append(Difference(case, after))
