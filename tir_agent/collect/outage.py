"""Telling a sample that fails from a machine that fails.

A sample that fails while others succeed is at fault itself, or has bad luck: it is tried again a few times,
then given up. Where nothing succeeds, the server or the sandbox is gone: no sample is to blame, nothing new
begins for a while, then one at a time to see whether it is back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tir_agent.store import Key

__all__ = ["Outage"]

_LONGEST: Final = 30.0
"""Seconds from one attempt to the next, while nothing works."""


@dataclass
class _Tries:
    failures: int = 0
    """Those that count against the sample."""
    successes: int = 0
    """Of others, when it last failed or first began."""


class Outage:
    """Hears of every success and failure; times are seconds by one clock of the caller's."""

    def __init__(self) -> None:
        self._successes = 0
        self._tries: dict[Key, _Tries] = {}
        self._rounds = 0
        self.since: float | None = None
        """When the outage began that lasts now; None where there is none."""
        self.reason: str | None = None
        """What the newest failure of it said."""
        self._next = 0.0

    @property
    def ever_succeeded(self) -> bool:
        return self._successes > 0

    def began(self, key: Key) -> None:
        """A sample is begun."""
        self._tries.setdefault(key, _Tries(successes=self._successes))

    def succeeded(self, key: Key) -> None:
        """A trajectory came."""
        self._tries.pop(key, None)
        self._successes += 1
        self.since = self.reason = None
        self._rounds = 0

    def failed(self, key: Key, reason: str, now: float, *, machine: bool = True) -> int:
        """The machinery failed over a sample; returns how many failures are this sample's own by now.

        `machine` is False where the failure cannot be that of the whole machine: the server is there, but
        refused this request.
        """
        tries = self._tries.setdefault(key, _Tries(successes=self._successes))
        if not machine or self._successes > tries.successes:
            tries.failures += 1
            tries.successes = self._successes
            return tries.failures
        if self.since is None:
            self.since = now
        if now >= self._next:
            # Those that began together fail together: that is one round.
            self._next = now + min(2.0**self._rounds, _LONGEST)
            self._rounds += 1
        self.reason = reason
        return tries.failures

    def forget(self, key: Key) -> None:
        """The sample is given up."""
        self._tries.pop(key, None)

    def room(self, running: int, now: float) -> bool:
        """Whether a sample may begin now, while `running` are under way."""
        return self.since is None or (now >= self._next and running == 0)

    def wait(self, now: float) -> float | None:
        """Seconds until the next may be tried; None where there is no outage."""
        return None if self.since is None else max(self._next - now, 0.0)

    def lasted(self, now: float) -> float:
        """Seconds that nothing has worked."""
        return 0.0 if self.since is None else now - self.since
