"""The OpenAI-compatible client against a real server with every fault that servers have."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tir_agent.errors import ContextOverflow, ModelRejected, ModelUnavailable, UsageError
from tir_agent.models.faults import retry_after
from tir_agent.models.openai import OpenAIModel, Patience
from tir_agent.settings import Sampling
from tir_agent.trajectory import Completion, FinishReason, Message, Origin, Role

from model_server import (
    ModelServer,
    chunk,
    counts,
    drops,
    events,
    fails,
    never_stops,
    page,
    raw,
    refuses,
    says,
    split_at,
    stalls,
)

FAST = Patience(first_wait=0.001, longest_wait=0.002, attempts=3)
IMPATIENT = Patience(first_wait=0.001, longest_wait=0.002, attempts=2, first_chunk=0.2, stall=0.2)
QUESTION = (Message.of(Role.USER, ("What is 2 + 2?", Origin.PROBLEM)),)


class Ear:
    """Hears what a user at a terminal would."""

    def __init__(self) -> None:
        self.heard = ""
        self.restarts: list[str] = []

    def text(self, piece: str) -> None:
        self.heard += piece

    def restart(self, reason: str) -> None:
        self.heard = ""
        self.restarts.append(reason)


@asynccontextmanager
async def model_at(server: ModelServer, patience: Patience = FAST, **more: Any) -> AsyncIterator[OpenAIModel]:
    async with server:
        model = OpenAIModel("m", base_url=server.url, patience=patience, **more)
        try:
            yield model
        finally:
            await model.close()


async def ask(
    server: ModelServer, *, patience: Patience = FAST, ear: Ear | None = None, **more: Any
) -> Completion:
    ear = ear or Ear()
    options: dict[str, Any] = {"sampling": Sampling(), "timeout": 20.0} | more
    async with model_at(server, patience) as model:
        completion = await model.complete(QUESTION, options.pop("sampling"), listener=ear, **options)
    assert ear.heard == completion.text
    return completion


async def test_a_reply_with_its_counts() -> None:
    server = ModelServer(says("Four", " it", " is"))
    reply = await ask(server, sampling=Sampling(seed=5, temperature=0.5, top_p=0.9, max_tokens=77))
    assert reply.text == "Four it is"
    assert reply.finish_reason is FinishReason.STOP
    assert (reply.prompt_tokens, reply.completion_tokens, reply.estimated) == (7, 3, False)
    assert (reply.attempts, reply.stop_text, reply.reasoning) == (1, None, None)
    body = server.requests[0]
    assert body["messages"] == [{"role": "user", "content": "What is 2 + 2?"}]
    assert (body["seed"], body["temperature"], body["top_p"], body["max_tokens"]) == (5, 0.5, 0.9, 77)


async def test_without_counts_tokens_are_estimated() -> None:
    reply = await ask(ModelServer(says("123456789", usage=False)))
    assert reply.estimated
    assert (reply.prompt_tokens, reply.completion_tokens) == (5, 3)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_the_stream_may_be_cut_anywhere(size: int) -> None:
    text = ["α²\u2028≠", "\u0085 数学 😀", "\x0b\x0c fine"]
    server = ModelServer(split_at(size, *(chunk(piece) for piece in text), chunk(finish="stop"), counts()))
    assert (await ask(server)).text == "".join(text)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("eos", FinishReason.STOP),
        ("abort?", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("content_filter", FinishReason.FILTERED),
    ],
)
async def test_reasons_to_end(word: str, reason: FinishReason) -> None:
    assert (await ask(ModelServer(says("x", finish=word)))).finish_reason is reason


async def test_no_reason_to_end_but_counts() -> None:
    assert (await ask(ModelServer(says("x", finish=None)))).finish_reason is FinishReason.STOP


async def test_reason_and_text_in_one_chunk() -> None:
    assert (await ask(ModelServer(events(chunk("all", "stop"))))).text == "all"


async def test_null_in_the_place_of_anything() -> None:
    nothing = {"id": None, "choices": None, "usage": None}
    no_delta = {"choices": [{"index": 0, "delta": None, "finish_reason": None}]}
    logprobs = {"content": None}
    server = ModelServer(events(nothing, no_delta, chunk("x", logprobs=logprobs), chunk(finish="stop")))
    assert (await ask(server)).text == "x"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_is_kept_apart(field: str) -> None:
    thinking: dict[str, Any] = {f"delta_{field}": "hm "}
    server = ModelServer(events(chunk(**thinking), chunk(**thinking), chunk("4"), chunk(finish="stop")))
    reply = await ask(server)
    assert (reply.text, reply.reasoning) == ("4", "hm hm ")


# Stop strings


@pytest.mark.parametrize("cut", range(1, 9))
async def test_a_stop_string_over_two_chunks(cut: int) -> None:
    stop = "```output"
    server = ModelServer(events(chunk("code\n" + stop[:cut]), chunk(stop[cut:] + "\n4\n```"), chunk(" more")))
    reply = await ask(server, stop=[stop])
    assert (reply.text, reply.stop_text, reply.finish_reason) == ("code\n", stop, FinishReason.STOP)
    assert reply.estimated


async def test_a_server_that_ignores_the_stop_is_hung_up_on() -> None:
    server = ModelServer(never_stops("on and STOP "))
    async with model_at(server) as model:
        reply = await model.complete(QUESTION, Sampling(), stop=["STOP"], timeout=20)
        assert (reply.text, reply.stop_text) == ("on and ", "STOP")
        await server.idle()
    assert server.broken == 1


async def test_a_stop_that_never_completes_is_text() -> None:
    reply = await ask(ModelServer(says("a ```", "out")), stop=["```output"])
    assert (reply.text, reply.stop_text) == ("a ```out", None)


@pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
async def test_the_servers_word_for_the_stop(field: str) -> None:
    said: dict[str, Any] = {field: "STOP"}
    assert (await ask(ModelServer(says("x", **said)), stop=["STOP"])).stop_text == "STOP"
    said = {field: 151645}
    assert (await ask(ModelServer(says("x", **said)), stop=["STOP"])).stop_text is None


async def test_four_stops_are_sent_and_all_are_watched_for() -> None:
    server = ModelServer(says("one two six"))
    reply = await ask(server, stop=["1", "2", "3", "4", "5", "six"])
    assert server.requests[0]["stop"] == ["1", "2", "3", "4"]
    assert (reply.text, reply.stop_text) == ("one two ", "six")


async def test_a_model_that_never_stops_is_cut() -> None:
    reply = await ask(ModelServer(never_stops()), sampling=Sampling(max_tokens=10))
    assert reply.finish_reason is FinishReason.LENGTH
    assert len(reply.text) == 16 * 10 + 256


async def test_a_model_that_never_stops_thinking_is_cut() -> None:
    endless = itertools.repeat(chunk(delta_reasoning="hm "), 1000)
    reply = await ask(ModelServer(events(*endless)), sampling=Sampling(max_tokens=10))
    assert (reply.finish_reason, reply.text) == (FinishReason.LENGTH, "")


# Retries


@pytest.mark.parametrize(
    "fault",
    [
        drops(),
        drops("Hel", "lo"),
        raw(b"data: {not json}\n\n"),
        raw(b"data: \xff\xfe\n\n"),
        raw(b'data: {"choices": 5}\n\n'),
        raw(b"data: [1, 2]\n\n"),
        events(chunk("half"), done=False),
        events(chunk("half")),
        events(),
        events(chunk("half"), {"error": {"message": "CUDA out of memory", "code": 500}}),
        events(chunk("half"), {"error": "gone"}),
        fails(500),
        fails(502),
        fails(503),
        fails(429),
        fails(408),
    ],
)
async def test_what_passes_is_tried_again(fault: Any) -> None:
    ear = Ear()
    reply = await ask(ModelServer(fault, fault, says("Hello")), ear=ear)
    assert (reply.text, reply.attempts) == ("Hello", 3)
    assert len(ear.restarts) == 2


async def test_a_stall_is_tried_again() -> None:
    ear = Ear()
    reply = await ask(ModelServer(stalls(chunk("He")), says("Hello")), patience=IMPATIENT, ear=ear)
    assert (reply.text, reply.attempts) == ("Hello", 2)
    assert "sent nothing for 0.2 seconds" in ear.restarts[0]


async def test_silence_from_the_start_is_tried_again() -> None:
    reply = await ask(ModelServer(stalls(), says("Hello")), patience=IMPATIENT)
    assert (reply.text, reply.attempts) == ("Hello", 2)


async def test_a_break_after_the_end_of_the_reply_is_none() -> None:
    async def act(reply: Any) -> None:
        await reply.event(chunk("all", "stop"))
        await drops()(reply)

    reply = await ask(ModelServer(act))
    assert (reply.text, reply.attempts, reply.estimated) == ("all", 1, True)


async def test_attempts_are_limited() -> None:
    server = ModelServer(drops("x"))
    with pytest.raises(ModelUnavailable, match="broke off the connection") as caught:
        await ask(server)
    assert caught.value.hint
    assert len(server.requests) == 3


async def test_a_busy_server_is_worth_waiting_for() -> None:
    reply = await ask(ModelServer(*[fails(503)] * 9, says("at last")))
    assert (reply.text, reply.attempts) == ("at last", 10)


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    server = ModelServer(fails(429, Retry_After="3600"))
    with pytest.raises(ModelUnavailable, match="asks to wait 3600 seconds"):
        await ask(server)
    assert len(server.requests) == 1


def test_retry_after_in_all_forms() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=100)
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert 90 < (retry_after({"retry-after": format_datetime(soon, usegmt=True)}) or 0) <= 100
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after({"retry-after-ms": "300"}) == 0.3
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


async def test_the_deadline_covers_everything() -> None:
    ear = Ear()
    with pytest.raises(ModelUnavailable, match=r"did not finish its reply within 0\.3 seconds"):
        await ask(ModelServer(stalls(chunk("begun"))), timeout=0.3, ear=ear)
    assert ear.heard == "begun"


async def test_cancelling_hangs_up() -> None:
    server = ModelServer(stalls(chunk("begun")))
    async with model_at(server) as model:
        task = asyncio.create_task(model.complete(QUESTION, Sampling(), timeout=20))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.idle()
    assert server.broken == 1


async def test_a_listener_that_fails_is_not_the_servers_fault() -> None:
    class Deaf(Ear):
        def text(self, piece: str) -> None:
            raise ValueError("deaf")

    server = ModelServer()
    with pytest.raises(ValueError, match="deaf"):
        await ask(server, ear=Deaf())
    assert len(server.requests) == 1


# Refusals


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key(status: int) -> None:
    server = ModelServer(fails(status, {"message": "Incorrect API key provided: sk-secret"}))
    async with model_at(server, api_key="sk-secret") as model:
        with pytest.raises(ModelRejected, match="refused the API key") as caught:
            await model.complete(QUESTION, Sampling(), timeout=20)
    assert "OPENAI_API_KEY" in (caught.value.hint or "")
    assert "sk-secret" not in caught.value.message
    assert server.headers[0]["authorization"] == "Bearer sk-secret"
    assert len(server.requests) == 1


async def test_a_missing_key() -> None:
    with pytest.raises(ModelRejected, match="wants an API key"):
        await ask(ModelServer(fails(401)))


async def test_an_unknown_model_lists_the_known_ones() -> None:
    server = ModelServer(fails(404), models=[{"id": "qwen"}, {"id": "llama"}])
    with pytest.raises(ModelRejected, match="has no model 'm'") as caught:
        await ask(server)
    assert caught.value.hint == "It offers: qwen, llama"


async def test_a_wrong_path() -> None:
    with pytest.raises(ModelRejected, match="/chat/completions") as caught:
        await ask(ModelServer(fails(404), models=[]))
    assert "/v1" in (caught.value.hint or "")


async def test_a_web_page_is_not_a_model() -> None:
    with pytest.raises(ModelRejected, match="text/html"):
        await ask(ModelServer(page("<html>hello</html>")))


async def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        model = OpenAIModel("m", base_url=url)
        ear = Ear()
        with pytest.raises(ModelUnavailable, match=url) as caught:
            await model.complete(QUESTION, Sampling(), timeout=20, listener=ear)
        assert await model.describe() is None
        await model.close()
    assert "--base-url" in (caught.value.hint or "")
    assert not ear.restarts


async def test_a_server_that_went_away_is_tried_again() -> None:
    server = ModelServer()
    ear = Ear()
    async with model_at(server) as model:
        await model.complete(QUESTION, Sampling(), timeout=20)
        await server.__aexit__()
        with pytest.raises(ModelUnavailable, match="Cannot connect"):
            await model.complete(QUESTION, Sampling(), timeout=20, listener=ear)
    assert len(ear.restarts) == 2


@pytest.mark.parametrize(
    "error",
    [
        {"message": "too long", "code": "context_length_exceeded", "type": "invalid_request_error"},
        {
            "message": "big",
            "code": 400,
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 9,
            "n_ctx": 8,
        },
        {"message": "You passed 5000", "code": 400, "type": "BadRequestError", "param": "input_tokens"},
        {"message": "This model's maximum context length is 4096 tokens. However, you", "code": 400},
        {"message": "The input (9 tokens) is longer than the model's context length (8 tokens)."},
    ],
)
async def test_context_overflow_in_every_form(error: dict[str, object]) -> None:
    server = ModelServer(fails(400, error))
    with pytest.raises(ContextOverflow):
        await ask(server)
    assert len(server.requests) == 1
    with pytest.raises(ContextOverflow):
        await ask(ModelServer(events({"error": error})))


async def test_a_refused_field_is_named() -> None:
    with pytest.raises(ModelRejected, match="the field 'temperature': not 0"):
        await ask(ModelServer(refuses("temperature", message="not 0.")))


@pytest.mark.parametrize(
    "body", [None, 5, [], "no", {"message": None}, {"message": {"a": 1}}, {"detail": [{}]}]
)
async def test_refusals_without_sense(body: object) -> None:
    with pytest.raises(ModelRejected, match="refused the request"):
        await ask(ModelServer(fails(422, body)))


async def test_no_quota_is_not_tried_again() -> None:
    server = ModelServer(fails(429, {"message": "Pay", "code": "insufficient_quota"}))
    with pytest.raises(ModelRejected, match="no quota left: Pay"):
        await ask(server)
    assert len(server.requests) == 1


async def test_another_name_for_max_tokens_is_found_once() -> None:
    server = ModelServer(refuses("max_tokens"))
    async with model_at(server) as model:
        first = await model.complete(QUESTION, Sampling(max_tokens=9), timeout=20)
        second = await model.complete(QUESTION, Sampling(max_tokens=9), timeout=20)
    assert (first.text, first.attempts, second.attempts) == ("fine", 2, 1)
    assert server.requests[-1]["max_completion_tokens"] == 9


@pytest.mark.parametrize("field", ["stop", "stream_options"])
async def test_fields_that_can_be_done_without(field: str) -> None:
    assert (await ask(ModelServer(refuses(field)), stop=["x"])).text == "fine"


# Tokens, and what a server says of itself


async def test_token_ids_and_logprobs() -> None:
    def token(text: str, number: int) -> dict[str, object]:
        logprobs = {"content": [{"token": text, "logprob": -number / 10}]}
        return chunk(text, None, token_ids=[number], logprobs=logprobs)

    server = ModelServer(events(token("a", 1), token("b", 2), chunk(finish="stop", logprobs=None), counts()))
    async with model_at(server, tokens=True) as model:
        reply = await model.complete(QUESTION, Sampling(), timeout=20)
    assert (reply.token_ids, reply.logprobs) == ((1, 2), (-0.1, -0.2))
    assert server.requests[0]["logprobs"] is True


async def test_two_requests_at_once() -> None:
    server = ModelServer(says("one"))
    async with model_at(server) as model:
        replies = await asyncio.gather(*(model.complete(QUESTION, Sampling(), timeout=20) for _ in range(20)))
    assert {reply.text for reply in replies} == {"one"}


async def test_a_lone_surrogate_can_be_sent() -> None:
    message = Message.of(Role.USER, ("bad \udc80", Origin.INTERPRETER))
    async with model_at(ModelServer()) as model:
        assert (await model.complete([message], Sampling(), timeout=20)).text == "fine"


async def test_what_servers_say_of_themselves() -> None:
    vllm = [{"id": "m", "owned_by": "vllm", "max_model_len": 4096}]
    async with model_at(ModelServer(models=vllm)) as model:
        assert await model.describe() == "vllm, context of 4096 tokens"
    props: dict[str, object] = {"build_info": "b7", "default_generation_settings": {"n_ctx": 512}}
    async with model_at(ModelServer(models=[{"id": "x", "owned_by": "llamacpp"}], props=props)) as model:
        assert await model.describe() == "llamacpp, build b7, context of 512 tokens"
    async with model_at(ModelServer(models=[])) as model:
        assert await model.describe() is None


@pytest.mark.parametrize("url", ["localhost:8000/v1", "", "ftp://x/v1", "http://", "/v1"])
def test_an_address_that_is_none(url: str) -> None:
    if url:
        with pytest.raises(UsageError, match="not the address"):
            OpenAIModel("m", base_url=url)
    else:
        assert OpenAIModel("m", base_url=url).base_url == "https://api.openai.com/v1"


def test_a_key_that_is_none() -> None:
    with pytest.raises(UsageError, match="key"):
        OpenAIModel("m", api_key="“sk-1”")
