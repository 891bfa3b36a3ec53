"""Ids: a data set's own where they tell its problems apart, else made of the text and the choices."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

__all__ = ["hashed_id", "made_unique"]


def hashed_id(text: str, choices: Sequence[str] = ()) -> str:
    """The same for the same problem wherever it is read; `problem_from_text` gives it too."""
    content = "\x00".join([text, *choices])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def made_unique(ids: Sequence[str]) -> tuple[str, ...]:
    """In the same order; the second `x` becomes `x-2`, or the next number that is free."""
    taken = set(ids)
    seen: Counter[str] = Counter()
    unique: list[str] = []
    for each in ids:
        seen[each] += 1
        new = each
        if seen[each] > 1:
            while (new := f"{each}-{seen[each]}") in taken:
                seen[each] += 1
            taken.add(new)
        unique.append(new)
    return tuple(unique)
