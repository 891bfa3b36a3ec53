"""Refusals, each in the words and the form of its server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.profiles import ErrorForm, Overflow

__all__ = ["Refusal", "overflow"]

_VLLM_TYPES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    404: "NotFoundError",
    429: "RateLimitError",
}
_LLAMACPP_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    503: "unavailable_error",
}
_TGI_TYPES = {422: "validation", 424: "generation", 429: "overloaded"}


@dataclass
class Refusal(Exception):
    """A request that is answered with an error."""

    status: int
    message: str
    param: str | None = None
    code: str | None = None
    """OpenAI's word for it."""
    kind: str | None = None
    """The `type`, where the server has a special one."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """llama.cpp: further fields."""
    headers: Mapping[str, str] = field(default_factory=dict)
    detail: object = None
    """FastAPI's own body, in the place of any other."""

    def body(self, form: ErrorForm) -> dict[str, object]:
        """The JSON body."""
        if self.detail is not None:
            return {"detail": self.detail}
        match form:
            case ErrorForm.OPENAI:
                kind = self.kind or _openai_type(self.status)
                error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
                return {"error": error}
            case ErrorForm.VLLM:
                return {"error": self._with_status()}
            case ErrorForm.FLAT:
                return {"object": "error"} | self._with_status()
            case ErrorForm.LLAMACPP:
                kind = self.kind or _LLAMACPP_TYPES.get(self.status, "server_error")
                return {"error": {"code": self.status, "message": self.message, "type": kind, **self.counts}}
            case ErrorForm.TGI:
                return {"error": self.message, "error_type": _TGI_TYPES.get(self.status, "generation")}

    def _with_status(self) -> dict[str, object]:
        kind = _VLLM_TYPES.get(self.status, "InternalServerError")
        return {"message": self.message, "type": kind, "param": self.param, "code": self.status}


def _openai_type(status: int) -> str:
    if status == 404:
        return "not_found_error"
    return "invalid_request_error" if status < 500 else "server_error"


def overflow(rule: Overflow, prompt: int, limit: int | None, context: int) -> Refusal | None:
    """The refusal of a prompt of `prompt` tokens with `limit` more asked for; None where it fits."""
    total = prompt + (limit or 0)
    match rule:
        case Overflow.VLLM if total > context:
            return Refusal(
                400,
                f"You passed {prompt} input tokens and requested {limit or 0} output tokens. However, the "
                f"model's context length is only {context} tokens, resulting in a maximum input length of "
                f"{context - (limit or 0)} tokens. Please reduce the length of the input prompt.",
                param="input_tokens",
            )
        case Overflow.SGLANG if prompt >= context:
            return Refusal(
                400,
                f"The input ({prompt} tokens) is longer than the model's context length ({context} tokens).",
            )
        case Overflow.SGLANG if limit is not None and total >= context:
            return Refusal(
                400,
                f"Requested token count exceeds the model's maximum context length of {context} tokens. "
                f"You requested a total of {total} tokens: {prompt} tokens from the input messages and "
                f"{limit} tokens for the completion. Please reduce the number of tokens in the input "
                "messages or the completion to fit within the limit.",
            )
        case Overflow.OPENAI if prompt > context:
            return Refusal(
                400,
                f"This model's maximum context length is {context} tokens. However, your messages resulted "
                f"in {prompt} tokens. Please reduce the length of the messages.",
                param="messages",
                code="context_length_exceeded",
            )
        case Overflow.LLAMACPP if prompt >= context:
            return Refusal(
                400,
                f"request ({prompt} tokens) exceeds the available context size ({context} tokens), "
                "try increasing it",
                kind="exceed_context_size_error",
                counts={"n_prompt_tokens": prompt, "n_ctx": context},
            )
        case Overflow.TGI if total > context:
            return Refusal(
                422,
                f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {context}. "
                f"Given: {prompt} `inputs` tokens and {limit or 0} `max_new_tokens`",
            )
        case Overflow.TRUNCATED if prompt >= context:
            return Refusal(
                400,
                "the prompt is longer than the context length currently available to the model; shorten the "
                "prompt, adjust the context length in settings, or use a model with a longer context length",
            )
        case _:
            return None
