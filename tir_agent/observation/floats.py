"""Floats with fewer digits."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["round_floats"]

# A number with a point or an exponent that is no part of a name (x1.5, v2.0), a version (1.2.3), a file
# (1.25.png) or a hexadecimal float. A longer exponent than six digits is none that a float has.
_FLOAT: Final = re.compile(
    r"(?<![\w.])(?P<whole>[0-9]++)(?P<point>\.(?P<fraction>[0-9]*+))?(?P<exponent>[eE][+-]?[0-9]{1,6}+)?+"
    r"(?=[jJ]?(?!\w)(?!\.\w))"
)


def round_floats(text: str, digits: int) -> str:
    """Round the floats in `text` to `digits` significant digits, half away from zero.

    Digits before the point stay, whatever their number: rounding them would show an integer that was
    never computed. Integers, names, versions and floats that are short enough are left alone.

    >>> round_floats("0.30000000000000004 x1.23456 1.2.3456 12345.678 -1.2345e-17", 3)
    '0.3 x1.23456 1.2.3456 12346.0 -1.23e-17'
    """

    def rounded(match: re.Match[str]) -> str:
        whole, fraction, exponent = match["whole"], match["fraction"], match["exponent"] or ""
        if fraction is None:
            return match[0]
        short = _rounded(whole, fraction, exponent, digits)
        return short if len(short) < len(match[0]) else match[0]

    return _FLOAT.sub(rounded, text)


def _rounded(whole: str, fraction: str, exponent: str, digits: int) -> str:
    significant = len(whole.lstrip("0"))
    zeros = 0 if significant else len(fraction) - len(fraction.lstrip("0"))
    places = max(digits - significant, 0) + zeros
    if len(fraction) <= places:
        return f"{whole}.{fraction}{exponent}"
    number = whole + fraction[:places]
    if fraction[places] >= "5":
        number = _increased(number)
    split = len(number) - places
    whole, fraction = number[:split], number[split:].rstrip("0")
    if exponent and len(whole) > 1 and whole[1:].strip("0") == "" and not fraction:
        whole, exponent = whole[0], _next(exponent, len(whole) - 1)
    return f"{whole}.{fraction or '0'}{exponent}"


def _increased(number: str) -> str:
    """One more, for decimal digits of any number: `int` refuses more than 4,300 of them.

    >>> _increased("1299"), _increased("99")
    ('1300', '100')
    """
    kept = number.rstrip("9")
    nines = len(number) - len(kept)
    raised = kept[:-1] + str(int(kept[-1]) + 1) if kept else "1"
    return raised + "0" * nines


def _next(exponent: str, more: int) -> str:
    """The exponent `more` higher, written in the same way.

    >>> _next("e-05", 1), _next("e+99", 1), _next("E7", 1)
    ('e-04', 'e+100', 'E8')
    """
    power = int(exponent[1:]) + more
    sign = "-" if power < 0 else "+" if exponent[1] in "+-" else ""
    return f"{exponent[0]}{sign}{abs(power):0{len(exponent.lstrip('eE+-'))}d}"
