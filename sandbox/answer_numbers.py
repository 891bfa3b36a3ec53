r"""Numbers that are written out: decimals, fractions, mixed numbers, powers of ten, repeating decimals.

Most answers are one of these, and need no parser of formulas.
"""

from __future__ import annotations

import re
from fractions import Fraction

_DECIMAL = re.compile(r"([+-]?)(\d*)\.?(\d*)")
_RATIO = re.compile(r"([+-]?\d+)(?:/|:)(\d+)|([+-]?)\\frac ?(?:\{(-?\d+)\} ?\{(\d+)\}|(\d)(\d))")
_MIXED = re.compile(r"([+-]?)(\d+) ?\\frac\{?(\d+)\}?\{?(\d+)\}?")
_SCIENTIFIC = re.compile(r"([+-]?\d*\.?\d+) ?(?:\\times|\\cdot) ?10\^\{?([+-]?\d{1,4})\}?")
_REPEATING = re.compile(
    r"([+-]?)(\d*)\.(\d*)(?:\\overline ?\{(\d+)\}|\\dot ?\{?(\d)\}?(?:\d*\\dot ?\{?(\d)\}?)?|\((\d+)\))"
)
_REPEATED = re.compile(r"([+-]?)(\d*)\.(\d*?)(\d{1,3}?)\4{2,}\.{2,}")
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:/\d+)?(?![\w^])")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}|[\u4e00-\u9fff]")


def number_of(text: str) -> Fraction | None:
    """The rational number that is written out here, in one of the usual ways."""
    text = text.strip().strip("{}") if text.strip().startswith("{") else text.strip()
    if text.startswith("--"):
        return None
    if (match := _DECIMAL.fullmatch(text)) and (match[2] or match[3]):
        return _sign(match[1]) * Fraction(int((match[2] + match[3]) or 0), 10 ** len(match[3]))
    if match := _RATIO.fullmatch(text):
        top, bottom = match[1] or match[4] or match[6], match[2] or match[5] or match[7]
        return _sign(match[3] or "") * Fraction(int(top), int(bottom)) if int(bottom) else None
    if (match := _MIXED.fullmatch(text)) and int(match[4]):
        return _sign(match[1]) * (int(match[2]) + Fraction(int(match[3]), int(match[4])))
    if match := _SCIENTIFIC.fullmatch(text):
        return Fraction(match[1]) * Fraction(10) ** int(match[2])
    if match := _REPEATING.fullmatch(text):
        return _repeating(match[1], match[2], match[3], match[4] or match[7] or _dotted(text))
    if match := _REPEATED.fullmatch(text):
        return _repeating(match[1], match[2], match[3], match[4])
    return None


def only_number(text: str) -> str:
    """The only number of a sentence; any other text as it is."""
    found = _NUMBER.findall(text)
    return str(found[0]) if len(found) == 1 and _WORD.search(text) else text


def _sign(text: str) -> int:
    return -1 if text == "-" else 1


def _dotted(text: str) -> str:
    """The digits from the first dotted one to the last."""
    return re.sub(r"\D", "", text[text.index(r"\dot") :])


def _repeating(sign: str, whole: str, fixed: str, period: str) -> Fraction:
    scale = 10 ** len(fixed)
    value = Fraction(int((whole + fixed) or 0), scale)
    return _sign(sign) * (value + Fraction(int(period), scale * (10 ** len(period) - 1)))
