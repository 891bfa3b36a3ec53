"""Filters that look at all candidates of a problem together: its pass rate, duplicates, and how many.

The candidates come in any order and go on in one that depends on them alone: by arm, number and id.
What is left to chance hangs on the random numbers that the caller gives (`draw_for`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tir_agent.preferences.examples import Candidate
from tir_agent.settings import FilterSettings

__all__ = ["GroupFilter", "cleanest_first", "group_stages", "in_order", "pick"]


class GroupFilter(Protocol):
    """One stage."""

    @property
    def name(self) -> str:
        """That of its setting; `pass_rate` has two."""

    def keep(self, candidates: list[Candidate], rate: float | None, draw: random.Random) -> list[Candidate]:
        """Those that stay, of one problem.

        `rate` is the share of right ones among all decided samples of the problem, before any filter;
        None where there is none.
        """


def in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """By arm, number and id, however they were read."""
    return sorted(candidates, key=lambda one: (one.arm, one.index, one.trajectory))


def cleanest_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those with the fewest failed cells first; of these the shortest."""
    return sorted(in_order(candidates), key=lambda one: (one.errors, one.tokens))


def pick(
    candidates: Sequence[Candidate], count: int, draw: random.Random, *, cleanest: bool
) -> list[Candidate]:
    """At most `count` of them, the cleanest or by chance."""
    if len(candidates) <= count:
        return in_order(candidates)
    if cleanest:
        return in_order(cleanest_first(candidates)[:count])
    return in_order(draw.sample(in_order(candidates), count))


def group_stages(settings: FilterSettings) -> tuple[GroupFilter, ...]:
    """The stages that are on, in the order in which they are applied."""
    low, high = settings.min_pass_rate, settings.max_pass_rate
    stages: list[GroupFilter] = []
    if settings.all_right:
        stages.append(_OfRate("all_right", lambda rate: rate < 1))
    if settings.all_wrong:
        stages.append(_OfRate("all_wrong", lambda rate: rate > 0))
    if (low, high) != (0.0, 1.0):
        stages.append(_OfRate("pass_rate", lambda rate: low <= rate <= high))
    if settings.max_tokens is not None:
        stages.append(_NotTooLong(settings.max_tokens))
    if settings.duplicates:
        stages.append(_Once("duplicates", lambda one: one.exact, in_order))
    if settings.duplicate_code:
        stages.append(_Once("duplicate_code", _program, cleanest_first))
    if settings.per_problem is not None:
        stages.append(_AtMost(settings.per_problem, settings.cleanest_first))
    return tuple(stages)


@dataclass(frozen=True)
class _OfRate:
    """Drops a problem as a whole."""

    name: str
    stays: Callable[[float], bool]

    def keep(self, candidates: list[Candidate], rate: float | None, draw: random.Random) -> list[Candidate]:
        return in_order(candidates) if rate is not None and self.stays(rate) else []


@dataclass(frozen=True)
class _NotTooLong:
    tokens: int
    name: str = "max_tokens"

    def keep(self, candidates: list[Candidate], rate: float | None, draw: random.Random) -> list[Candidate]:
        return [one for one in in_order(candidates) if one.tokens <= self.tokens]


@dataclass(frozen=True)
class _Once:
    """Of those with the same key, the first in an order stays."""

    name: str
    key: Callable[[Candidate], Hashable]
    order: Callable[[Sequence[Candidate]], list[Candidate]]

    def keep(self, candidates: list[Candidate], rate: float | None, draw: random.Random) -> list[Candidate]:
        first: dict[Hashable, Candidate] = {}
        for one in self.order(candidates):
            first.setdefault(self.key(one), one)
        return in_order(list(first.values()))


@dataclass(frozen=True)
class _AtMost:
    """So many right ones and so many wrong ones. Which of the wrong ones is always left to chance."""

    count: int
    cleanest: bool
    name: str = "per_problem"

    def keep(self, candidates: list[Candidate], rate: float | None, draw: random.Random) -> list[Candidate]:
        right = [one for one in candidates if one.right]
        wrong = [one for one in candidates if not one.right]
        return in_order(
            [
                *pick(right, self.count, draw, cleanest=self.cleanest),
                *pick(wrong, self.count, draw, cleanest=False),
            ]
        )


def _program(one: Candidate) -> Hashable:
    # Two that ran no code have no program in common.
    return (one.code, one.answer) if one.cells else one.trajectory
