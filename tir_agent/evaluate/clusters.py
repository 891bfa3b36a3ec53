"""Which answers to one problem are the same answer. The gold answer has no part in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

__all__ = ["AskedOnce", "Equal", "cluster", "same_text"]

Equal = Callable[[str, str], Awaitable[bool | None]]
"""Whether two answers are the same; None where that cannot be told."""

_NOISE: Final = re.compile(r"\\left(?![a-zA-Z])|\\right(?![a-zA-Z])|\\[!,;: ]|[\s$]")
_FRACTIONS: Final = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_COMMAS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def same_text(answer: str) -> str:
    r"""An answer without what does not change its meaning: spaces, dollar signs, sizes of brackets,
    commas in thousands, a full stop at the end.

    >>> same_text(r"$\dfrac{1}{2}$ ."), same_text("1,000")
    ('\\frac{1}{2}', '1000')
    """
    text = _FRACTIONS.sub(r"\\frac", _NOISE.sub("", answer))
    return _COMMAS.sub("", text).removesuffix(".") or answer.strip()


async def cluster(answers: Sequence[str | None], equal: Equal | None) -> list[int | None]:
    """For each answer the number of its cluster, counted from 0 in the order in which they are first seen.

    None stands for no answer. Identical texts are one; every other one is compared with the first answer of
    each cluster so far, in their order, and joins the first that is the same. What cannot be told is
    not the same. Without `equal`, texts are compared after `same_text`.
    """
    numbers: dict[str, int] = {}
    heads: list[str] = []
    placed: list[int | None] = []
    for answer in answers:
        if answer is None:
            placed.append(None)
            continue
        text = same_text(answer) if equal is None else answer.strip()
        if text not in numbers:
            number = None if equal is None else await _first_equal(text, heads, equal)
            if number is None:
                number = len(heads)
                heads.append(text)
            numbers[text] = number
        placed.append(numbers[text])
    return placed


async def _first_equal(text: str, heads: Sequence[str], equal: Equal) -> int | None:
    for number, head in enumerate(heads):
        if await equal(text, head):
            return number
    return None


class AskedOnce:
    """An equality that is asked once for each pair, and by so many at a time.

    For one problem: what is equal may depend on its rule.
    """

    def __init__(self, equal: Equal, places: asyncio.Semaphore) -> None:
        self._equal = equal
        self._places = places
        self._known: dict[tuple[str, str], bool | None] = {}
        self.unknown = 0
        """Pairs of which it could not be told."""

    async def __call__(self, one: str, other: str) -> bool | None:
        pair = (one, other) if one <= other else (other, one)
        if pair not in self._known:
            async with self._places:
                self._known[pair] = await self._equal(one, other)
            self.unknown += self._known[pair] is None
        return self._known[pair]
