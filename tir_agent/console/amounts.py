"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["amount_text", "count_text", "counted_text", "duration_text", "kinds_text", "share_text"]

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


def count_text(count: float) -> str:
    """With a comma at the thousands.

    >>> count_text(1234.4)
    '1,234'
    """
    return f"{count:,.0f}"


def counted_text(count: int, noun: str) -> str:
    """A number of things, whose plural ends in s.

    >>> counted_text(1, "cell"), counted_text(1200, "turn")
    ('1 cell', '1,200 turns')
    """
    return f"{count_text(count)} {noun}{'' if count == 1 else 's'}"


def share_text(part: int, whole: int) -> str:
    """Percent to a tenth.

    >>> share_text(2, 3)
    '66.7 %'
    """
    return f"{100 * part / whole:.1f} %" if whole else "-"


def duration_text(seconds: float) -> str:
    """In the two largest units.

    >>> duration_text(3720), duration_text(8.4)
    ('1 h 2 min', '8 s')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 and rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def amount_text(amount: float, currency: str) -> str:
    """Money to two digits, or to the cent where it is larger.

    >>> amount_text(0.00314, "USD"), amount_text(12, "SEK")
    ('$0.0031', '12.00 SEK')
    """
    digits = 1 - math.floor(math.log10(amount)) if 0 < amount < 1 else 2
    number = f"{amount:.{digits}f}"
    sign = _SIGNS.get(currency)
    return f"{sign}{number}" if sign else f"{number} {currency}"


def kinds_text(kinds: Mapping[str, int], most: int) -> str:
    """How many of each kind, the most frequent `most` kinds by name.

    >>> kinds_text({"a": 1, "b": 1200, "c": 2}, 2)
    'b 1,200, c 2, others 1'
    """
    ordered = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
    named = [f"{name} {count_text(count)}" for name, count in ordered[:most]]
    others = sum(count for _, count in ordered[most:])
    return ", ".join([*named, f"others {count_text(others)}"] if others else named)
