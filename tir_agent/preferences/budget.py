"""How many solutions of a problem SFT gets: the budgets of rejection sampling.

`uniform` and `difficulty` are DART-Uniform and DART-Prop2Diff (arXiv:2407.13690): easy problems are solved
often, so that taking every solution drowns the hard ones. Those sample until a problem has its number;
here the samples are what they are, and a problem that has fewer gives what it has.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tir_agent.preferences.examples import Candidate
from tir_agent.preferences.groups import in_order, pick
from tir_agent.settings import BudgetRule, SolutionBudget

__all__ = ["solutions", "wanted"]


def wanted(budget: SolutionBudget, rate: float | None) -> int | None:
    """Solutions of a problem with this pass rate; None for all of them.

    A problem without a rate counts as one that was never solved.
    """
    if budget.rule is BudgetRule.ALL:
        return None
    if budget.rule is BudgetRule.UNIFORM or rate is None:
        return budget.per_problem
    return max(1, round(budget.per_problem * (1 - rate)))


def solutions(
    candidates: Sequence[Candidate],
    budget: SolutionBudget,
    rate: float | None,
    draw: random.Random,
    cleanest_first: bool = False,
) -> list[Candidate]:
    """The right ones among a problem's candidates that become solutions, the cleanest or by chance."""
    right = [one for one in candidates if one.right]
    count = wanted(budget, rate)
    return in_order(right) if count is None else pick(right, count, draw, cleanest=cleanest_first)
