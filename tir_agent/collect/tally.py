"""Counting what comes in, and what it makes of the time that is left."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Final

from tir_agent.trajectory import StopReason, Trajectory, Verdict

__all__ = ["Rate", "Tally"]

_UNGRADED: Final = frozenset({Verdict.UNGRADABLE, Verdict.TIMEOUT, None})


class Rate:
    """Something a second, over the last `window` seconds. Forgets by the second, so that it stays small."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._began = time.monotonic()
        self._seconds: deque[tuple[int, float]] = deque()

    def add(self, amount: float) -> None:
        second = int(time.monotonic())
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + amount)
        else:
            self._seconds.append((second, amount))
        self._forget()

    def per_second(self) -> float:
        self._forget()
        span = min(self._window, time.monotonic() - self._began)
        return sum(amount for _, amount in self._seconds) / span if span > 0 else 0.0

    def _forget(self) -> None:
        oldest = time.monotonic() - self._window
        while self._seconds and self._seconds[0][0] < oldest - 1:
            self._seconds.popleft()


class Tally:
    """Sums over trajectories."""

    def __init__(self) -> None:
        self.done = 0
        self.verdicts: Counter[Verdict | None] = Counter()
        self.answered = 0
        self.completion_tokens = 0
        self.failures: Counter[str] = Counter()
        self.given_up = 0
        self.cost: float | None = None
        self.currency = "USD"
        self.tokens = Rate(30.0)
        self.trajectories = Rate(180.0)

    @property
    def correct(self) -> int:
        return self.verdicts[Verdict.CORRECT]

    @property
    def wrong(self) -> int:
        return self.verdicts[Verdict.WRONG]

    @property
    def ungraded(self) -> int:
        return sum(self.verdicts[verdict] for verdict in _UNGRADED)

    def restore(self, verdict: Verdict | None, stop: StopReason) -> None:
        """One that was in the log already."""
        self.done += 1
        self.verdicts[verdict] += 1
        self.answered += stop is StopReason.ANSWERED

    def add(self, trajectory: Trajectory) -> None:
        """One that came now."""
        self.restore(trajectory.grade.verdict if trajectory.grade else None, trajectory.stop)
        usage = trajectory.usage
        self.completion_tokens += usage.completion_tokens
        self.tokens.add(usage.completion_tokens)
        self.trajectories.add(1)
        if usage.cost is not None:
            self.cost = (self.cost or 0.0) + usage.cost.amount
            self.currency = usage.cost.currency
