"""Where the string literals of a Python program stand: a mark inside one is text, and closes nothing."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

__all__ = ["Literal", "Literals", "Quotes"]

# What matters for telling whether a position is inside a string, in order of precedence. Strings and
# comments of more than 4,000 characters are not seen as such: lines that long, one in each piece of code,
# would make reading quadratic.
_TOKEN = re.compile(
    r"""(?P<triple>\"{3}|'{3})"""
    r"""|(?P<string>\"(?:\\.|[^\"\\\n]){0,4000}\"?|'(?:\\.|[^'\\\n]){0,4000}'?)"""
    r"""|(?P<comment>\#[^\n]{0,4000})""",
    re.DOTALL,
)
_TRIPLES = ('"""', "'''")
_TRIPLE_OR_SLASHES = re.compile(r"(?P<slashes>\\+)|(?=(?P<triple>\"{3}|'{3}))")


class Quotes:
    """Where strings and comments may begin in a text, and where triple-quoted ones can end.

    Made once for a text and shared by all the pieces of code in it, so that no stretch of the text is
    searched once for each of them: a reply of nothing but quotes is still read in linear time.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._searched_from = 0
        self._token = _TOKEN.search(text)
        self._ends: dict[str, list[int]] = {quote: [] for quote in _TRIPLES}
        escaped = -1
        for match in _TRIPLE_OR_SLASHES.finditer(text):
            if match["slashes"] is not None:
                escaped = match.end() if len(match["slashes"]) % 2 else -1
            elif match.start() != escaped:
                self._ends[match["triple"]].append(match.start())

    def token(self, position: int) -> re.Match[str] | None:
        """The first token at or behind `position`."""
        known = self._token is None or position <= self._token.start()
        if not known or position < self._searched_from:
            self._searched_from = position
            self._token = _TOKEN.search(self._text, position)
        return self._token

    def closing(self, quote: str, position: int) -> int | None:
        """The first place at or behind `position` where a string that `quote` opened can end."""
        ends = self._ends[quote]
        index = bisect_left(ends, position)
        return ends[index] if index < len(ends) else None


@dataclass(frozen=True)
class Literal:
    """A string literal, its quotes included."""

    start: int
    end: int
    closed: bool
    """False for a triple-quoted one that runs to the end of the text."""


class Literals:
    """Tells which string literal a position of Python source is in.

    Positions must be asked in ascending order, so that one pass over the text answers all.
    """

    def __init__(self, text: str, start: int, quotes: Quotes) -> None:
        self._text = text
        self._quotes = quotes
        self._position = start
        """Behind the newest token."""
        self._newest: Literal | None = None

    def around(self, position: int) -> Literal | None:
        """The literal that begins before `position` and ends behind it."""
        while self._position <= position:
            token = self._quotes.token(self._position)
            if token is None:
                self._position = len(self._text) + 1
                self._newest = None
                break
            self._newest = self._literal(token)
            self._position = self._newest.end if self._newest else token.end()
        newest = self._newest
        return newest if newest and newest.start < position < newest.end else None

    def _literal(self, token: re.Match[str]) -> Literal | None:
        if quote := token["triple"]:
            end = self._quotes.closing(quote, token.end())
            if end is None:
                return Literal(token.start(), len(self._text) + 1, closed=False)
            return Literal(token.start(), end + 3, closed=True)
        string = token["string"]
        # A quote that its line does not close is an error, or an apostrophe: it protects nothing.
        if string and len(string) > 1 and string[-1] == string[0]:
            return Literal(token.start(), token.end(), closed=True)
        return None
