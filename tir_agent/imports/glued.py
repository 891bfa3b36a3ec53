r"""The answer that MathCoder glued to the end of what its model wrote.

Its recordings end as `\(\boxed{y = 0}\)0`: the last `0` is what the system read out of the box. It is cut off
where it can be told apart: it stands without a space right behind the end of a formula or of a sentence, and
says what a box says, or is a number, or stands behind a displayed formula. Elsewhere it stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tir_agent.answers import extract_answer
from tir_agent.problems.golds import last_box

__all__ = ["glued_answer"]

_LONGEST: Final = 200
"""Characters of a reading that are looked at."""
_ENDS: Final = re.compile(r"\\\]|\\\)|\$(?=\S)|(?<![\d\s])[.!?:]|[\])}](?=\S)|(?<=[a-z%])(?=[\d\\-])")
"""Behind what a reading may stand."""
_DECORATION: Final = re.compile(r"\\[,;! ]|\^?\\circ|\\(?:text|mathrm|left|right|quad)|[\s\\${}%]")
_NUMBER: Final = re.compile(r"-?\d[\d.,]*")
_BOX: Final = r"\boxed"
_DISPLAYED: Final = r"\]"
_MOST: Final = 8
"""Boxes of one reply that are looked at."""


def glued_answer(final: str, earlier: Sequence[str]) -> tuple[str, str | None]:
    r"""The text without what is glued to its end, and that; the whole text and None where nothing is.

    `earlier` are the replies before: MathCoder reads a box wherever it stands.

    >>> glued_answer(r"so \(\boxed{y = 0}\).0", [])
    ('so \\(\\boxed{y = 0}\\).', '0')
    """
    known = {_plain(box) for text in (final, *earlier) for box in _boxes(text)}
    if not known:
        return final, None
    from_ = max(len(final) - _LONGEST, 0)
    for end in _ENDS.finditer(final, from_):
        tail = final[end.end() :]
        if not any(map(str.isalnum, tail)) or any(map(str.isspace, tail)):
            continue
        # No model writes on behind a displayed formula, or a number right behind a full stop.
        if end[0] == _DISPLAYED or (end[0] == "." and _NUMBER.fullmatch(tail)) or _says(_plain(tail), known):
            return final[: end.end()], tail
    return final, None


def _boxes(text: str) -> Iterator[str]:
    """What the boxes of a text hold, from the last to the first."""
    end = len(text)
    for _ in range(_MOST):
        start = text.rfind(_BOX, 0, end)
        if start == -1:
            return
        yield from (box for box in (last_box(text[start:end]), extract_answer(text[start:end])) if box)
        end = start


def _plain(text: str) -> str:
    return _DECORATION.sub("", text).lower()


def _says(tail: str, known: set[str]) -> bool:
    """Whether it is a box's content, or that without the names before its equals signs."""
    if not tail:
        return False
    return any(tail == box or tail == _values(box) or box.endswith(f"={tail}") for box in known)


def _values(box: str) -> str:
    parts = (part.rpartition("=")[2].rpartition("approx")[2] for part in box.split(","))
    return ",".join(parts)
