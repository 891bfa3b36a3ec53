"""What a training set is made of, whatever trainer reads it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from tir_agent.grades import Verdict
from tir_agent.messages import Record
from tir_agent.preferences.conversation import Conversation
from tir_agent.trajectory import Problem, StopReason

__all__ = ["Candidate", "Example", "Labelled", "Pair", "Solution", "sides"]


class Candidate(Record):
    """A trajectory that may become an example, with what the choice among several looks at."""

    trajectory: str
    """Its id."""
    problem: str
    """Its problem's id."""
    arm: str
    index: int = Field(ge=0)
    verdict: Verdict
    stop: StopReason
    answer: str | None
    conversation: Conversation
    turns: int = Field(ge=0)
    cells: int = Field(ge=0)
    errors: int = Field(ge=0)
    """Cells that did not run to their end."""
    tokens: int = Field(ge=0)
    """Of the conversation. Counted by the tokenizer where one is named, otherwise as the server counted its
    context, or a quarter of the characters where it did not."""
    model_tokens: int = Field(ge=0)
    """Those that the model wrote, by the server's count."""
    reward: float | None = None
    exact: str
    """Digest of what the model wrote; equal where that is equal."""
    code: str
    """Digest of its code, normalised (`normalised_code`); equal for the same programs in other words."""

    @property
    def right(self) -> bool:
        return self.verdict is Verdict.CORRECT


class Solution(Record):
    """For SFT: a conversation to imitate."""

    kind: Literal["sft"] = "sft"
    id: str
    """16 hexadecimal digits of what the example is made of: the same example has the same id everywhere."""
    problem: Problem
    side: Candidate


class Labelled(Record):
    """For KTO: a conversation that is desirable or not."""

    kind: Literal["kto"] = "kto"
    id: str
    problem: Problem
    side: Candidate
    label: bool
    """True for desirable."""


class Pair(Record):
    """For DPO, whole or a step: two conversations that were given the same messages."""

    kind: Literal["dpo", "steps"]
    id: str
    problem: Problem
    chosen: Candidate
    rejected: Candidate
    margin: float | None = None
    """The chosen one's reward minus the rejected one's, where both have one."""
    prefix_turns: int = Field(default=0, ge=0)
    """Replies of the model that are given to both."""


Example: TypeAlias = Solution | Labelled | Pair


def sides(example: Example) -> tuple[Candidate, ...]:
    """The trajectories' parts of an example: one, or the chosen and the rejected one."""
    if isinstance(example, Pair):
        return example.chosen, example.rejected
    return (example.side,)
