"""The profiles. Each value that differs from the default is in the README, with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from conformance.profiles import (
    ContextShown,
    ErrorForm,
    FinishNames,
    HoldBack,
    Overflow,
    Prefill,
    Profile,
    Role,
    StreamUsage,
    Thinking,
    ToolStream,
    UnknownFields,
)

__all__ = [
    "FASTAPI_STRICT",
    "GEMMA",
    "LLAMACPP",
    "OLLAMA",
    "OPENAI",
    "OPENAI_REASONING",
    "OPENROUTER",
    "PROFILES",
    "SGLANG",
    "TGI",
    "VLLM",
]

VLLM: Final = Profile(
    name="vllm",
    owned_by="vllm",
    context_shown=ContextShown.MODELS,
    errors=ErrorForm.VLLM,
    overflow=Overflow.VLLM,
    prefill=Prefill.ON_REQUEST,
    prefill_excludes_generation_prompt=True,
    keep_stop_field="include_stop_str_in_output",
    stop_field="stop_reason",
    hold_back=HoldBack.FIXED,
    token_ids_field="return_token_ids",
    prompt_ids_field="return_token_ids",
    tool_ids="chatcmpl-tool-{}",
    thinking=Thinking.REASONING,
    finish_alone=False,
)

SGLANG: Final = Profile(
    name="sglang",
    owned_by="sglang",
    context_shown=ContextShown.MODELS,
    errors=ErrorForm.FLAT,
    overflow=Overflow.SGLANG,
    checks_model=False,
    prefill=Prefill.ON_REQUEST,
    keep_stop_field="no_stop_trim",
    stop_field="matched_stop",
    token_ids_field="return_token_ids",
    prompt_ids_field="return_prompt_token_ids",
    thinking=Thinking.REASONING_CONTENT,
)

OLLAMA: Final = Profile(
    name="ollama",
    owned_by="library",
    context=4096,
    overflow=Overflow.TRUNCATED,
    default_completion=None,
    prefill=Prefill.ALWAYS,
    limit_fields=("max_tokens",),
    several=False,
    tool_stream=ToolStream.WHOLE,
    thinking=Thinking.REASONING,
    role=Role.FIRST_CHUNK,
)

OPENAI: Final = Profile(
    name="openai",
    owned_by="openai",
    context=128_000,
    completions=False,
    unknown=UnknownFields.REFUSED,
    most_stops=4,
    tool_answers_checked=True,
    thinking=Thinking.HIDDEN,
    usage=StreamUsage.NULL_ELSEWHERE,
)

OPENAI_REASONING: Final = replace(
    OPENAI,
    name="openai-reasoning",
    limit_fields=("max_completion_tokens",),
    refused={"max_tokens": (), "temperature": (1,), "top_p": (1,), "stop": (), "logprobs": (False,)},
)

LLAMACPP: Final = Profile(
    name="llamacpp",
    owned_by="llamacpp",
    context=4096,
    context_shown=ContextShown.PROPS,
    errors=ErrorForm.LLAMACPP,
    overflow=Overflow.LLAMACPP,
    checks_model=False,
    default_completion=None,
    prefill=Prefill.ALWAYS,
    prefill_echoed=True,
    usage_counts_all=False,
    thinking=Thinking.REASONING_CONTENT,
)

TGI: Final = Profile(
    name="tgi",
    owned_by="tgi",
    context=4096,
    errors=ErrorForm.TGI,
    overflow=Overflow.TGI,
    checks_model=False,
    default_completion=None,
    prefill=Prefill.ALWAYS,
    several=False,
    stop_kept=True,
    stop_at_token_end=True,
    most_stops=4,
    hold_back=HoldBack.NOTHING,
    tool_stream=ToolStream.NAME_IN_FIRST,
    tool_ids="0",
    thinking=Thinking.INLINE,
    finish=FinishNames(stop_string="stop_sequence", tool_calls="stop"),
    finish_alone=False,
    role=Role.EVERY_CHUNK,
)

OPENROUTER: Final = replace(
    OPENAI,
    name="openrouter",
    unknown=UnknownFields.IGNORED,
    tool_answers_checked=False,
    thinking=Thinking.REASONING,
    usage=StreamUsage.ALWAYS,
    comment="OPENROUTER PROCESSING",
)

GEMMA: Final = replace(VLLM, name="gemma", system_role=False, alternating=True)
"""vLLM with the template of Gemma, which has no system role."""

FASTAPI_STRICT: Final = replace(VLLM, name="fastapi-strict", unknown=UnknownFields.DETAIL_LIST)
"""A server made with FastAPI whose request model forbids extra fields."""

PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (
        VLLM,
        SGLANG,
        OLLAMA,
        OPENAI,
        OPENAI_REASONING,
        LLAMACPP,
        TGI,
        OPENROUTER,
        GEMMA,
        FASTAPI_STRICT,
    )
}
