"""How many requests a server takes at the same time, found out by asking."""

from __future__ import annotations

from typing import Final

__all__ = ["START", "Window"]

START: Final = 20
"""Requests at first, where as many are allowed; Inspect AI's adaptive connections start here too."""


class Window:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), as TCP does it (RFC 5681).

    It is halved when the server says that it is busy, and grows by one after as many successes as it has
    room for; until the first cut by one after each success, which is TCP's slow start. Only requests
    that were sent after the last cut count: those before it tell of a window that is no more. They
    count only where the window was full, because an empty one shows nothing of what the server can take
    (RFC 7661).
    """

    def __init__(self, most: int, *, adaptive: bool) -> None:
        self._most = most
        self._adaptive = adaptive
        self._successes = 0
        self._last_before_cut = -1
        self.size = min(START, most) if adaptive else most
        """Requests that may be under way at the same time."""
        self.cuts = 0
        """How often it was halved."""

    def allow(self, most: int) -> None:
        """`most` is the limit from now on. Those under way beyond it come to their end."""
        self._most = most
        self.size = min(self.size, most) if self._adaptive else most

    def succeeded(self, number: int, *, under_way: int) -> None:
        """Request `number` was answered; `under_way` counts it too."""
        if not self._adaptive or number <= self._last_before_cut or under_way < self.size:
            return
        self._successes += 1
        if not self.cuts or self._successes >= self.size:
            self._successes = 0
            self.size = min(self.size + 1, self._most)

    def refused(self, number: int, *, newest: int) -> None:
        """The server was too busy for request `number`; `newest` is the last one that was sent."""
        if not self._adaptive or number <= self._last_before_cut:
            return
        self.size = max(1, self.size // 2)
        self.cuts += 1
        self._successes = 0
        self._last_before_cut = newest
