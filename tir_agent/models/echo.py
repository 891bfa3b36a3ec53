"""A reply that begins with the message that it continues."""

from __future__ import annotations

__all__ = ["EchoFilter"]


class EchoFilter:
    """Takes `prefix` off the beginning of text that comes in pieces of any size.

    Text that begins otherwise passes whole, and so does text that ends before the prefix does.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._held = ""

    def feed(self, piece: str) -> str:
        """The text that is now known to be new."""
        if not self._prefix:
            return piece
        text = self._held + piece
        if self._prefix.startswith(text) and text != self._prefix:
            self._held = text
            return ""
        prefix, self._prefix, self._held = self._prefix, "", ""
        return text.removeprefix(prefix)

    def flush(self) -> str:
        """What was held back because it could have become the prefix; the reply has ended."""
        held, self._prefix, self._held = self._held, "", ""
        return held
