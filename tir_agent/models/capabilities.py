"""What a model server can do, as far as an agent that uses it must know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from tir_agent.settings import ConversationForm, Sampling

__all__ = ["Capabilities", "Findings", "LimitField", "Prefill"]


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
    echo: bool = False
    """The continued message comes again, before what is new. The client takes it off."""
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

    def notes(
        self,
        sampling: Sampling,
        *,
        stop: Sequence[str] = (),
        tokens: bool = False,
        tools: bool = False,
        system: bool = False,
        form: ConversationForm = ConversationForm.MESSAGES,
    ) -> tuple[str, ...]:
        """One sentence for each thing that is asked for and that the server was not seen to do."""
        random = sampling.temperature > 0
        room = self.context_tokens
        notes = {
            "The server has no chat: it can only complete raw text": not self.chat
            and form is not ConversationForm.COMPLETION,
            "The server does not complete raw text": not self.completions
            and form is ConversationForm.COMPLETION,
            "The server does not continue a message of the assistant's": self.prefill is Prefill.NONE
            and form is ConversationForm.PREFILL,
            "The server takes no system message": system and not self.system,
            "The server calls no tools": tools and not self.tools,
            "The server takes neither temperature nor top_p: it samples in its own way": not self.sampling,
            "The server ignores seeds: the same seed gives another reply": not self.seed
            and sampling.seed is not None
            and (random or not self.sampling),
            "The server does not end replies at stop strings: they are cut here, and their tokens are "
            "estimated": bool(stop) and not self.stop,
            "The server gives no logprobs": tokens and not self.logprobs,
            "The server gives no token ids": tokens and not self.token_ids,
            "The server does not count the tokens of a stream: counts are estimated": not self.stream_usage,
            f"The server's context of {room} tokens has no room for a reply of {sampling.max_tokens}": room
            is not None
            and sampling.max_tokens >= room,
        }
        return tuple(sentence for sentence, applies in notes.items() if applies)


class Findings(BaseModel):
    """What became of the question what a server can do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capabilities: Capabilities
    unknown: frozenset[str] = frozenset()
    """Fields of `capabilities` that could not be found out, and have their default."""
    passing: bool = False
    """Some questions met a failure that may pass, so that the answers are not worth keeping."""
    asked: datetime
