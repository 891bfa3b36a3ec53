"""What OpenAI-compatible servers send, as far as it is read here.

Servers differ in what they add, so unknown fields are ignored and known ones may be missing; a value
of a wrong type is refused, because then nothing is known about the rest either.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

__all__ = ["Choice", "Chunk", "Delta", "ErrorBody", "ModelCard", "ModelList", "Props", "TokenCounts"]


def _empty_for_null(value: object) -> object:
    return [] if value is None else value


def _zero_for_null(value: object) -> object:
    return 0 if value is None else value


def _empty_object_for_null(value: object) -> object:
    return {} if value is None else value


Count = Annotated[int, Field(ge=0), BeforeValidator(_zero_for_null)]


class Wire(BaseModel):
    """Base of all: what is not listed is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Delta(Wire):
    """The next piece of a message."""

    content: str | None = None
    reasoning_content: str | None = None
    """The thinking of reasoning models: SGLang, llama.cpp, DeepSeek."""
    reasoning: str | None = None
    """The same: vLLM, Ollama, OpenRouter."""


class TokenLogprob(Wire):
    """A sampled token and its natural logarithm of probability."""

    logprob: float


class Logprobs(Wire):
    """Of the tokens of one piece."""

    content: Annotated[list[TokenLogprob], BeforeValidator(_empty_for_null)] = []


class Choice(Wire):
    """A piece of one of the replies asked for; only the one with index 0 is."""

    index: int = 0
    delta: Delta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    """vLLM: the stop string, or the id of the stop token."""
    matched_stop: str | int | None = None
    """SGLang: the same."""
    token_ids: list[int] | None = None
    """vLLM, on request."""
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


class Chunk(Wire):
    """One event of the stream."""

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
    def words(self) -> str | None:
        """What the server says, for a person to read."""
        text = self.message or (self.detail if isinstance(self.detail, str) else None)
        return " ".join(text.split())[:300].rstrip(".") if text else None


class ModelCard(Wire):
    """One model that a server offers."""

    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    """vLLM, SGLang: the context window in tokens."""


class ModelList(Wire):
    """The answer of `/models`."""

    data: Annotated[list[ModelCard], BeforeValidator(_empty_for_null)]


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
