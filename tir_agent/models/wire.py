"""What OpenAI-compatible servers send, as far as it is read here.

Servers differ in what they add, so unknown fields are ignored and known ones may be missing; a value
of a wrong type is refused, because then nothing is known about the rest either.
"""

from __future__ import annotations

import builtins
import json
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

__all__ = [
    "CallDelta",
    "Choice",
    "Chunk",
    "Delta",
    "ErrorBody",
    "ModelCard",
    "ModelList",
    "Props",
    "RunningModels",
    "TokenCounts",
]


def _empty_for_null(value: object) -> object:
    return [] if value is None else value


def _zero_for_null(value: object) -> object:
    return 0 if value is None else value


def _empty_object_for_null(value: object) -> object:
    return {} if value is None else value


def _list_for_one(value: object) -> object:
    """TGI sends the one call in the place of a list of calls."""
    return [value] if isinstance(value, dict) else _empty_for_null(value)


def _text_for_object(value: object) -> object:
    """TGI sends a call's arguments as an object in the place of its text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


Count = Annotated[int, Field(ge=0), BeforeValidator(_zero_for_null)]


class Wire(BaseModel):
    """Base of all: what is not listed is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FunctionDelta(Wire):
    """The next piece of what is called."""

    name: str | None = None
    arguments: Annotated[str | None, BeforeValidator(_text_for_object)] = None


class CallDelta(Wire):
    """The next piece of a tool call."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta = FunctionDelta()


class Delta(Wire):
    """The next piece of a message."""

    content: str | None = None
    tool_calls: Annotated[list[CallDelta], BeforeValidator(_list_for_one)] = []
    reasoning_content: str | None = None
    """The thinking of reasoning models: SGLang, llama.cpp, DeepSeek."""
    reasoning: str | None = None
    """The same: vLLM, Ollama, OpenRouter."""


class TokenLogprob(Wire):
    """A sampled token and its natural logarithm of probability."""

    logprob: float
    id: int | None = None
    """llama.cpp."""
    token: str | None = None
    bytes: list[int] | None = None
    """Of the token's text, which may be part of a character."""

    @property
    def encoded(self) -> builtins.bytes | None:
        """The token's text; None where the server does not tell."""
        if self.bytes is not None:
            return builtins.bytes(self.bytes)
        return None if self.token is None else self.token.encode("utf-8", "replace")


class Logprobs(Wire):
    """Of the tokens of one piece, in either of two forms."""

    content: Annotated[list[TokenLogprob], BeforeValidator(_empty_for_null)] = []
    """Chats; with llama.cpp raw completions too."""
    token_logprobs: Annotated[list[float | None], BeforeValidator(_empty_for_null)] = []
    """Raw completions."""

    @property
    def values(self) -> list[float]:
        """One for each token."""
        return [token.logprob for token in self.content] or [
            value for value in self.token_logprobs if value is not None
        ]

    @property
    def ids(self) -> list[int]:
        """One for each token, where the server tells them here."""
        return [token.id for token in self.content if token.id is not None]


class Choice(Wire):
    """A piece of one of the replies asked for; only the one with index 0 is."""

    index: int = 0
    delta: Delta | None = None
    text: str | None = None
    """Raw completions: the next piece."""
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    """vLLM: the stop string, or the id of the stop token."""
    matched_stop: str | int | None = None
    """SGLang: the same."""
    token_ids: list[int] | None = None
    """vLLM, on request; SGLang's raw completions."""
    logprobs: Logprobs | None = None


class PromptDetails(Wire):
    """Of the tokens read."""

    cached_tokens: Count = 0
    """Those whose state the server still had from earlier requests: OpenAI, vLLM, SGLang, llama.cpp."""


class CompletionDetails(Wire):
    """Of the tokens written."""

    reasoning_tokens: Count = 0
    """Those of the thinking, whether or not it is sent."""


class TokenCounts(Wire):
    """Tokens read and written."""

    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    prompt_tokens_details: Annotated[PromptDetails, BeforeValidator(_empty_object_for_null)] = PromptDetails()
    completion_tokens_details: Annotated[CompletionDetails, BeforeValidator(_empty_object_for_null)] = (
        CompletionDetails()
    )


class Extension(Wire):
    """What SGLang adds to a whole answer."""

    output_ids: Annotated[list[list[int]], BeforeValidator(_empty_for_null)] = []
    """Token ids of each choice, on request."""


class Chunk(Wire):
    """One event of the stream."""

    sglext: Extension | None = None

    choices: Annotated[list[Choice], BeforeValidator(_empty_for_null)] = []
    usage: TokenCounts | None = None


class ErrorBody(Wire):
    """The `error` of a refusal."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    param: str | None = None
    n_ctx: int | None = None
    """llama.cpp: the context window in tokens, where the prompt is longer."""
    n_prompt_tokens: int | None = None

    detail: object = None
    """FastAPI's own refusals have this and nothing else."""

    @classmethod
    def of(cls, body: object) -> ErrorBody:
        """Read whatever an error came with: an object, a bare string, or nothing of use."""
        if isinstance(body, str):
            return cls(message=body)
        try:
            return cls.model_validate(body)
        except ValidationError:
            return cls()

    @property
    def field(self) -> str | None:
        """The field of the request that was refused, where the server names one."""
        if self.param is None and isinstance(self.detail, list) and self.detail:
            where = self.detail[0].get("loc") if isinstance(self.detail[0], dict) else None
            return str(where[1]) if isinstance(where, list) and len(where) > 1 else None
        return self.param

    @property
    def words(self) -> str | None:
        """What the server says, for a person to read."""
        text = self.message or (self.detail if isinstance(self.detail, str) else None)
        return " ".join(text.split())[:300].rstrip(".") if text else None


class ModelMeta(Wire):
    """What llama.cpp adds to a model's card."""

    n_ctx: int | None = None
    """The context window of one request in tokens."""


class ModelCard(Wire):
    """One model that a server offers."""

    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    """vLLM, SGLang: the context window in tokens."""
    meta: ModelMeta | None = None

    @property
    def context(self) -> int | None:
        """Tokens that one request may take, where the server tells."""
        return self.max_model_len or (self.meta.n_ctx if self.meta else None)


class ModelList(Wire):
    """The answer of `/models`."""

    data: Annotated[list[ModelCard], BeforeValidator(_empty_for_null)]


class RunningModel(Wire):
    """A model that Ollama holds in memory."""

    name: str
    context_length: int | None = None
    """The context window in tokens, as it was loaded."""


class RunningModels(Wire):
    """The answer of Ollama's `/api/ps`."""

    models: Annotated[list[RunningModel], BeforeValidator(_empty_for_null)] = []


class _GenerationSettings(Wire):
    n_ctx: int | None = None


class Props(Wire):
    """The answer of llama.cpp's `/props`."""

    build_info: str | None = None
    total_slots: int | None = None
    default_generation_settings: _GenerationSettings = _GenerationSettings()

    @property
    def context(self) -> int | None:
        """Tokens that one request may take."""
        return self.default_generation_settings.n_ctx
