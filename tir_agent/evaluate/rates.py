"""Rates over problems, with the interval in which they are known.

A problem is what is drawn from the world, and its samples are not independent of one another. So every
rate is a mean over problems, and its error is that of these means: the standard error clustered by problem
of "Adding Error Bars to Evals" (Miller 2024, arXiv:2411.00640), where each cluster is one problem of equal
weight, with P - 1 in the place of P.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from tir_agent.evaluate.distributions import normal_quantile, t_quantile
from tir_agent.messages import Record

__all__ = ["LEVEL", "Interval", "Rate", "clustered_error", "mean_rate", "share", "wilson"]

LEVEL: Final = 0.95
"""Of confidence."""


class Interval(StrEnum):
    """How the interval was made."""

    NONE = "none"
    """There is none: fewer than two problems."""
    WILSON = "wilson"
    """Wilson's score interval, each problem a draw that succeeded or did not."""
    CLUSTERED_T = "clustered_t"
    """The clustered standard error times Student's t with problems - 1 degrees of freedom."""


class Rate(Record):
    """A mean over problems, between 0 and 1."""

    value: float
    low: float
    high: float
    error: float
    """The standard error, clustered by problem."""
    problems: int
    interval: Interval
    level: float = LEVEL


def clustered_error(means: Sequence[float]) -> float:
    """The standard error of the mean of the problems' means (arXiv:2411.00640, clusters of equal weight).

    With the same number of samples for each problem, it is the paper's clustered standard error times
    sqrt(P / (P - 1)).
    """
    count = len(means)
    if count < 2:
        return 0.0
    mean = math.fsum(means) / count
    return math.sqrt(math.fsum((one - mean) ** 2 for one in means) / (count * (count - 1)))


def wilson(successes: float, draws: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval (1927, JASA 22) of a share; also where all or none succeeded.

    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if draws < 1:
        return 0.0, 1.0
    z = normal_quantile(level)
    share = successes / draws
    middle = (share + z * z / (2 * draws)) / (1 + z * z / draws)
    half = z * math.sqrt(share * (1 - share) / draws + z * z / (4 * draws * draws)) / (1 + z * z / draws)
    # The ends are exact where nothing, or everything, succeeded; rounding must not say otherwise.
    low = 0.0 if successes <= 0 else max(0.0, middle - half)
    high = 1.0 if successes >= draws else min(1.0, middle + half)
    return low, high


def mean_rate(means: Sequence[float], level: float = LEVEL) -> Rate | None:
    """The mean of one value for each problem, or None without any problem.

    Values that are all 0 or 1 (one sample each, or a vote) get Wilson's interval, and so do values that
    are all the same, whose spread says nothing; others the clustered standard error times Student's t,
    cut at 0 and 1.
    """
    count = len(means)
    if not count:
        return None
    value, error = math.fsum(means) / count, clustered_error(means)
    if count == 1:
        return Rate(value=value, low=0, high=1, error=0, problems=1, interval=Interval.NONE, level=level)
    if error == 0 or all(one in (0.0, 1.0) for one in means):
        low, high = wilson(math.fsum(means), count, level)
        interval = Interval.WILSON
    else:
        half = t_quantile(level, count - 1) * error
        low, high, interval = max(0.0, value - half), min(1.0, value + half), Interval.CLUSTERED_T
    return Rate(value=value, low=low, high=high, error=error, problems=count, interval=interval, level=level)


def share(part: int, whole: int) -> float | None:
    """`part` of `whole`, or None where there is no whole."""
    return part / whole if whole else None
