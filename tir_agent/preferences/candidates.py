"""From a trajectory to a candidate."""

from __future__ import annotations

from collections.abc import Callable

from tir_agent.execution import ExecutionStatus
from tir_agent.messages import Tool
from tir_agent.preferences.code import digest, normalised_code
from tir_agent.preferences.conversation import Conversation, conversation_of
from tir_agent.preferences.examples import Candidate
from tir_agent.trajectory import Trajectory

__all__ = ["candidate_of", "estimated_tokens"]

_CHARS_PER_TOKEN = 4


def candidate_of(
    trajectory: Trajectory,
    *,
    tools: tuple[Tool, ...] = (),
    reward: float | None = None,
    change: Callable[[Conversation], Conversation] = lambda conversation: conversation,
    count: Callable[[Conversation], int] | None = None,
) -> Candidate:
    """What is to be chosen among, of a trajectory with a verdict.

    `change` may put another prompt in the place of the sampled one; `count` counts the tokens of what comes
    of it. Without it they are those of the last reply's context as the server counted them.

    Raises:
        ValueError: it has no verdict.
    """
    if trajectory.grade is None or trajectory.sample is None:
        raise ValueError("a trajectory without a verdict, or without a place among the samples")
    sampled = conversation_of(trajectory, tools)
    conversation = change(sampled)
    if count is not None:
        tokens = count(conversation)
    elif conversation == sampled and trajectory.usage.context_tokens:
        tokens = trajectory.usage.context_tokens
    else:
        tokens = estimated_tokens(conversation)
    codes = [cell.code for turn in trajectory.turns for cell in turn.cells]
    statuses = [cell.execution.status for turn in trajectory.turns for cell in turn.cells]
    return Candidate(
        trajectory=trajectory.id,
        problem=trajectory.problem.id,
        arm=trajectory.sample.arm,
        index=trajectory.sample.index,
        verdict=trajectory.grade.verdict,
        stop=trajectory.stop,
        answer=trajectory.answer,
        conversation=conversation,
        turns=len(trajectory.turns),
        cells=len(codes),
        errors=sum(status is not ExecutionStatus.OK for status in statuses),
        tokens=tokens,
        model_tokens=sum(turn.completion.completion_tokens for turn in trajectory.turns),
        reward=reward,
        exact=digest("\0".join(conversation.model_text())),
        code=digest(normalised_code(codes)),
    )


def estimated_tokens(conversation: Conversation) -> int:
    """A quarter of the characters."""
    return sum(len(message.content) for message in conversation.messages) // _CHARS_PER_TOKEN
