r"""The gold answer in its field: all of it, behind `####`, or in the box that ends a solution.

A gold answer is kept as its data set wrote it (`\text{Evelyn}`, `$5$;$10$`): reading it is the grader's
business. Linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tir_agent.problems.values import spoken, text_of
from tir_agent.settings import GoldForm

__all__ = ["form_of", "gold_in", "last_box"]

_BOX: Final = re.compile(r"\\(?:boxed|fbox|framebox)(?![A-Za-z])\s*")
_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE: Final = re.compile(r"[^\s$]+")
_HASHES: Final = "####"
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_PART: Final = 0.5
"""Of the values, this many must have a form for it to be the field's."""


def form_of(values: Sequence[object]) -> tuple[GoldForm, int]:
    """The form that most values have, and how many have it."""
    texts = [_written(value) or "" for value in values]
    counts = {
        GoldForm.HASHES: sum(_HASHES in text for text in texts),
        GoldForm.BOXED: sum(last_box(text) is not None for text in texts),
    }
    for form, count in counts.items():
        if values and count >= _PART * len(values):
            return form, count
    return GoldForm.PLAIN, len(values)


def gold_in(value: object, form: GoldForm) -> str | None:
    r"""The gold answer in a field's value; None where there is none.

    >>> gold_in("1 + 1 = <<1+1=2>>2\n#### 1,002", GoldForm.HASHES)
    '1002'
    >>> gold_in(r"so it is \boxed{\frac{1}{2}}.", GoldForm.BOXED)
    '\\frac{1}{2}'
    """
    text = _written(value)
    if text is None:
        return None
    if form is GoldForm.HASHES:
        _, found, behind = text.rpartition(_HASHES)
        gold = behind.strip().partition("\n")[0].strip() if found else ""
        return (gold.replace(",", "") if _THOUSANDS.fullmatch(gold) else gold) or None
    if form is GoldForm.BOXED:
        return last_box(text)
    return text


def _written(value: object) -> str | None:
    return spoken(value, "assistant") or text_of(value)


def last_box(text: str) -> str | None:
    r"""What the last box of a solution holds, as it is written there; None where there is none.

    Boxes are `\boxed`, `\fbox` and `\framebox`, with braces or, as some solutions have them, without
    (`\boxed 2`).
    """
    closings: dict[int, int] = {}
    opened: list[int] = []
    if "\\" not in text:
        return None
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            closings[opened.pop()] = brace.start()
    for box in reversed(list(_BOX.finditer(text))):
        start = box.end()
        if text.startswith("{", start):
            content = text[start + 1 : closings[start]] if start in closings else ""
        else:
            bare = _BARE.match(text, start)
            content = bare[0].rstrip(".,;") if bare else ""
        if content.strip():
            return content.strip()
    return None
