"""When a run must come to its end."""

from __future__ import annotations

from tir_agent.agent.run import Run
from tir_agent.prompts import Feedback
from tir_agent.settings import Budget, Sampling
from tir_agent.trajectory import StopReason

__all__ = ["is_crowded", "reason_for", "room_for_reply", "spent"]


def reason_for(limit: StopReason, feedback: Feedback) -> str:
    """Why the next turn is the last, in the prompt's words."""
    reasons = {
        StopReason.TURN_LIMIT: feedback.turn_limit,
        StopReason.TOKEN_LIMIT: feedback.token_limit,
        StopReason.CONTEXT_FULL: feedback.token_limit,
        StopReason.TIME_LIMIT: feedback.time_limit,
        StopReason.ERROR_LIMIT: feedback.error_limit,
        StopReason.REPETITION: feedback.repetition,
    }
    return reasons[limit]


def spent(budget: Budget, run: Run) -> StopReason | None:
    """The limit that leaves room for one last turn and no more, or None."""
    reserve_seconds = min(budget.reserve_seconds, budget.max_seconds / 10)
    if len(run.turns) >= budget.max_turns - 1:
        return StopReason.TURN_LIMIT
    if run.model_tokens >= budget.max_model_tokens - budget.reserve_tokens:
        return StopReason.TOKEN_LIMIT
    if run.context_tokens >= budget.max_total_tokens - budget.reserve_tokens:
        return StopReason.TOKEN_LIMIT
    if is_crowded(budget, run):
        return StopReason.CONTEXT_FULL
    if run.seconds >= budget.max_seconds - reserve_seconds:
        return StopReason.TIME_LIMIT
    if run.errors_in_a_row >= budget.max_errors:
        return StopReason.ERROR_LIMIT
    if run.most_repeats >= budget.max_repeats:
        return StopReason.REPETITION
    return None


def is_crowded(budget: Budget, run: Run) -> bool:
    """Whether the model's context window has room for one short reply at most."""
    # A window that is smaller than the reserve would be crowded from the first.
    reserve = min(budget.reserve_tokens, (run.window or 0) // 4)
    return run.window is not None and run.context_tokens >= run.window - reserve


def room_for_reply(budget: Budget, sampling: Sampling, run: Run) -> int:
    """Tokens that the next reply may have; zero or less where there is no room at all."""
    room = min(
        sampling.max_tokens,
        budget.max_model_tokens - run.model_tokens,
        budget.max_total_tokens - run.context_tokens,
    )
    # Some servers refuse a limit that does not fit the window beside the prompt. What the prompt takes is
    # partly an estimate, so a full window is left for the server to find.
    if run.window is not None and run.context_tokens < run.window:
        room = min(room, run.window - run.context_tokens)
    return room
