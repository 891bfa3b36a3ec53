"""The few distributions that intervals and tests need, so that no statistics package has to be there."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

__all__ = ["binomial_two_sided", "normal_quantile", "t_quantile"]

_STEPS: Final = 200
"""Halvings and terms after which a double cannot become more exact."""
_TINY: Final = 1e-300
_MANY: Final = 10_000
"""Degrees of freedom from which on the t distribution is the normal one, to four digits."""


def normal_quantile(level: float) -> float:
    """How many standard errors to each side hold `level` of a normal distribution.

    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    return NormalDist().inv_cdf((1 + level) / 2)


def t_quantile(level: float, degrees: int) -> float:
    """How many standard errors to each side hold `level` of Student's t with so many degrees of freedom.

    >>> round(t_quantile(0.95, 10), 4)
    2.2281
    """
    if degrees < 1:
        return math.inf
    if degrees > _MANY:
        return normal_quantile(level)
    low, high = 0.0, 1.0
    while _t_middle(high, degrees) < level:
        high *= 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_middle(middle, degrees) < level else (low, middle)
    return (low + high) / 2


def binomial_two_sided(fewer: int, more: int) -> float:
    """The chance that a fair coin, thrown `fewer + more` times, falls at least so unevenly.

    >>> binomial_two_sided(1, 9)
    0.021484375
    """
    throws = fewer + more
    tail = ways = 1
    for number in range(min(fewer, more)):
        ways = ways * (throws - number) // (number + 1)
        tail += ways
    # Whole numbers: 2**throws overflows a float from 1,024 throws on.
    return min(1.0, float(2 * tail / (1 << throws)))


def _t_middle(width: float, degrees: int) -> float:
    """The part of Student's t between -width and width."""
    return 1 - _beta(degrees / 2, 0.5, degrees / (degrees + width * width))


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Abramowitz and Stegun, 26.5.8)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logarithm) * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction itself, by Lentz's method."""
    upper, lower = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or _TINY)
    value = lower
    for step in range(1, _STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        before = value
        for factor in (even, odd):
            lower = 1 / ((1 + factor * lower) or _TINY)
            upper = (1 + factor / upper) or _TINY
            value *= lower * upper
        if value == before:
            break
    return value
