"""How long to wait for a server, and how often to try again."""

from __future__ import annotations

from dataclasses import dataclass

import tenacity

from tir_agent.models.faults import Passing

__all__ = ["Patience", "failure_of"]


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to try again. All times are in seconds."""

    connect: float = 10.0
    first_chunk: float = 300.0
    """From the request to the first piece: the server may have a queue, and long prompts take time."""
    stall: float = 60.0
    """Between two pieces."""
    attempts: int = 5
    """At most, unless the server says that it is busy (429, 503): then until the deadline."""
    first_wait: float = 0.5
    """Before the second attempt, and its random part; doubled each time."""
    longest_wait: float = 20.0

    def wait(self, state: tenacity.RetryCallState) -> float:
        """Seconds until the next attempt."""
        backoff = tenacity.wait_exponential(
            multiplier=self.first_wait, max=self.longest_wait
        ) + tenacity.wait_random(0, self.first_wait)
        return max(backoff(state), failure_of(state).wait or 0.0)

    def is_over(self, state: tenacity.RetryCallState, timeout: float) -> bool:
        """Whether there is no other attempt; `timeout` seconds are all that there are."""
        if not failure_of(state).busy and state.attempt_number >= self.attempts:
            return True
        return (state.seconds_since_start or 0.0) + state.upcoming_sleep >= timeout


def failure_of(state: tenacity.RetryCallState) -> Passing:
    """What the last attempt failed of."""
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, Passing)
    return error
