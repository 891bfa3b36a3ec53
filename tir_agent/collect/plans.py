"""How many more samples a problem needs, as its plan sees it. Pure functions of what has come so far.

What a plan decides hangs on the verdicts of the samples alone, and never on the order in which they came
or on the clock: a run that was killed and resumed draws the samples that it would have drawn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tir_agent.settings import Fixed, Pairs, Proportional, SamplePlan, UntilCorrect, Vote
from tir_agent.trajectory import Verdict

__all__ = ["Seen", "most", "needs_golds", "wanted"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A sample that is there."""

    number: int
    """It is its problem's so-manieth, from 0."""
    verdict: Verdict | None
    """None where it was not graded."""
    votes_for: int | None = None
    """Number of the class of equal answers that its answer belongs to; None where it has none."""


_RIGHT: Final = Verdict.CORRECT
_WRONG: Final = Verdict.WRONG


def most(plan: SamplePlan) -> int:
    """Samples of one problem, at most."""
    return plan.samples if isinstance(plan, Fixed) else plan.at_most


def needs_golds(plan: SamplePlan) -> bool:
    """Whether the plan looks at verdicts, so that a problem without a gold answer has no end."""
    return isinstance(plan, UntilCorrect | Proportional | Pairs)


def wanted(plan: SamplePlan, seen: Sequence[Seen], *, running: int = 0, lost: int = 0) -> int:
    """How many more samples to draw now, beyond those that were `seen`, are `running` or were `lost`.

    Lost are those that the machinery failed too often. Zero, with nothing running, is the problem's end.
    Samples that are asked for together can all turn out to be needed: none is drawn that one after the
    other would not have been.
    """
    left = most(plan) - len(seen) - running - lost
    match plan:
        case Fixed():
            need = left
        case UntilCorrect():
            need = plan.correct - _count(seen, _RIGHT) - running
        case Proportional():
            need = _proportional(plan, seen, running, lost)
        case Pairs():
            short = max(plan.right - _count(seen, _RIGHT), 0) + max(plan.wrong - _count(seen, _WRONG), 0)
            need = short - running
        case Vote():
            need = _undecided(plan, seen, lost) - running
    return max(min(need, left), 0)


def _count(seen: Sequence[Seen], verdict: Verdict) -> int:
    return sum(one.verdict is verdict for one in seen)


def _proportional(plan: Proportional, seen: Sequence[Seen], running: int, lost: int) -> int:
    drawn = len(seen) + running + lost
    if drawn < plan.pilot:
        return plan.pilot - drawn
    pilot = [one for one in seen if one.number < plan.pilot]
    if len(pilot) + lost < plan.pilot:
        return 0
    failed = 1 - _count(pilot, _RIGHT) / len(pilot) if pilot else 1.0
    return max(1, math.ceil(plan.correct * failed)) - _count(seen, _RIGHT) - running


def _undecided(plan: Vote, seen: Sequence[Seen], lost: int) -> int:
    """The fewest samples that could decide the vote; zero where it is decided."""
    if len(seen) < plan.at_least:
        return plan.at_least - len(seen)
    left = plan.at_most - len(seen) - lost
    votes = Counter(one.votes_for for one in seen if one.votes_for is not None)
    first, second = [*(count for _, count in votes.most_common(2)), 0, 0][:2]
    lead = first - second
    # All that is left may go to the second, or to an answer that has not come yet.
    return 0 if lead > left else (left - lead) // 2 + 1
