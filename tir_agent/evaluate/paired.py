"""Two runs on the same problems: what one does better than the other, and whether that may be chance.

The difference is taken problem by problem, so that what makes problems hard for both falls out of its
error (Miller 2024, arXiv:2411.00640, section 4).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import product
from typing import Final

from tir_agent.evaluate.distributions import binomial_two_sided, t_quantile
from tir_agent.evaluate.rates import LEVEL, clustered_error
from tir_agent.messages import Record

__all__ = ["Change", "Comparison", "Point", "Test", "compare", "mcnemar", "sign_flip"]

_EXACT: Final = 14
"""Problems that differ, up to which all their signs are tried."""
DRAWS: Final = 10_000
_SHOWN: Final = 10
_CLOSE: Final = 1e-9
"""Sums of the same differences in another order may differ by rounding."""


class Test(StrEnum):
    """How the chance was reckoned that nothing but luck is behind the difference."""

    __test__ = False  # It is not one of pytest's.

    MCNEMAR = "mcnemar"
    """The exact test of McNemar, one sample for each problem."""
    SIGN_FLIP_EXACT = "sign_flip_exact"
    SIGN_FLIP_DRAWN = "sign_flip_drawn"


class Change(Record):
    """One problem's part of right samples in both runs."""

    problem: str
    a: float
    b: float


class Point(Record):
    """Problems that have the same parts of right samples."""

    a: float
    b: float
    count: int


class Comparison(Record):
    """Run A beside run B, over the problems that both have."""

    a: str
    b: str
    problems: int
    only_a: int
    """Problems that B does not have; they are left out."""
    only_b: int
    mean_a: float
    mean_b: float
    difference: float
    """A's pass@1 minus B's."""
    low: float
    high: float
    error: float
    level: float
    a_better: int
    """Problems of which A has the larger part right."""
    b_better: int
    same: int
    p: float
    test: Test
    changes: tuple[Change, ...]
    """The problems that differ most, those first in which A is better."""
    points: tuple[Point, ...]
    """All problems, put together where they are alike."""


def mcnemar(a_only: int, b_only: int) -> float:
    """Two-sided p of McNemar's exact test (1947) from the problems that only A, and only B, has right.

    >>> mcnemar(1, 9)
    0.021484375
    """
    return binomial_two_sided(a_only, b_only)


def sign_flip(differences: Sequence[float], *, seed: int = 0, draws: int = DRAWS) -> tuple[float, Test]:
    """Two-sided p of the sign-flip permutation test (Fisher 1935) of paired differences.

    If A and B were alike, each difference could as well have the other sign. All signs are tried where at
    most 14 problems differ, else `draws` are drawn with `seed`, and the one that was seen counts as one of
    them, so that p is never 0 (Phipson and Smyth 2010).
    """
    moved = [one for one in differences if one]
    seen = abs(math.fsum(moved)) - _CLOSE
    if len(moved) <= _EXACT:
        sums = [
            abs(sum(sign * one for sign, one in zip(signs, moved, strict=True)))
            for signs in product((1, -1), repeat=len(moved))
        ]
        return sum(one >= seen for one in sums) / len(sums), Test.SIGN_FLIP_EXACT
    chance = random.Random(seed)  # noqa: S311 - no secret
    # Eight signs at a time: the sums of all their choices are looked up.
    tables = [_sums(moved[start : start + 8]) for start in range(0, len(moved), 8)]
    total, hits = sum(moved), 0
    for _ in range(draws):
        signs = chance.randbytes(len(tables))
        flipped = sum(table[byte] for table, byte in zip(tables, signs, strict=True))
        hits += abs(total - 2 * flipped) >= seen
    return (hits + 1) / (draws + 1), Test.SIGN_FLIP_DRAWN


def _sums(some: Sequence[float]) -> list[float]:
    """The sum of every choice among at most eight numbers, by the bits of the choice."""
    return [sum(one for bit, one in enumerate(some) if choice >> bit & 1) for choice in range(256)]


def compare(
    a: tuple[str, Mapping[str, tuple[int, int]]],
    b: tuple[str, Mapping[str, tuple[int, int]]],
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> Comparison | None:
    """Two runs by name and the tallies of their problems; None where they have no problem in common."""
    (name_a, tallies_a), (name_b, tallies_b) = a, b
    common = [problem for problem in tallies_a if problem in tallies_b]
    if not common:
        return None
    changes = [
        Change(problem=problem, a=_part(tallies_a[problem]), b=_part(tallies_b[problem]))
        for problem in common
    ]
    differences = [change.a - change.b for change in changes]
    better = sum(one > 0 for one in differences)
    worse = sum(one < 0 for one in differences)
    if all(tallies_a[problem][0] == tallies_b[problem][0] == 1 for problem in common):
        p, test = mcnemar(better, worse), Test.MCNEMAR
    else:
        p, test = sign_flip(differences, seed=seed)
    count = len(common)
    difference, error = math.fsum(differences) / count, clustered_error(differences)
    half = t_quantile(level, count - 1) * error if error else 0.0
    if count == 1:
        half = math.inf
    places = Counter((change.a, change.b) for change in changes)
    moved = sorted((change for change in changes if change.a != change.b), key=_by_change)
    return Comparison(
        a=name_a,
        b=name_b,
        problems=count,
        only_a=len(tallies_a) - count,
        only_b=len(tallies_b) - count,
        mean_a=math.fsum(change.a for change in changes) / count,
        mean_b=math.fsum(change.b for change in changes) / count,
        difference=difference,
        low=max(-1.0, difference - half),
        high=min(1.0, difference + half),
        error=error,
        level=level,
        a_better=better,
        b_better=worse,
        same=count - better - worse,
        p=p,
        test=test,
        changes=tuple(moved[:_SHOWN]),
        points=tuple(Point(a=a, b=b, count=number) for (a, b), number in sorted(places.items())),
    )


def _part(tally: tuple[int, int]) -> float:
    return tally[1] / tally[0]


def _by_change(change: Change) -> tuple[float, bool, str]:
    return -abs(change.a - change.b), change.b > change.a, change.problem
