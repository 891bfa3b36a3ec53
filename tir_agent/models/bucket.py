"""A token bucket: so many units a minute, with short bursts."""

from __future__ import annotations

from typing import Final

__all__ = ["BURST", "Bucket"]

BURST: Final = 0.1
"""The part of a minute's units that may go at once. Services count in shorter windows than a minute."""
_MINUTE: Final = 60.0
_ROUNDING: Final = 1e-6


class Bucket:
    """Holds a tenth of a minute's units, at least one, and fills at the rate that makes up for it.

    So any minute that begins with a full bucket still has no more than the limit: the burst, and
    what flows in during the minute. The one exception is a request that is larger than the bucket: it
    passes when the bucket is full, and leaves a debt that those after it wait for. Times are in seconds
    since any moment in the past.

    Turner, "New directions in communications", IEEE Communications Magazine 24(10), 1986.
    """

    def __init__(self, per_minute: int) -> None:
        self._since = 0.0
        self._set(per_minute)
        self._level = self._capacity

    def change(self, per_minute: int, now: float) -> None:
        """So many units a minute from now on; what is in it stays, as far as there is room."""
        self._fill(now)
        self._set(per_minute)
        self._level = min(self._level, self._capacity)

    def _set(self, per_minute: int) -> None:
        self._capacity = max(1.0, per_minute * BURST)
        # Of whole units the first of a burst and one that comes a minute after it are in different minutes.
        self._rate = (per_minute - self._capacity + 1) / _MINUTE

    def ready_at(self, units: float, now: float) -> float:
        """When `units` may be taken if nobody else takes any; `now` or earlier means at once."""
        self._fill(now)
        missing = min(units, self._capacity) - self._level
        return now if missing <= _ROUNDING else now + missing / self._rate

    def take(self, units: float, now: float) -> None:
        """Take `units`, which may leave a debt; negative ones are given back."""
        self._fill(now)
        self._level = min(self._level - units, self._capacity)

    def _fill(self, now: float) -> None:
        if now > self._since:
            self._level = min(self._level + (now - self._since) * self._rate, self._capacity)
            self._since = now
