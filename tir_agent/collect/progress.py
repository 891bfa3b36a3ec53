"""How a collection stands, for those who watch."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """A picture of one moment. Times are seconds."""

    elapsed: float = 0.0
    """Since this process began to collect."""
    before: int = 0
    """Trajectories that were in the log when it began."""
    done: int = 0
    """In the log now, those included."""
    expected: int = 0
    """As far as it is known: adaptive plans begin with the most that there can be, and come down."""
    problems: int = 0
    problems_done: int = 0
    correct: int = 0
    """Of `done`; so are the next three."""
    wrong: int = 0
    ungraded: int = 0
    """Ungradable, timed out, or without a gold answer."""
    answered: int = 0
    running: int = 0
    waiting_model: int = 0
    """Of `running`: waiting for a turn to ask the model."""
    in_model: int = 0
    """Of `running`: the model is writing."""
    waiting_kernel: int = 0
    """Of `running`: waiting for a kernel, or for a processor to run a cell."""
    in_kernel: int = 0
    """Of `running`: a cell is running."""
    completion_tokens: int = 0
    """Written by the model since this process began, in trajectories that are done."""
    tokens_per_second: float = 0.0
    """Over the last half minute."""
    per_minute: float = 0.0
    """Trajectories a minute, over the last minutes."""
    seconds_left: float | None = None
    """Null until it can be told."""
    failures: dict[str, int] = field(default_factory=dict)
    """Failures of the machinery by kind, all tries included."""
    retrying: int = 0
    """Samples that failed and will be tried again."""
    given_up: int = 0
    """Samples that failed too often: missing, until the run is resumed."""
    paused: str | None = None
    """Why nothing new is begun at the moment."""
    cost: float | None = None
    currency: str = "USD"
    stopping: bool = False
    """It was asked to stop, and waits for what is under way."""
