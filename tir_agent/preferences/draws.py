"""Chance that is the same in every run: it hangs on a seed and on what is drawn for, not on any order."""

from __future__ import annotations

import hashlib
import heapq
import json
import random
from array import array
from typing import Final

__all__ = ["Lots", "draw_for"]

_RANK_BYTES: Final = 8


def draw_for(seed: int, problem: str, purpose: str) -> random.Random:
    """The draws of one problem for one purpose."""
    return random.Random(_digest(seed, problem, purpose))  # noqa: S311  (chance, not secrecy)


class Lots:
    """Leaves out some of many rows by chance, without holding more than eight bytes of each.

    All rows enter first, `close` says how many win, and `wins` tells of each one whether it did. Which
    ones do depends on the seed and their ids alone.
    """

    def __init__(self, seed: int, purpose: str) -> None:
        self._seed = seed
        self._purpose = purpose
        self._ranks = array("Q")
        self._last: int | None = None

    def enter(self, row: str) -> None:
        """A row, by its id, which no other one has."""
        self._ranks.append(self._rank(row))

    def close(self, winners: int) -> None:
        """No more rows come; so many of them win, or all where there are no more.

        Raises:
            ValueError: `winners` is negative.
        """
        if winners < 0:
            raise ValueError("a number of rows is not negative")
        self._last = None
        if winners >= len(self._ranks):
            self._last = 2 ** (8 * _RANK_BYTES) - 1
        elif winners:
            self._last = heapq.nsmallest(winners, self._ranks)[-1]
        self._ranks = array("Q")

    def wins(self, row: str) -> bool:
        """Whether a row that entered stays."""
        return self._last is not None and self._rank(row) <= self._last

    def _rank(self, row: str) -> int:
        return _digest(self._seed, row, self._purpose)


def _digest(seed: int, what: str, purpose: str) -> int:
    # JSON, so that no two different triples are the same bytes.
    written = json.dumps([seed, what, purpose]).encode()
    return int.from_bytes(hashlib.sha256(written).digest()[:_RANK_BYTES], "big")
