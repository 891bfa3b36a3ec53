"""From the body of a request to a `Request`, by the rules of one server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from conformance.profiles import Prefill, Profile
from conformance.refusals import Refusal
from conformance.requests import Request, ToolCall, Turn
from conformance.rules import check_alternation, check_fields, check_tool_answers
from conformance.tokens import Tokenizer, UnknownToken

__all__ = ["read_request"]

Body = Mapping[str, object]
T = TypeVar("T")


def read_request(body: Body, profile: Profile, tokenizer: Tokenizer, *, chat: bool) -> Request:
    """The request in `body`.

    Raises:
        Refusal: this server would not take it.
    """
    check_fields(body, profile, chat=chat)
    turns = _turns(body, profile) if chat else ()
    stop = _stop(body, profile)
    options = _get(body, "stream_options", dict) or {}
    return Request(
        model=_get(body, "model", str) or "",
        turns=turns,
        prompt=None if chat else _prompt(body, tokenizer),
        continued=_continued(body, profile, turns),
        tools=_tools(body, profile),
        stop=stop,
        keeps_stop=profile.stop_kept or bool(profile.keep_stop_field and body.get(profile.keep_stop_field)),
        limit=_limit(body, profile, chat=chat),
        seed=_get(body, "seed", int),
        n=(_get(body, "n", int) or 1) if profile.several else 1,
        temperature=_number(body, "temperature", 1.0),
        stream=bool(_get(body, "stream", bool)),
        usage_wanted=bool(options.get("include_usage")),
        logprobs=_logprobs(body, profile, chat=chat),
        wants_ids=bool(profile.token_ids_field and body.get(profile.token_ids_field)),
        wants_prompt_ids=bool(profile.prompt_ids_field and body.get(profile.prompt_ids_field)),
    )


def _turns(body: Body, profile: Profile) -> tuple[Turn, ...]:
    messages = _get(body, "messages", list)
    if not messages:
        raise Refusal(400, "messages must be a list of at least one message", param="messages")
    turns = tuple(_turn(message, number) for number, message in enumerate(messages))
    if not profile.system_role and any(turn.role == "system" for turn in turns):
        raise Refusal(400, "System role not supported")
    if profile.alternating:
        check_alternation(turns)
    if profile.tool_answers_checked:
        check_tool_answers(turns)
    return turns


def _turn(message: object, number: int) -> Turn:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise Refusal(400, f"messages[{number}] is not a message", param=f"messages.[{number}]")
    answers = message.get("tool_call_id")
    return Turn(
        role=message["role"],
        text=_text(message.get("content"), number),
        calls=tuple(_call(call, number) for call in message.get("tool_calls") or ()),
        answers=answers if isinstance(answers, str) else None,
    )


def _text(content: object, number: int) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping)]
        if all(isinstance(text, str) for text in texts) and len(texts) == len(content):
            return "".join(str(text) for text in texts)
    param = f"messages.[{number}].content"
    raise Refusal(400, f"Invalid type for '{param}': expected a string or text parts", param=param)


def _call(call: object, number: int) -> ToolCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        raise Refusal(400, f"messages[{number}] has something else for a tool call", param="messages")
    return ToolCall(str(function.get("name")), str(function.get("arguments")), str(call.get("id", "")))


def _continued(body: Body, profile: Profile, turns: tuple[Turn, ...]) -> str | None:
    asked = bool(body.get("continue_final_message"))
    if profile.prefill is Prefill.ON_REQUEST and asked and profile.prefill_excludes_generation_prompt:
        generation = body.get("add_generation_prompt")
        if generation is None or generation:
            raise Refusal(
                400, "Cannot set both `continue_final_message` and `add_generation_prompt` to True."
            )
    if not turns or turns[-1].role != "assistant" or turns[-1].calls:
        return None
    if profile.prefill is Prefill.NEVER or (profile.prefill is Prefill.ON_REQUEST and not asked):
        return None
    if profile.prefill_excludes_thinking:
        raise Refusal(400, "Assistant response prefill is incompatible with enable_thinking.")
    if len(turns) > 1 and turns[-2].role == "assistant" and profile.prefill_echoed:
        raise Refusal(400, "Cannot have 2 or more assistant messages at the end of the list.")
    return turns[-1].text


def _prompt(body: Body, tokenizer: Tokenizer) -> str:
    prompt = body.get("prompt")
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list) and prompt and all(isinstance(number, int) for number in prompt):
        try:
            return tokenizer.decode(prompt)
        except UnknownToken as error:
            raise Refusal(400, str(error), param="prompt") from None
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        return prompt[0]
    raise Refusal(400, "prompt must be one text or one list of token ids", param="prompt")


def _tools(body: Body, profile: Profile) -> tuple[Mapping[str, object], ...]:
    tools = _get(body, "tools", list) or ()
    if not profile.tools or body.get("tool_choice") == "none":
        return ()
    return tuple(tool for tool in tools if isinstance(tool, Mapping))


def _stop(body: Body, profile: Profile) -> tuple[str, ...]:
    given = body.get("stop")
    stops = [given] if isinstance(given, str) else [] if given is None else given
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise Refusal(400, "stop must be a string or a list of strings", param="stop")
    most = profile.most_stops
    if most is not None and len(stops) > most:
        raise Refusal(
            422 if profile.stop_kept else 400,
            f"`stop` supports up to {most} stop sequences. Given: {len(stops)}"
            if profile.stop_kept
            else f"Invalid 'stop': array too long. Expected an array with maximum length {most}, "
            f"but got an array with length {len(stops)} instead.",
            param="stop",
            code="array_above_max_length",
        )
    return tuple(stop for stop in stops if stop)


def _limit(body: Body, profile: Profile, *, chat: bool) -> int | None:
    for name in profile.limit_fields if chat else ("max_tokens",):
        limit = _get(body, name, int)
        if limit is not None:
            if limit < 1:
                raise Refusal(400, f"{name} must be at least 1, got {limit}.", param=name)
            return limit
    return None if chat else profile.default_completion


def _logprobs(body: Body, profile: Profile, *, chat: bool) -> int | None:
    if not profile.logprobs:
        return None
    if not chat:
        number = body.get("logprobs")
        return number if isinstance(number, int) and not isinstance(number, bool) else None
    return (_get(body, "top_logprobs", int) or 0) if body.get("logprobs") is True else None


def _get(body: Body, name: str, kind: type[T]) -> T | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Refusal(
            400, f"Invalid type for '{name}': expected {kind.__name__}", param=name, code="invalid_type"
        )
    return value


def _number(body: Body, name: str, default: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise Refusal(400, f"Invalid type for '{name}': expected a number", param=name, code="invalid_type")
    return default if value is None else float(value)
