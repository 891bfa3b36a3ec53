"""Whether a text has fallen into a loop: weak models do, and then write until their tokens are gone."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["Loop", "LoopWatch", "find_loop"]

_LONGEST: Final = 400
"""Characters of the longest piece whose repetition is looked for."""
_TIMES: Final = 4
"""How often it must come, at least."""
_STEP: Final = 200
"""Characters between two looks."""


class Loop(NamedTuple):
    """A piece of text that comes again and again up to the text's end."""

    start: int
    """Where it comes first."""
    period: int
    """Its length in characters."""


def find_loop(text: str, chars: int) -> Loop | None:
    """The loop at the end of `text`, or None where there is none.

    A loop is one piece of at most 400 characters that comes at least four times and fills at least
    `chars` characters.

    >>> find_loop("So " + "again " * 10, 50)
    Loop(start=3, period=6)
    >>> find_loop("So it goes on and on, but not for ever.", 10)
    """
    for period in range(1, _LONGEST + 1):
        length = max(chars, period * _TIMES)
        if length > len(text):
            break
        start = len(text) - length
        if text[start + period :] == text[start : len(text) - period]:
            while start > 0 and text[start - 1] == text[start - 1 + period]:
                start -= 1
            return Loop(start, period)
    return None


class LoopWatch:
    """Looks at a text while it grows."""

    def __init__(self, chars: int | None) -> None:
        """`chars` is as for `find_loop`; None: never a loop."""
        self._chars = chars
        self._text = ""
        self._looked = 0
        self._length = 0

    def feed(self, piece: str) -> bool:
        """Add a piece; whether the text is in a loop now."""
        if self._chars is None:
            return False
        self._length += len(piece)
        # Only the end matters: a window that holds what `find_loop` compares, and no more.
        self._text = (self._text + piece)[-max(self._chars, _LONGEST * _TIMES) - _STEP :]
        if self._length - self._looked < _STEP:
            return False
        self._looked = self._length
        return find_loop(self._text, self._chars) is not None
