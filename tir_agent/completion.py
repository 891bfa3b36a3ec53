"""What came back from a model. Plain data, a part of the trajectory."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tir_agent.messages import Record, ToolCall

__all__ = ["Completion", "FinishReason"]


class FinishReason(StrEnum):
    """Why the model stopped writing."""

    STOP = "stop"
    """It ended its turn, or a stop string was met."""
    LENGTH = "length"
    """It was cut off at its token limit."""
    FILTERED = "content_filter"
    """The server withheld the rest."""
    REPETITION = "repetition"
    """It was stopped here, since it wrote the same again and again."""
    ABORTED = "aborted"
    """The run was stopped or ran out of time meanwhile; the text is what had come until then."""


class Completion(Record):
    """One reply of the model, verbatim."""

    text: str
    """Without the stop string, whether or not the server returns it."""
    finish_reason: FinishReason
    stop_text: str | None = None
    """The stop string that ended the reply, where the server or the client's own check tells."""
    reasoning: str | None = None
    """The separate thinking field of reasoning models, where the server has one."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Functions that the reply calls, where the model was offered some."""
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    """Those of the prompt's tokens that the server had kept from earlier requests, where it tells."""
    reasoning_tokens: int = Field(default=0, ge=0)
    """Those of the completion's tokens that were thinking, where the server tells."""
    estimated: bool = False
    """True where the server gave no token counts and they were estimated from the characters."""
    token_ids: tuple[int, ...] | None = None
    """Of the text's tokens, and perhaps of what ended it; null where not all of them came."""
    logprobs: tuple[float, ...] | None = None
    """Natural logarithms, one for each completion token."""
    duration: float = Field(ge=0)
    """Seconds from the request to the last character, retries and waiting for a turn included."""
    attempts: int = Field(default=1, ge=1)
    """Requests it took; more than one means that earlier ones failed and were retried."""
    queued: float = Field(default=0.0, ge=0)
    """Seconds of `duration` for which it waited for its turn in the rate limiter."""

    @property
    def cut_off(self) -> bool:
        """Whether it was stopped before the model had come to an end."""
        return self.finish_reason is not FinishReason.STOP

    @property
    def mean_logprob(self) -> float | None:
        """Of a token, by the natural logarithm; None where the server gave no logprobs, or no token."""
        return sum(self.logprobs) / len(self.logprobs) if self.logprobs else None
