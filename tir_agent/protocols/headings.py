"""Headings of the parts that a reply is made of.

A line counts as one where it begins with one of the chosen words, whatever the mark-up around them:
`Conclusion:`, `**Conclusion**`, `### 4. Conclusion - it holds`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Heading", "HeadingFinder"]


@dataclass(frozen=True)
class Heading:
    """A heading, and what stands on its line."""

    kind: str
    number: int | None
    title: str
    start: int
    """Of its line."""
    body: int
    """Where the part begins that it stands over: behind its mark-up, so that its line's rest counts."""


class HeadingFinder:
    """Finds headings of several kinds, each with its words."""

    def __init__(self, **kinds: Sequence[str]) -> None:
        words = "|".join(
            f"(?P<{kind}>{'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})"
            for kind, names in kinds.items()
        )
        self._line = re.compile(
            r"^[ \t]{0,3}(?:\#{1,6}[ \t]{0,3})?(?:[-*+][ \t]{1,3})?(?:\d{1,3}[.)][ \t]{1,3})?[*_]{0,3}"
            rf"(?:{words})"
            r"(?:[ \t]{0,3}(?P<number>\d{1,4}))?"
            # What follows the words must end them: a sentence that merely begins with them is none.
            r"[ \t]{0,3}(?:[*_]{0,3}[ \t]{0,3}[:：.)\-–—][*_]{0,3}|[*_]{1,3}(?=[ \t]*$)|(?=[ \t]*$))"
            r"(?P<title>[^\n]*)$",
            re.MULTILINE | re.IGNORECASE,
        )

    def find(self, text: str, gaps: Iterable[tuple[int, int]]) -> Iterator[Heading]:
        """All headings in these parts of the text, in order."""
        for start, end in gaps:
            # A line cannot be told from a part of one at the edge of a gap, but gaps end at fences.
            for match in self._line.finditer(text, start, end):
                number = match["number"]
                yield Heading(
                    kind=_kind(match),
                    number=int(number) if number else None,
                    title=match["title"].strip(" \t*_#"),
                    start=match.start(),
                    body=match.start("title"),
                )


def _kind(match: re.Match[str]) -> str:
    return next(
        name for name, found in match.groupdict().items() if found and name not in {"number", "title"}
    )
