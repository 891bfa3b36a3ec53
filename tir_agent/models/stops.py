"""Stop strings, found in text that comes in pieces of any size."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["StopFilter", "longest_overlap"]


class StopFilter:
    """Lets text through up to the first stop string, and never a character of the stop string itself.

    The result does not depend on how the text was cut into pieces: of several stop strings the one
    that is complete first wins, and of those that end together the longest.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if not all(stops):
            raise ValueError("a stop string must not be empty")
        self._stops = tuple(stops)
        self._held = ""
        self.hit: str | None = None
        """The stop string that was met; nothing passes after it."""

    def feed(self, piece: str) -> str:
        """The text that is now known to belong to the reply."""
        if self.hit is not None:
            return ""
        text = self._held + piece
        found = [(at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            _, start, self.hit = min(found)
            self._held = ""
            return text[:start]
        keep = longest_overlap(text, self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What was held back because it could have begun a stop string; the reply has ended."""
        held, self._held = self._held, ""
        return held


def longest_overlap(text: str, stops: Sequence[str]) -> int:
    """Length of the longest end of `text` that is the beginning of a stop string, but not all of it."""
    longest = 0
    for stop in stops:
        # Nearly no text has the first character of a stop string near its end.
        at = text.find(stop[0], max(len(text) - len(stop) + 1, 0))
        while at >= 0 and not stop.startswith(text[at:]):
            at = text.find(stop[0], at + 1)
        if at >= 0:
            longest = max(longest, len(text) - at)
    return longest
