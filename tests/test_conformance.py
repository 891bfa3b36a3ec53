"""The conformance server's quirks, each seen over a real socket with a client that forgives nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from conformance import (
    FASTAPI_STRICT,
    GEMMA,
    LLAMACPP,
    OLLAMA,
    OPENAI,
    OPENAI_REASONING,
    OPENROUTER,
    PROFILES,
    SGLANG,
    TGI,
    VLLM,
    ConformanceServer,
    Limits,
    Mind,
    Pace,
    Profile,
    ToolCall,
    Utterance,
    chance,
    echo,
    scripted,
)
from conformance.profiles import FinishNames, StreamUsage, Thinking
from raw_http import Answer, RawClient, ask

Message = Mapping[str, object]
QUESTION = {"role": "user", "content": "Say it: α 😀 done."}
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


async def reply(
    profile: Profile,
    mind: Mind = echo,
    *messages: Mapping[str, object],
    context: int | None = None,
    **fields: Any,
) -> Answer:
    """What a fresh server of this kind answers."""
    body = {"model": "m", "messages": list(messages) or [QUESTION], **fields}
    async with ConformanceServer(profile, {"m": mind}, context=context) as server:
        return await ask(server.url, body)


async def streamed(
    profile: Profile, mind: Mind = echo, *messages: Mapping[str, object], **fields: Any
) -> Answer:
    return await reply(profile, mind, *messages, stream=True, **fields)


def says(text: str, *calls: ToolCall, thinking: str = "") -> Mind:
    return scripted(Utterance(text, calls, thinking))


def error_of(answer: Answer) -> Any:
    return answer.json["error"]


# text and streams


@EVERY
async def test_a_stream_spells_what_the_whole_reply_says(profile: Profile) -> None:
    whole, stream = await reply(profile), await streamed(profile)
    assert whole.json["choices"][0]["message"]["content"] == QUESTION["content"]
    assert stream.text() == QUESTION["content"]
    assert stream.done


@EVERY
async def test_every_event_is_a_chunk_of_its_own(profile: Profile) -> None:
    answer = await streamed(profile)
    assert all(chunk.count(b"\n\n") == 1 and chunk.endswith(b"\n\n") for chunk in answer.chunks)


async def test_the_role_comes_where_each_server_puts_it() -> None:
    def roles(answer: Answer) -> list[bool]:
        return ["role" in choice["delta"] for choice in answer.choices()]

    first, second, *_ = (await streamed(VLLM)).choices()
    assert first["delta"] == {"role": "assistant", "content": ""}
    assert "role" not in second["delta"]
    assert (await streamed(OLLAMA)).choices()[0]["delta"] == {"role": "assistant", "content": "Say"}
    assert all(roles(await streamed(TGI)))


async def test_usage_is_told_when_asked_and_as_each_server_tells_it() -> None:
    asked: Any = {"stream_options": {"include_usage": True}}
    for profile in (VLLM, SGLANG, OLLAMA, OPENAI, LLAMACPP, TGI):
        assert not any("usage" in event for event in (await streamed(profile)).events)
        *others, last = (await streamed(profile, **asked)).events
        assert last["choices"] == []
        assert last["usage"]["completion_tokens"] > 0
        nulls = [event.get("usage", "absent") for event in others]
        assert set(nulls) == ({None} if profile is OPENAI else {"absent"})
    assert (await streamed(OPENROUTER)).events[-1]["usage"]["prompt_tokens"] > 0
    gateway = replace(VLLM, usage=StreamUsage.WITH_FINISH)
    last = (await streamed(gateway)).events[-1]
    assert last["usage"]
    assert last["choices"][0]["finish_reason"] == "stop"


async def test_openrouter_sends_comments_while_the_model_is_silent() -> None:
    server = ConformanceServer(OPENROUTER, {"m": echo}, pace=Pace(first=0.5))
    async with server:
        answer = await ask(server.url, {"model": "m", "messages": [QUESTION], "stream": True})
    assert answer.lines[0] == ": OPENROUTER PROCESSING"
    assert answer.lines.count(": OPENROUTER PROCESSING") > 1
    assert answer.text() == QUESTION["content"]


# stop strings and limits


async def test_the_stop_string_is_left_out_and_named() -> None:
    for profile, field in ((VLLM, "stop_reason"), (SGLANG, "matched_stop"), (OLLAMA, None), (LLAMACPP, None)):
        answer = await streamed(profile, says("one two STOP three"), stop=["STOP"])
        assert answer.text() == "one two "
        assert answer.finish["finish_reason"] == "stop"
        named = {key for key, value in answer.finish.items() if value == "STOP"}
        assert named == ({field} if field else set())


async def test_the_stop_string_stays_on_request_and_always_with_tgi() -> None:
    for profile, more in ((VLLM, {"include_stop_str_in_output": True}), (SGLANG, {"no_stop_trim": True})):
        assert (await streamed(profile, says("one STOP two"), stop="STOP", **more)).text() == "one STOP"
    answer = await streamed(TGI, says("one | two"), stop=["|"])
    assert answer.text() == "one |"
    assert answer.finish["finish_reason"] == "stop_sequence"


async def test_tgi_misses_a_stop_string_that_ends_inside_a_token() -> None:
    answer = await streamed(TGI, says("one STOPPED here"), stop=["STOP"])
    assert answer.text() == "one STOPPED here"


async def test_a_beginning_of_a_stop_string_that_comes_to_nothing_is_text() -> None:
    for profile in (VLLM, SGLANG, LLAMACPP):
        assert (await streamed(profile, says("a ``` b ``"), stop=["```output"])).text() == "a ``` b ``"


async def test_a_limit_inside_a_stop_string_leaves_what_was_written_of_it() -> None:
    for profile in (VLLM, SGLANG, LLAMACPP):
        answer = await streamed(profile, says("a ```output"), stop=["```output"], max_tokens=4)
        assert (answer.text(), answer.finish["finish_reason"]) == ("a ``", "length")


async def test_a_stream_never_shows_a_part_of_a_stop_string() -> None:
    for profile in (VLLM, SGLANG, OLLAMA, OPENAI, LLAMACPP):
        answer = await streamed(profile, says("x\n```output\n41"), stop=["```output"])
        assert answer.text() == "x\n"


async def test_text_that_may_begin_a_stop_string_is_kept_back() -> None:
    # vLLM always keeps back as much as could belong to one; llama.cpp what does begin one.
    body = {"model": "m", "messages": [QUESTION], "stop": ["```output"], "stream": True}
    async with ConformanceServer(VLLM, {"m": says("one two three four")}) as server:
        choices = (await ask(server.url, body | {"return_token_ids": True})).choices()[1:]
        read = shown = ""
        for choice in choices[:-1]:
            read += server.tokenizer.decode(choice["token_ids"])
            shown += choice["delta"].get("content", "")
            assert len(shown) == max(len(read) - len("```output") + 1, 0)
    pieces = await streamed(LLAMACPP, says("a ``` b"), stop=["```output"])
    assert [choice["delta"].get("content") for choice in pieces.choices()[1:4]] == ["a", " ", "``` b"]


async def test_vllm_gives_the_token_ids_of_the_stop_string_that_the_text_lacks() -> None:
    body = {"model": "m", "messages": [QUESTION], "stop": ["STOP"], "return_token_ids": True}
    async with ConformanceServer(VLLM, {"m": says("one STOP two")}) as server:
        whole = (await ask(server.url, body)).json
        stream = await ask(server.url, body | {"stream": True})
        ids = [number for choice in stream.choices() for number in choice.get("token_ids", [])]
        assert server.tokenizer.decode(ids) == "one STOP"
        assert stream.text() == "one "
        assert whole["choices"][0]["token_ids"] == ids
        first, *others = stream.events
        assert "say it" in server.tokenizer.decode(first["prompt_token_ids"]).lower()
        assert whole["prompt_token_ids"] == first["prompt_token_ids"]
        assert not any("prompt_token_ids" in event for event in others)


async def test_the_limit_counts_tokens_and_is_told_as_length() -> None:
    answer = await reply(VLLM, says("one two three four"), max_tokens=2)
    assert answer.json["choices"][0]["finish_reason"] == "length"
    assert answer.json["choices"][0]["message"]["content"] == "one two"
    assert answer.json["usage"]["completion_tokens"] == 2


async def test_ollama_ignores_the_newer_name_of_the_limit() -> None:
    mind = says("one two three")
    assert (await streamed(OLLAMA, mind, max_completion_tokens=1)).text() == "one two three"
    assert (await streamed(OPENAI, mind, max_completion_tokens=1, max_tokens=9)).text() == "one"


async def test_too_many_stop_strings_are_refused() -> None:
    stops = list("abcde")
    assert (await reply(OPENAI, stop=stops)).status == 400
    assert (await reply(TGI, stop=stops)).status == 422
    assert (await reply(VLLM, stop=stops)).status == 200


async def test_finish_reasons_can_be_missing_or_strange() -> None:
    never = replace(VLLM, finish=FinishNames(told=False))
    assert {choice["finish_reason"] for choice in (await streamed(never)).choices()} == {None}
    odd = replace(VLLM, finish=FinishNames(stop="abort", going=""))
    *others, last = (await streamed(odd)).choices()
    assert {choice["finish_reason"] for choice in others} == {""}
    assert last["finish_reason"] == "abort"
    tgi = FinishNames(stop="eos_token")
    assert (await streamed(replace(TGI, finish=tgi))).finish["finish_reason"] == "eos_token"


# prefill


def prefilled(text: str) -> tuple[Message, ...]:
    return QUESTION, {"role": "assistant", "content": text}


async def test_each_server_continues_a_message_in_its_own_way() -> None:
    mind = scripted("Well, ", "then")
    begun = prefilled("Well, ")
    on_request = {"continue_final_message": True}
    with_template = {**on_request, "add_generation_prompt": False}
    # `then` is the second reply: a message that stands complete counts as the first.
    assert (await streamed(OPENAI, mind, *begun)).text() == "then"
    async with ConformanceServer(VLLM, {"m": echo}) as server:
        for fields, expected in (({}, None), (with_template, "Well, ")):
            await ask(server.url, {"model": "m", "messages": begun, **fields})
            request = server.log.records[-1].request
            assert request is not None
            assert request.continued == expected
        assert (await ask(server.url, {"model": "m", "messages": begun, **on_request})).status == 400
    for profile, more in ((SGLANG, on_request), (OLLAMA, {}), (LLAMACPP, {}), (TGI, {})):
        async with ConformanceServer(profile, {"m": echo}) as server:
            await ask(server.url, {"model": "m", "messages": begun, **more})
            request = server.log.records[-1].request
            assert request is not None
            assert request.continued == "Well, "


async def test_a_message_that_calls_a_tool_is_complete() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "python", "arguments": "{}"}}
    calling = {"role": "assistant", "content": "Well, ", "tool_calls": [call]}
    answer = await reply(TGI, scripted("no", "yes"), QUESTION, calling)
    assert answer.json["choices"][0]["message"]["content"] == "yes"


async def test_llamacpp_echoes_the_prefill_only_where_it_does_not_stream() -> None:
    mind = says("the answer")
    whole = await reply(LLAMACPP, mind, *prefilled("Well, "))
    assert whole.json["choices"][0]["message"]["content"] == "Well, the answer"
    assert (await streamed(LLAMACPP, mind, *prefilled("Well, "))).text() == "the answer"


async def test_llamacpp_refuses_a_prefill_where_the_template_thinks() -> None:
    thinking = replace(LLAMACPP, prefill_excludes_thinking=True)
    answer = await reply(thinking, echo, *prefilled("Well, "))
    assert answer.status == 400
    assert "enable_thinking" in error_of(answer)["message"]


# fields and messages that are refused


async def test_reasoning_models_refuse_fields_one_at_a_time() -> None:
    for field, value, code in (
        ("max_tokens", 5, "unsupported_parameter"),
        ("temperature", 0.5, "unsupported_value"),
        ("top_p", 0.9, "unsupported_value"),
        ("stop", ["x"], "unsupported_parameter"),
        ("logprobs", True, "unsupported_parameter"),
    ):
        fields: Any = {field: value}
        answer = await reply(OPENAI_REASONING, **fields)
        assert answer.status == 400
        assert (error_of(answer)["param"], error_of(answer)["code"]) == (field, code)
    assert (await reply(OPENAI_REASONING, max_completion_tokens=50, temperature=1)).status == 200


async def test_unknown_fields_are_ignored_or_refused() -> None:
    assert (await reply(VLLM, frobnicate=1)).status == 200
    refused = await reply(OPENAI, return_token_ids=True)
    assert error_of(refused)["param"] == "return_token_ids"
    assert (await reply(OPENROUTER, return_token_ids=True)).status == 200
    strict = await reply(FASTAPI_STRICT, frobnicate=1)
    assert strict.status == 422
    assert strict.json["detail"][0]["loc"] == ["body", "frobnicate"]


async def test_gemma_refuses_a_system_message_and_two_of_one_role() -> None:
    system = {"role": "system", "content": "Be brief."}
    answer = await reply(GEMMA, echo, system, QUESTION)
    assert (answer.status, error_of(answer)["message"]) == (400, "System role not supported")
    answer = await reply(GEMMA, echo, QUESTION, QUESTION)
    assert "alternate" in error_of(answer)["message"]
    assert (await reply(GEMMA)).status == 200


async def test_openai_wants_every_tool_call_answered() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "python", "arguments": "{}"}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    answered = {"role": "tool", "tool_call_id": "c1", "content": "42"}
    assert (await reply(OPENAI, echo, QUESTION, calling, answered)).status == 200
    for messages in ((QUESTION, calling), (QUESTION, answered), (QUESTION, calling, QUESTION)):
        assert (await reply(OPENAI, echo, *messages)).status == 400
    assert (await reply(VLLM, echo, QUESTION, calling)).status == 200


async def test_each_server_refuses_a_long_prompt_in_its_own_form() -> None:
    long = {"role": "user", "content": "many words " * 60}
    vllm = await reply(VLLM, echo, long, context=50, max_tokens=10)
    assert (vllm.status, error_of(vllm)["param"], error_of(vllm)["code"]) == (400, "input_tokens", 400)
    flat = await reply(SGLANG, echo, long, context=50)
    assert flat.json["object"] == "error"
    assert "longer than the model's context length (50 tokens)" in flat.json["message"]
    assert error_of(await reply(OPENAI, echo, long, context=50))["code"] == "context_length_exceeded"
    llamacpp = error_of(await reply(LLAMACPP, echo, long, context=50))
    assert (llamacpp["type"], llamacpp["n_ctx"]) == ("exceed_context_size_error", 50)
    tgi = await reply(TGI, echo, long, context=50)
    assert (tgi.status, tgi.json["error_type"]) == (422, "validation")


async def test_the_reply_counts_for_vllm_and_sglang_but_not_for_llamacpp() -> None:
    assert (await reply(VLLM, context=60, max_tokens=55)).status == 400
    assert (await reply(SGLANG, context=60, max_tokens=55)).status == 400
    answer = await reply(LLAMACPP, says("word " * 90), context=60, max_tokens=500)
    assert answer.json["choices"][0]["finish_reason"] == "length"
    assert answer.json["usage"]["total_tokens"] == 60


async def test_ollama_forgets_the_oldest_messages_without_a_word() -> None:
    old = {"role": "user", "content": "old " * 60}
    body = {"model": "m", "messages": [{"role": "system", "content": "Be brief."}, old, QUESTION]}
    async with ConformanceServer(OLLAMA, {"m": echo}, context=50) as server:
        assert (await ask(server.url, body)).status == 200
        request = server.log.records[0].request
        assert request is not None
        assert [turn.role for turn in request.turns] == ["system", "user"]
        assert request.turns[1].text == QUESTION["content"]


# tools, thinking, logprobs, several replies

TOOLS = [{"type": "function", "function": {"name": "python", "parameters": {}}}]
CALLS = (ToolCall("python", '{"code": "print(1)"}'), ToolCall("python", '{"code": "print(2)"}'))


async def test_arguments_come_in_fragments_of_calls_that_are_mixed_by_index() -> None:
    answer = await streamed(OPENAI, says("I compute.", *CALLS), tools=TOOLS)
    pieces = [call for choice in answer.choices() for call in choice["delta"].get("tool_calls", [])]
    assert [piece["index"] for piece in pieces[:4]] == [0, 1, 0, 1]
    for index, call in enumerate(CALLS):
        first, *others = [piece for piece in pieces if piece["index"] == index]
        assert first["function"] == {"name": "python", "arguments": ""}
        assert first["id"].startswith("call_")
        assert not any("id" in piece or "name" in piece["function"] for piece in others)
        assert "".join(piece["function"]["arguments"] for piece in others) == call.arguments
    assert answer.finish["finish_reason"] == "tool_calls"


async def test_ollama_sends_whole_calls_in_one_chunk() -> None:
    answer = await streamed(OLLAMA, says("", *CALLS), tools=TOOLS)
    (calls,) = [
        choice["delta"]["tool_calls"] for choice in answer.choices() if "tool_calls" in choice["delta"]
    ]
    assert [call["function"]["arguments"] for call in calls] == [call.arguments for call in CALLS]
    older = replace(OLLAMA, finish=FinishNames(tool_calls="stop"))
    assert (await streamed(older, says("", *CALLS), tools=TOOLS)).finish["finish_reason"] == "stop"


async def test_tgi_calls_every_call_0() -> None:
    answer = await streamed(TGI, says("", CALLS[0]), tools=TOOLS)
    calls = [call for choice in answer.choices() for call in choice["delta"].get("tool_calls", [])]
    assert {call["id"] for call in calls} == {"0"}
    assert answer.finish["finish_reason"] == "stop"


async def test_the_openai_client_reads_whole_calls_of_every_server() -> None:
    for profile in (VLLM, SGLANG, OLLAMA, OPENAI, LLAMACPP, TGI):
        async with (
            ConformanceServer(profile, {"m": says("", *CALLS)}) as server,
            openai.AsyncOpenAI(base_url=server.url, api_key="x", max_retries=0) as client,
        ):
            body = {"model": "m", "messages": [QUESTION], "tools": TOOLS}
            answer = await client.post("/chat/completions", cast_to=ChatCompletion, body=body)
        calls: list[Any] = [call.to_dict() for call in answer.choices[0].message.tool_calls or []]
        assert [call["function"]["arguments"] for call in calls] == [call.arguments for call in CALLS]


async def test_thinking_goes_where_each_server_puts_it() -> None:
    mind = says("42", thinking="Six sevens.")
    for profile in (VLLM, OLLAMA, OPENROUTER):
        assert (await streamed(profile, mind)).text("reasoning") == "Six sevens."
    for profile in (SGLANG, LLAMACPP):
        assert (await streamed(profile, mind)).text("reasoning_content") == "Six sevens."
    inline = await streamed(replace(VLLM, thinking=Thinking.INLINE), mind)
    assert inline.text() == "<think>\nSix sevens.\n</think>\n\n42"
    hidden = await reply(OPENAI_REASONING, mind)
    assert "Six" not in hidden.data.decode()
    assert hidden.json["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


async def test_hidden_thinking_can_use_up_the_limit() -> None:
    answer = await reply(OPENAI_REASONING, says("42", thinking="Six sevens."), max_completion_tokens=2)
    choice = answer.json["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")


async def test_logprobs_in_both_styles_cover_the_text_and_repeat() -> None:
    chat = await streamed(VLLM, logprobs=True, top_logprobs=2)
    tokens = [
        token for choice in chat.choices() if choice["logprobs"] for token in choice["logprobs"]["content"]
    ]
    assert "".join(token["token"] for token in tokens) == QUESTION["content"]
    assert all(len(token["top_logprobs"]) == 2 and token["logprob"] <= 0 for token in tokens)
    again = await streamed(VLLM, logprobs=True, top_logprobs=2)
    assert again.choices() == chat.choices()
    async with ConformanceServer(VLLM, {"m": echo}) as server:
        body = {"model": "m", "prompt": "one two", "logprobs": 1}
        choice = (await ask(server.url, body, path="/v1/completions")).json["choices"][0]
    assert "".join(choice["logprobs"]["tokens"]) == choice["text"] == "one two"
    assert len(choice["logprobs"]["token_logprobs"]) == len(choice["logprobs"]["text_offset"])


async def test_several_replies_and_seeds() -> None:
    mind = chance(*(f"reply {number}" for number in range(40)))
    one, same = await reply(VLLM, mind, n=3, seed=7), await reply(VLLM, mind, n=3, seed=7)
    texts = [choice["message"]["content"] for choice in one.json["choices"]]
    assert texts == [choice["message"]["content"] for choice in same.json["choices"]]
    assert len(set(texts)) > 1
    stream = await streamed(VLLM, mind, n=3, seed=7)
    assert [stream.text(index=index) for index in range(3)] == texts
    assert len((await reply(OLLAMA, mind, n=3)).json["choices"]) == 1
    words = one.json["usage"]["completion_tokens"]
    assert (await reply(LLAMACPP, mind, n=3, seed=7)).json["usage"]["completion_tokens"] < words


# the rest of the server


async def test_raw_prompts_are_taken_or_not() -> None:
    for profile in (VLLM, SGLANG, OLLAMA, LLAMACPP, TGI):
        async with ConformanceServer(profile, {"m": echo}) as server:
            body = {"model": "m", "prompt": "one two three"}
            answer = await ask(server.url, body, path="/v1/completions")
            assert answer.json["choices"][0]["text"] == "one two three"
            stream = await ask(server.url, body | {"stream": True}, path="/v1/completions")
            assert "".join(choice["text"] for choice in stream.choices()) == "one two three"
    async with ConformanceServer(OPENAI, {"m": echo}) as server:
        answer = await ask(server.url, {"model": "m", "prompt": "x"}, path="/v1/completions")
        assert (answer.status, error_of(answer)["param"]) == (404, "model")


async def test_a_raw_prompt_may_be_the_ids_that_the_server_gave() -> None:
    async with ConformanceServer(VLLM, {"m": echo}) as server:
        ids = server.tokenizer.encode("zwölf 😀\n\n  x")
        answer = await ask(server.url, {"model": "m", "prompt": ids}, path="/v1/completions")
        assert answer.json["choices"][0]["text"] == "zwölf 😀\n\n  x"
        assert (await ask(server.url, {"model": "m", "prompt": [3]}, path="/v1/completions")).status == 400


async def test_the_context_is_shown_where_each_server_shows_it() -> None:
    for profile in (VLLM, SGLANG):
        async with ConformanceServer(profile, context=777) as server:
            assert (await ask(server.url, path="/v1/models")).json["data"][0]["max_model_len"] == 777
    async with ConformanceServer(LLAMACPP, context=777) as server:
        assert "max_model_len" not in (await ask(server.url, path="/v1/models")).json["data"][0]
        props = (await ask(server.url, path="/props")).json
        assert props["default_generation_settings"]["n_ctx"] == 777
    async with ConformanceServer(OPENAI) as server:
        assert (await ask(server.url, path="/props")).status == 404


async def test_a_model_that_is_not_there_is_a_404_where_names_matter() -> None:
    for profile, status in ((VLLM, 404), (OPENAI, 404), (OLLAMA, 404), (LLAMACPP, 200), (TGI, 200)):
        async with ConformanceServer(profile, {"m": echo}) as server:
            body = {"model": "other", "messages": [QUESTION]}
            assert (await ask(server.url, body)).status == status


async def test_a_wrong_key_is_refused() -> None:
    async with ConformanceServer(OPENAI, {"m": echo}, key="right") as server:
        body = {"model": "m", "messages": [QUESTION]}
        assert error_of(await ask(server.url, body))["code"] == "invalid_api_key"
        assert (await ask(server.url, body, headers={"Authorization": "Bearer right"})).status == 200


async def test_nonsense_is_refused_and_the_connection_goes_on() -> None:
    async with ConformanceServer(VLLM, {"m": echo}) as server, RawClient(server.url) as client:
        bodies: list[Any] = [[], {"model": "m"}, {"model": "m", "messages": [1]}, {"n": 1}]
        for body in bodies:
            assert (await client.ask(body)).status in (400, 404)
        for field in ("max_tokens", "seed", "n", "stop", "stream", "temperature"):
            assert (await client.ask({"model": "m", "messages": [QUESTION], field: {}})).status == 400
        assert (await client.ask({"model": "m", "messages": [QUESTION]})).status == 200
        assert server.log.connections == 1


async def test_limits_are_refused_with_headers_that_say_what_is_left() -> None:
    limits = Limits(requests_per_minute=2)
    async with ConformanceServer(OPENAI, {"m": echo}, limits=limits) as server:
        body = {"model": "m", "messages": [QUESTION]}
        first, second, third = [await ask(server.url, body) for _ in range(3)]
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert second.status == 200
    assert (third.status, error_of(third)["code"]) == (429, "rate_limit_exceeded")
    assert 0 < int(third.headers["retry-after-ms"]) <= 30_000
    async with ConformanceServer(OPENAI, {"m": echo}, limits=Limits(tokens_per_minute=100)) as server:
        statuses = [(await ask(server.url, body | {"max_tokens": 40})).status for _ in range(3)]
    assert statuses[0] == 200
    assert 429 in statuses
