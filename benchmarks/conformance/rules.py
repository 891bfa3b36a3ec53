"""Rules that a request can break: fields that are not taken, messages in an order that is not taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from conformance.profiles import Profile, UnknownFields
from conformance.refusals import Refusal
from conformance.requests import Turn

__all__ = ["check_alternation", "check_fields", "check_tool_answers"]

_COMMON: Final = (
    *("model", "n", "stop", "seed", "user", "stream", "top_p", "logprobs", "logit_bias", "max_tokens"),
    *("temperature", "stream_options", "presence_penalty", "frequency_penalty"),
)
_CHAT: Final = frozenset(_COMMON) | {
    *("messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
    *("max_completion_tokens", "top_logprobs", "response_format", "reasoning_effort", "verbosity"),
    *("metadata", "store", "service_tier", "prediction", "modalities", "audio", "web_search_options"),
    *("prompt_cache_key", "safety_identifier"),
}
_COMPLETION: Final = frozenset(_COMMON) | {"prompt", "best_of", "echo", "suffix"}


def check_fields(body: Mapping[str, object], profile: Profile, *, chat: bool) -> None:
    """Refuse fields that this server does not know, or does not take.

    Raises:
        Refusal: as OpenAI does, for the first one only.
    """
    known = _CHAT if chat else _COMPLETION
    unknown = [name for name in body if name not in known]
    if unknown and profile.unknown is UnknownFields.REFUSED:
        name = unknown[0]
        raise Refusal(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    if unknown and profile.unknown is UnknownFields.DETAIL_LIST:
        detail = [
            {
                "type": "extra_forbidden",
                "loc": ["body", name],
                "msg": "Extra inputs are not permitted",
                "input": body[name],
            }
            for name in unknown
        ]
        raise Refusal(422, "unknown fields", detail=detail)
    for name in body:
        allowed = profile.refused.get(name)
        if allowed is None or body[name] is None or body[name] in allowed:
            continue
        if allowed and name != "logprobs":
            raise Refusal(
                400,
                f"Unsupported value: '{name}' does not support {body[name]} with this model. "
                f"Only the default ({allowed[0]}) value is supported.",
                param=name,
                code="unsupported_value",
            )
        instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
        raise Refusal(
            400,
            f"Unsupported parameter: '{name}' is not supported with this model.{instead}",
            param=name,
            code="unsupported_parameter",
        )


def check_alternation(turns: tuple[Turn, ...]) -> None:
    """User and assistant must take turns, after one system message at most.

    Raises:
        Refusal: they do not.
    """
    expected = "user"
    for turn in turns[turns[0].role == "system" :]:
        if turn.role != expected:
            raise Refusal(400, "Conversation roles must alternate user/assistant/user/assistant/...")
        expected = "assistant" if expected == "user" else "user"


def check_tool_answers(turns: tuple[Turn, ...]) -> None:
    """Each tool call must be answered at once, and each answer belong to a call.

    Raises:
        Refusal: a call or an answer stands alone.
    """
    open_calls: set[str] = set()
    for number, turn in enumerate(turns):
        if turn.role == "tool":
            if turn.answers not in open_calls:
                raise Refusal(
                    400,
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding "
                    "message with 'tool_calls'.",
                    param=f"messages.[{number}].role",
                )
            open_calls.discard(turn.answers)
            continue
        if open_calls:
            break
        open_calls = {call.id for call in turn.calls}
    if open_calls:
        raise Refusal(
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: "
            f"{', '.join(sorted(open_calls))}",
            param="messages",
        )
