"""Counting values as they pass, in memory that does not grow with their number."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

from tir_agent.messages import Record

__all__ = ["Bin", "Histogram", "Spread"]

_BINS: Final = 25
_DIGITS: Final = 3
"""Of values that are no whole numbers: so they are told apart to half a percent, and never many."""


class Bin(Record):
    """Values that are at least `low` and less than `high`."""

    low: float
    high: float
    count: int


class Spread(Record):
    """A quantity over the rows that have it."""

    count: int
    """Rows that have it."""
    mean: float
    least: float
    median: float
    p95: float
    most: float
    total: float
    bins: tuple[Bin, ...]
    """At most 26, of the same round width; those without values are among them."""


class Histogram:
    """How often each value was there. Whole numbers are exact; others count to three digits."""

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()
        self._total = 0.0
        self._least = math.inf
        self._most = -math.inf

    def add(self, value: float | None, times: int = 1) -> None:
        """Count a value; None is no value."""
        if value is None:
            return
        self._counts[value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")] += times
        self._total += value * times
        self._least = min(self._least, value)
        self._most = max(self._most, value)

    def spread(self) -> Spread | None:
        """Mean and quantiles; a quantile is a value that occurs (the lower of two in doubt)."""
        count = self._counts.total()
        if not count:
            return None
        ordered = sorted(self._counts.items())
        return Spread(
            count=count,
            mean=self._total / count,
            least=float(self._least),
            median=_quantile(ordered, 0.5, count),
            p95=_quantile(ordered, 0.95, count),
            most=float(self._most),
            total=self._total,
            bins=tuple(_bins(ordered)),
        )


def _quantile(ordered: list[tuple[float, int]], part: float, count: int) -> float:
    wanted = max(1, math.ceil(part * count))
    seen = 0
    for value, times in ordered:
        seen += times
        if seen >= wanted:
            return float(value)
    raise AssertionError("a part of all values is more than all of them")


def _bins(ordered: list[tuple[float, int]]) -> list[Bin]:
    low, high = ordered[0][0], ordered[-1][0]
    width = _round_width(high / _BINS - low / _BINS)
    if all(value == int(value) for value, _ in ordered):
        width = max(width, 1.0)
    first = math.floor(low / width)
    counts: Counter[int] = Counter()
    for value, times in ordered:
        counts[math.floor(value / width) - first] += times
    return [
        Bin(low=(first + number) * width, high=(first + number + 1) * width, count=counts[number])
        for number in range(max(counts) + 1)
    ]


def _round_width(least: float) -> float:
    """The smallest of 1, 2, 5, 10, ... and their tenths that is not below.

    >>> _round_width(3.2)
    5.0
    """
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= least)
