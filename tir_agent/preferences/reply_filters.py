"""Filters that look at how a trajectory ended, and at the replies' text."""

from __future__ import annotations

import re
from typing import Final

from tir_agent.grades import Verdict
from tir_agent.trajectory import Feedback, FinishReason, StopReason, Trajectory, Turn

__all__ = ["budget_exhausted", "environment", "invented_output", "silent", "undecided"]

_NOT_THE_MODELS: Final = frozenset({StopReason.ERROR, StopReason.INTERRUPTED})
_DECIDED: Final = frozenset({Verdict.CORRECT, Verdict.WRONG})
_EXHAUSTED: Final = frozenset(
    {
        StopReason.TURN_LIMIT,
        StopReason.TOKEN_LIMIT,
        StopReason.TIME_LIMIT,
        StopReason.CONTEXT_FULL,
        StopReason.REPETITION,
        StopReason.ERROR_LIMIT,
        StopReason.NO_ACTION,
    }
)
# The run's own marks are the protocol's to find; these are the habits from other protocols.
_OUTPUT: Final = re.compile(
    r"^[ \t]*(?:`{3,}[ \t]*output\b|<(?:output|interpreter|tool_response|execution_results?|observation)>)",
    re.MULTILINE | re.IGNORECASE,
)
_LONGEST_LOOP: Final = 400
"""Characters of the longest piece whose repetition ends a reply."""


def environment(trajectory: Trajectory) -> bool:
    """The machinery failed, or the user stopped the run: this says nothing about the model."""
    return trajectory.stop in _NOT_THE_MODELS or trajectory.failure is not None


def undecided(trajectory: Trajectory) -> bool:
    """It is neither right nor wrong: not graded, or by a grader that could not tell or ran out of time."""
    return trajectory.grade is None or trajectory.grade.verdict not in _DECIDED


def silent(trajectory: Trajectory) -> bool:
    """The model wrote nothing that was kept."""
    called = any(turn.completion.tool_calls for turn in trajectory.turns)
    return not called and not any(text.strip() for text in trajectory.model_text())


def budget_exhausted(trajectory: Trajectory) -> bool:
    """The run came to a limit or to no end of its own; or the answer had to be forced."""
    forced = any(Feedback.FORCED in turn.feedback for turn in trajectory.turns)
    return forced or trajectory.stop in _EXHAUSTED


def invented_output(trajectory: Trajectory) -> bool:
    """A reply held output that the model made up: it was cut off there, or stands in what was kept."""
    return any(_cut_at_output(turn) or _shows_output(turn) for turn in trajectory.turns)


def _cut_at_output(turn: Turn) -> bool:
    text = turn.completion.text
    if turn.kept >= len(text):
        return False
    return turn.completion.finish_reason is not FinishReason.REPETITION or not _goes_on(text, turn.kept)


def _goes_on(text: str, kept: int) -> bool:
    """Whether what was cut off says the same piece again and again."""
    return any(
        text[kept - period : -period] == text[kept:] for period in range(1, min(_LONGEST_LOOP, kept) + 1)
    )


def _shows_output(turn: Turn) -> bool:
    text = turn.completion.text[: turn.kept]
    inside = [(cell.start, cell.end) for cell in turn.cells if cell.call_id is None]
    return any(
        not any(start <= mark.start() < end for start, end in inside) for mark in _OUTPUT.finditer(text)
    )
