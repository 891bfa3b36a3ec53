"""What a terminal would show of a text: no escape sequences, the last state of a line."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["resolve_returns", "strip_ansi", "strip_controls"]

# ECMA-48: control sequences (colours, cursor), operating-system commands (links, titles); ECMA-35: all
# other escapes. Possessive quantifiers, so that a sequence without an end costs one pass.
_ANSI: Final = re.compile(
    r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\)|[ -/]++[0-~]|[0-Z\\-~])"
)
# C0 and C1 but tab and line feed, and halves of surrogate pairs, which no file and no request can hold.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]++")
_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")


def strip_ansi(text: str) -> str:
    """Remove terminal escape sequences.

    >>> strip_ansi("\\x1b[31mred\\x1b[0m")
    'red'
    """
    return _ANSI.sub("", text)


def resolve_returns(text: str) -> str:
    """Of a line that was written over with carriage returns, as progress bars do, keep the last state.

    >>> resolve_returns("10%\\r55%\\r100%\\ndone\\r\\n")
    '100%\\ndone\\n'
    """
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def strip_controls(text: str) -> str:
    """Remove characters that a terminal does not show, and make the rest fit for UTF-8.

    >>> strip_controls("a\\x00b\\tc\\x08")
    'ab\\tc'
    """
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))
