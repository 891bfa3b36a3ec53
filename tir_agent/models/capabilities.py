"""What a model server can do, as far as an agent that uses it must know."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Capabilities", "LimitField", "Prefill"]


class Prefill(StrEnum):
    """What a server makes of a conversation whose last message is the assistant's."""

    NONE = "none"
    """It refuses it, or answers it with a message of its own."""
    BY_ITSELF = "by itself"
    """It continues that message."""
    ON_REQUEST = "on request"
    """It continues that message where `continue_final_message` says so."""


class LimitField(StrEnum):
    """The field for the most tokens of a reply."""

    MAX_TOKENS = "max_tokens"
    MAX_COMPLETION_TOKENS = "max_completion_tokens"


class Capabilities(BaseModel):
    """What works with one model on one server.

    The defaults are what can be asked of any of them: a chat, streamed, with stop strings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chat: bool = True
    """`/chat/completions`, which a base model's server may lack."""
    completions: bool = False
    """`/completions`: a raw prompt, which no template is laid around."""
    prefill: Prefill = Prefill.NONE
    tools: bool = False
    """A function that is offered is called, in the API's form."""
    stop: bool = True
    """Stop strings end a reply."""
    stop_text: bool = False
    """The server tells which stop string ended a reply."""
    n: bool = False
    """Several replies to one request."""
    seed: bool = False
    """The same seed gives the same reply."""
    logprobs: bool = False
    token_ids: bool = False
    """The ids of a reply's tokens are told on request."""
    stream_usage: bool = False
    """Token counts come with a stream."""
    limit_field: LimitField = LimitField.MAX_TOKENS
    sampling: bool = True
    """`temperature` and `top_p` are taken, which some reasoning models refuse."""
    system: bool = True
    """A system message is taken."""
    reasoning_field: str | None = None
    """The field in which the model's thinking comes, where it comes apart from the reply."""
    context_tokens: int | None = Field(default=None, ge=1)
    """Tokens that prompt and reply together may have, where the server tells."""
