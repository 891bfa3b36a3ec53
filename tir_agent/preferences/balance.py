"""Desirable and undesirable rows of KTO: how many of each to keep, and the weights that even them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Kept", "WeightRanges", "balanced", "weights"]

_MOST: Final = 4 / 3
"""The paper wants (desirable weight x rows) / (undesirable weight x rows) between 1 and this."""


@dataclass(frozen=True)
class Kept:
    """Rows that stay."""

    desirable: int
    undesirable: int


@dataclass(frozen=True)
class WeightRanges:
    """For each of the two weights the least and the greatest value, where the other one is 1."""

    desirable: tuple[float, float]
    undesirable: tuple[float, float]


def balanced(desirable: int, undesirable: int, ratio: float | None) -> Kept:
    """How many to keep for `ratio` undesirable rows to each desirable one; None keeps all.

    Only one of the two loses rows. Where both have some, both keep at least one; where one has none, the
    other keeps none either.

    >>> balanced(100, 30, 1.0)
    Kept(desirable=30, undesirable=30)
    """
    if ratio is None:
        return Kept(desirable, undesirable)
    if not desirable or not undesirable:
        return Kept(0, 0)
    if undesirable > ratio * desirable:
        return Kept(desirable, max(1, round(ratio * desirable)))
    return Kept(max(1, round(undesirable / ratio)), undesirable)


def weights(desirable: int, undesirable: int) -> WeightRanges | None:
    """KTO's weights for so many rows (arXiv:2402.01306, section 4.2); None where one has none.

    >>> weights(100, 300)
    WeightRanges(desirable=(3.0, 4.0), undesirable=(0.25, 0.3333333333333333))
    """
    if not desirable or not undesirable:
        return None
    share = undesirable / desirable
    return WeightRanges(desirable=(share, _MOST * share), undesirable=(1 / (_MOST * share), 1 / share))
