"""What logs of messages call their fields and roles, without case and punctuation."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from tir_agent.problems.rows import Fields
from tir_agent.problems.values import ABSENT, look

__all__ = ["ANSWERS", "BARE_ANSWER", "GOLDS", "IDS", "LABELS", "MODELS", "PROBLEMS", "REWARDS", "SPEAKERS"]
__all__ += ["Speaker", "named"]


class Speaker(StrEnum):
    """Who says a message of a log."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    OUTPUT = "output"
    CALL = "call"
    """The assistant, with a call of a function and nothing else."""


# fmt: off
SPEAKERS: Final = MappingProxyType({
    "system": Speaker.SYSTEM, "developer": Speaker.SYSTEM,
    "user": Speaker.USER, "human": Speaker.USER,
    "assistant": Speaker.ASSISTANT, "gpt": Speaker.ASSISTANT, "model": Speaker.ASSISTANT,
    "bot": Speaker.ASSISTANT, "chatgpt": Speaker.ASSISTANT,
    "tool": Speaker.OUTPUT, "function": Speaker.OUTPUT, "observation": Speaker.OUTPUT,
    "tool_response": Speaker.OUTPUT, "function_response": Speaker.OUTPUT, "ipython": Speaker.OUTPUT,
    "function_call": Speaker.CALL, "tool_call": Speaker.CALL,
})
PROBLEMS: Final = ("problem", "question", "query")
GOLDS: Final = (
    "gold", "gold_answer", "ground_truth", "reward_model.ground_truth", "expected_answer", "correct_answer",
    "reference_answer", "target",
)
BARE_ANSWER: Final = "answer"
"""The gold answer where no other field is, as in data sets; else what the model answered."""
ANSWERS: Final = (
    "predicted_answer", "prediction", "pred", "model_answer", "extracted_answer", "final_answer",
)
LABELS: Final = ("label", "correct", "is_correct", "success", "passed", "verdict")
REWARDS: Final = ("reward", "score", "outcome_reward")
MODELS: Final = ("model", "model_name", "generator", "policy")
IDS: Final = ("id", "uid", "uuid", "sample_id", "trajectory_id", "conversation_id", "example_id")
# fmt: on
_INSIDE: Final = ("metadata", "info", "extra_info")
"""Fields that hold others."""


def named(fields: Fields, names: tuple[str, ...]) -> tuple[str, object] | None:
    """The first of these fields that there is and that is not null, with its name."""
    for name in _everywhere(names):
        value = look(fields, name)
        if value is not ABSENT and value is not None:
            return name, value
    return None


def _everywhere(names: tuple[str, ...]) -> Iterator[str]:
    yield from names
    for outer in _INSIDE:
        yield from (f"{outer}.{name}" for name in names)
