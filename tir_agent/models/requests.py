"""What is sent to an OpenAI-compatible server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

from tir_agent.messages import Message, Role, Tool
from tir_agent.models.base import Listener
from tir_agent.models.capabilities import Capabilities, LimitField, Prefill
from tir_agent.models.estimate import estimate_tokens
from tir_agent.settings import Sampling

__all__ = ["MOST_STOPS", "Dialect", "Endpoint", "Request", "body_of", "token_fields", "tool_fields"]

MOST_STOPS: Final = 4
"""OpenAI refuses more; those beyond are watched for on this side alone."""
_TOKEN_IDS: Final = "return_token_ids"
"""vLLM, and SGLang where it does not stream a chat."""
_OUTPUT_IDS: Final = "return_output_ids"
"""SGLang."""
_DISPENSABLE: Final = frozenset(
    {"stream_options", "stop", "logprobs", "top_logprobs", "tool_choice", _TOKEN_IDS, _OUTPUT_IDS}
)
"""Fields that can be left out where a server refuses them: the reply's text stays the same."""


class Endpoint(StrEnum):
    """Where a request goes, below the server's address."""

    CHAT = "/chat/completions"
    COMPLETIONS = "/completions"


@dataclass
class Request:
    """What was asked, and what came of it so far."""

    messages: Sequence[Message]
    sampling: Sampling
    stop: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    tokens: bool = False
    """Token ids and logprobs are asked for."""
    listener: Listener | None = None
    late: float = math.inf
    """When it is of no use any more to send it, by the event loop's clock."""
    sent: int = 0
    """Requests."""
    queued: float = 0.0
    """Seconds for which it waited for its turn."""
    trouble: str | None = None
    """Why the last one failed."""

    def __post_init__(self) -> None:
        raw = [message for message in self.messages if message.role is Role.RAW]
        if raw and len(self.messages) > 1:
            raise ValueError("raw text stands alone: it has no place among messages")

    @property
    def room(self) -> int:
        """Tokens as services reckon them beforehand: the prompt, and the longest reply that it may have."""
        return sum(estimate_tokens(message.content) for message in self.messages) + self.sampling.max_tokens

    @property
    def endpoint(self) -> Endpoint:
        """A raw text is completed, anything else is a chat."""
        raw = bool(self.messages) and self.messages[0].role is Role.RAW
        return Endpoint.COMPLETIONS if raw else Endpoint.CHAT

    @property
    def prefill(self) -> str | None:
        """The content of the assistant's message that is to be continued; None where a new one is."""
        last = self.messages[-1] if self.messages else None
        if last is None or last.role is not Role.ASSISTANT or last.tool_calls:
            return None
        return last.content

    @property
    def call_ids(self) -> frozenset[str]:
        """Of the calls that the conversation has already."""
        return frozenset(call.id for message in self.messages for call in message.tool_calls)

    def restart(self, trouble: str) -> None:
        """The attempt failed, and there will be another."""
        self.trouble = trouble
        if self.listener is not None:
            self.listener.restart(trouble)


@dataclass(frozen=True)
class Dialect:
    """How one server wants to be asked: learnt from its refusals, or known from its capabilities."""

    limit: LimitField = LimitField.MAX_TOKENS
    sampling: bool = True
    """`temperature` and `top_p` are sent."""
    left_out: frozenset[str] = field(default_factory=frozenset)

    def knowing(self, capabilities: Capabilities) -> Self:
        """This dialect with what was found out about the server."""
        return replace(self, limit=capabilities.limit_field, sampling=capabilities.sampling)

    def adapted(self, refused: str | None, body: dict[str, object]) -> Self | None:
        """The dialect without the field that the server refused in `body`; None where that is no way out.

        `refused` is None where the server does not name the field. Then an extension of the API that
        was asked for is the first suspect.
        """
        if refused is None:
            refused = next((name for name in (_TOKEN_IDS, _OUTPUT_IDS) if name in body), None)
        if refused is None or refused not in body:
            return None
        if refused == LimitField.MAX_TOKENS and self.limit is LimitField.MAX_TOKENS:
            return replace(self, limit=LimitField.MAX_COMPLETION_TOKENS)
        if refused in _DISPENSABLE:
            return replace(self, left_out=self.left_out | {refused})
        return None


def body_of(request: Request, model: str, dialect: Dialect, prefill: Prefill) -> dict[str, object]:
    """The body of a request, to be posted to its `endpoint`. `prefill` is what the server can do."""
    sampling = request.sampling
    body: dict[str, object] = {"model": model}
    if request.endpoint is Endpoint.COMPLETIONS:
        body["prompt"] = _clean(request.messages[0].content)
    else:
        body["messages"] = [_message(message) for message in request.messages]
    if dialect.sampling:
        body |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
    body |= {
        dialect.limit.value: sampling.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    extra = {"seed": sampling.seed, "top_k": sampling.top_k, "min_p": sampling.min_p}
    body |= {name: value for name, value in extra.items() if value is not None}
    if request.stop:
        body["stop"] = list(request.stop[:MOST_STOPS])
    if request.tools:
        body |= tool_fields(request.tools)
    if request.prefill is not None and prefill is Prefill.ON_REQUEST:
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    if request.tokens:
        body |= token_fields(request.endpoint, dialect)
    return {name: value for name, value in body.items() if name not in dialect.left_out}


def tool_fields(tools: Sequence[Tool], choice: str = "auto") -> dict[str, object]:
    """The fields that offer `tools`."""
    return {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in tools
        ],
        "tool_choice": choice,
    }


def token_fields(endpoint: Endpoint, dialect: Dialect) -> dict[str, object]:
    """The fields that ask for logprobs and token ids."""
    # Of llama.cpp's twenty alternatives for each token, one is enough; without the field it sends all.
    logprobs: dict[str, object] = (
        {"logprobs": 1} if endpoint is Endpoint.COMPLETIONS else {"logprobs": True, "top_logprobs": 1}
    )
    if "logprobs" in dialect.left_out:
        logprobs = {}
    # SGLang refuses the one where it streams a chat, and then has the other.
    ids = _OUTPUT_IDS if _TOKEN_IDS in dialect.left_out else _TOKEN_IDS
    return logprobs | {ids: True}


def _message(message: Message) -> dict[str, object]:
    said: dict[str, object] = {"role": message.role.value, "content": _clean(message.content)}
    if message.tool_calls:
        said["content"] = said["content"] or None
        said["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _clean(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.call_id is not None:
        said["tool_call_id"] = message.call_id
    return said


def _clean(text: str) -> str:
    """A lone surrogate, which a cell can print, cannot be sent at all."""
    return text.encode("utf-8", "replace").decode()
