"""Raw completions, messages that are continued, and tool calls: what is sent, and what is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tir_agent.errors import ContextOverflow, ModelRejected
from tir_agent.messages import Message, Origin, Role, Tool, ToolCall
from tir_agent.models.capabilities import Capabilities, Findings, LimitField, Prefill
from tir_agent.models.openai import OpenAIModel, Patience
from tir_agent.settings import Sampling
from tir_agent.trajectory import Completion, FinishReason

from model_server import (
    Act,
    ModelServer,
    Reply,
    call_chunk,
    chunk,
    counts,
    drops,
    events,
    fails,
    never_stops,
    refuses,
    says,
    text_chunk,
)

FAST = Patience(first_wait=0.001, longest_wait=0.002, attempts=3)
RAW = (Message.of(Role.RAW, ("2, 4, 6,", Origin.PROMPT)),)
QUESTION = Message.of(Role.USER, ("What is 6 * 7?", Origin.PROBLEM))
BEGUN = "I compute. ```python\nprint("
OPEN = (QUESTION, Message.of(Role.ASSISTANT, (BEGUN, Origin.MODEL)))
ADD = Tool(name="add", description="Adds.", parameters={"type": "object"})


class Ear:
    """Hears text and calls."""

    def __init__(self) -> None:
        self.heard = ""
        self.calls: list[tuple[str, str]] = []

    def text(self, piece: str) -> None:
        self.heard += piece

    def call(self, name: str, piece: str) -> None:
        self.calls.append((name, piece))

    def restart(self, reason: str) -> None:
        self.heard = ""
        self.calls.clear()


@asynccontextmanager
async def model_at(server: ModelServer, **more: Any) -> AsyncIterator[OpenAIModel]:
    async with server:
        model = OpenAIModel("m", base_url=server.url, patience=FAST, **more)
        try:
            yield model
        finally:
            await model.close()


async def ask(
    server: ModelServer,
    messages: Sequence[Message],
    *,
    known: Capabilities | None = None,
    ear: Ear | None = None,
    tokens: bool = False,
    sampling: Sampling | None = None,
    **more: Any,
) -> Completion:
    ear = ear or Ear()
    async with model_at(server, tokens=tokens) as model:
        if known is not None:
            model._findings = Findings(capabilities=known, asked=datetime.now(UTC))
        reply = await model.complete(messages, sampling or Sampling(), timeout=20, listener=ear, **more)
    assert ear.heard == reply.text
    return reply


def completes(*pieces: str, finish: str = "stop") -> Act:
    return events(*(text_chunk(piece) for piece in pieces), text_chunk("", finish), counts())


# Raw completions


async def test_raw_text_is_completed() -> None:
    server = ModelServer(completes(" 8,", " 10", finish="length"))
    reply = await ask(server, RAW, sampling=Sampling(max_tokens=5, seed=3))
    assert (reply.text, reply.finish_reason) == (" 8, 10", FinishReason.LENGTH)
    assert (reply.prompt_tokens, reply.completion_tokens, reply.estimated) == (7, 3, False)
    assert server.paths == ["/completions"]
    body = server.requests[0]
    assert (body["prompt"], body["max_tokens"], body["seed"]) == ("2, 4, 6,", 5, 3)
    assert "messages" not in body


async def test_a_raw_completion_is_retried_and_stopped_as_a_chat_is() -> None:
    stops = ["1", "2", "3", "4", "###"]
    server = ModelServer(drops(), fails(503), completes(" 8, #", "## 10"))
    reply = await ask(server, RAW, stop=stops)
    assert (reply.text, reply.stop_text, reply.attempts) == (" 8, ", "###", 3)
    assert server.requests[0]["stop"] == stops[:4]


@pytest.mark.parametrize(
    ("logprobs", "ids"),
    [
        ({"tokens": [" 8"], "token_logprobs": [-0.5], "top_logprobs": None}, None),
        ({"content": [{"id": 9, "token": " 8", "logprob": -0.5}]}, (9,)),
    ],
)
async def test_logprobs_of_a_raw_completion(logprobs: object, ids: tuple[int, ...] | None) -> None:
    server = ModelServer(events(text_chunk(" 8", "stop", logprobs=logprobs)))
    reply = await ask(server, RAW, tokens=True)
    assert (reply.logprobs, reply.token_ids) == ((-0.5,), ids)
    assert server.requests[0]["logprobs"] == 1
    assert "top_logprobs" not in server.requests[0]


async def test_a_server_without_the_endpoint() -> None:
    with pytest.raises(ModelRejected, match=r"does not know /completions or the model"):
        await ask(ModelServer(fails(404)), RAW)


async def test_raw_text_stands_alone() -> None:
    with pytest.raises(ValueError, match="stands alone"):
        await ask(ModelServer(), (*RAW, QUESTION))


# A message that is continued


async def test_a_message_is_continued_where_the_server_does_so_by_itself() -> None:
    server = ModelServer(says("6 * 7)"))
    reply = await ask(server, OPEN, known=Capabilities(prefill=Prefill.BY_ITSELF))
    assert reply.text == "6 * 7)"
    assert server.requests[0]["messages"][-1] == {"role": "assistant", "content": BEGUN}
    assert "continue_final_message" not in server.requests[0]


async def test_a_message_is_continued_on_request() -> None:
    server = ModelServer(says("6 * 7)"))
    await ask(server, OPEN, known=Capabilities(prefill=Prefill.ON_REQUEST))
    body = server.requests[0]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
async def test_an_echo_of_the_beginning_is_taken_off(size: int) -> None:
    whole = BEGUN + BEGUN + "6 * 7)"
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    known = Capabilities(prefill=Prefill.BY_ITSELF, echo=True)
    assert (await ask(ModelServer(says(*pieces)), OPEN, known=known)).text == BEGUN + "6 * 7)"


@pytest.mark.parametrize("text", ["I compute it", "6 * 7)", BEGUN[:9]])
async def test_what_is_no_echo_is_text(text: str) -> None:
    known = Capabilities(prefill=Prefill.BY_ITSELF, echo=True)
    assert (await ask(ModelServer(says(*text)), OPEN, known=known)).text == text


async def test_a_repetition_is_text_where_the_server_does_not_echo() -> None:
    known = Capabilities(prefill=Prefill.BY_ITSELF)
    assert (await ask(ModelServer(says(BEGUN)), OPEN, known=known)).text == BEGUN


async def test_a_server_that_cannot_continue_is_not_asked_to() -> None:
    server = ModelServer()
    with pytest.raises(ModelRejected, match="does not continue") as caught:
        await ask(server, OPEN, known=Capabilities())
    assert caught.value.hint
    assert server.requests == []


async def test_what_the_server_can_do_is_found_out_before_a_message_is_continued() -> None:
    async def act(reply: Reply) -> None:
        last = reply.body.get("messages", [{"content": "", "role": ""}])[-1]
        words = {"eleph": "ant", BEGUN: "6 * 7)"}
        rest = next((rest for word, rest in words.items() if last["content"].endswith(word)), "Hm.")
        await says(rest if reply.body.get("continue_final_message") else "Anew.")(reply)

    server = ModelServer(act)
    async with model_at(server) as model:
        reply = await model.complete(OPEN, Sampling(), timeout=20)
        asked = len(server.requests)
        again = await model.complete(OPEN, Sampling(), timeout=20)
    assert (reply.text, again.text) == ("6 * 7)", "6 * 7)")
    assert len(server.requests) == asked + 1


# What is known of a server, or learnt from it


async def test_known_capabilities_shape_the_request() -> None:
    server = ModelServer()
    known = Capabilities(limit_field=LimitField.MAX_COMPLETION_TOKENS, sampling=False)
    async with model_at(server) as model:
        model._dialect = model._dialect.knowing(known)
        await model.complete((QUESTION,), Sampling(max_tokens=9), timeout=20)
    body = server.requests[0]
    assert body["max_completion_tokens"] == 9
    assert body.keys().isdisjoint({"temperature", "top_p", "max_tokens"})


async def test_top_k_and_min_p_are_sent_where_they_are_set() -> None:
    server = ModelServer()
    await ask(server, (QUESTION,), sampling=Sampling(top_k=-1, min_p=0.0))
    assert (server.requests[0]["top_k"], server.requests[0]["min_p"]) == (-1, 0.0)
    await ask(server := ModelServer(), (QUESTION,))
    assert server.requests[0].keys().isdisjoint({"top_k", "min_p"})
    with pytest.raises(ModelRejected, match="'top_k'"):
        await ask(ModelServer(refuses("top_k")), (QUESTION,), sampling=Sampling(top_k=5))


async def test_token_ids_of_a_server_that_has_another_field_for_them() -> None:
    """SGLang refuses the one for a streamed chat, without naming it, and has the other."""

    async def act(reply: Reply) -> None:
        if "return_token_ids" in reply.body:
            await fails(400, {"message": "not with stream=true"})(reply)
        else:
            ids = {"choices": [], "sglext": {"output_ids": [[4, 5]]}}
            await events(chunk("x"), chunk(finish="stop"), ids, counts())(reply)

    server = ModelServer(act)
    async with model_at(server, tokens=True) as model:
        first = await model.complete((QUESTION,), Sampling(), timeout=20)
        again = await model.complete((QUESTION,), Sampling(), timeout=20)
    assert (first.token_ids, again.token_ids) == ((4, 5), (4, 5))
    assert (first.attempts, again.attempts) == (2, 1)
    assert server.requests[-1]["return_output_ids"] is True


async def test_a_field_that_was_not_to_blame_is_asked_for_again() -> None:
    server = ModelServer(*[fails(400, {"message": "bad day"})] * 3, says("fine"))
    async with model_at(server, tokens=True) as model:
        with pytest.raises(ModelRejected, match="bad day"):
            await model.complete((QUESTION,), Sampling(), timeout=20)
        await model.complete((QUESTION,), Sampling(), timeout=20)
    assert server.requests[-1]["return_token_ids"] is True


async def test_a_conversation_that_is_too_long_is_not_blamed_on_a_field() -> None:
    server = ModelServer(fails(400, {"message": "long", "code": "context_length_exceeded"}))
    with pytest.raises(ContextOverflow):
        await ask(server, (QUESTION,), tokens=True)
    assert len(server.requests) == 1


@pytest.mark.parametrize("field", ["return_token_ids", "top_logprobs"])
async def test_a_field_that_fastapi_refuses_is_left_out(field: str) -> None:
    async def act(reply: Reply) -> None:
        if field in reply.body:
            where = [{"type": "extra_forbidden", "loc": ["body", field], "msg": "no"}]
            await reply.status(422, {"detail": where})
        else:
            await says("fine")(reply)

    server = ModelServer(act)
    reply = await ask(server, (QUESTION,), tokens=True)
    assert (reply.text, reply.attempts) == ("fine", 2)
    assert "logprobs" in server.requests[-1]


async def test_what_was_found_out_is_not_learnt_again_from_refusals() -> None:
    async def act(reply: Reply) -> None:
        refused = next((name for name in ("max_tokens", "temperature", "top_p") if name in reply.body), None)
        await (refuses(refused) if refused else says("fine"))(reply)

    server = ModelServer(act)
    async with model_at(server) as model:
        capabilities = await model.capabilities()
        reply = await model.complete((QUESTION,), Sampling(), timeout=20)
    assert not capabilities.sampling
    assert (reply.text, reply.attempts) == ("fine", 1)
    assert capabilities.notes(Sampling())[0].startswith("The server takes neither temperature")


# Tool calls


def calls(*chunks: object, finish: str = "tool_calls") -> ModelServer:
    return ModelServer(events(*chunks, chunk(finish=finish), counts()))


async def test_a_call_in_pieces() -> None:
    server = calls(
        chunk("I add."),
        call_chunk({"index": 0, "id": "a", "name": "add", "arguments": ""}),
        call_chunk({"index": 0, "arguments": '{"a": '}),
        call_chunk({"index": 0, "arguments": "2}"}),
    )
    ear = Ear()
    reply = await ask(server, (QUESTION,), tools=(ADD,), ear=ear)
    assert reply.tool_calls == (ToolCall(id="a", name="add", arguments='{"a": 2}'),)
    assert (reply.text, reply.finish_reason) == ("I add.", FinishReason.STOP)
    assert ear.calls == [("add", '{"a": '), ("add", "2}")]
    body = server.requests[0]
    assert body["tool_choice"] == "auto"
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
        }
    ]


async def test_a_call_breaks_off_and_begins_anew() -> None:
    async def act(reply: Reply) -> None:
        await reply.event(call_chunk({"index": 0, "id": "a", "name": "add", "arguments": '{"a"'}))
        await drops()(reply)

    whole = events(
        call_chunk({"index": 0, "id": "b", "name": "add", "arguments": "{}"}), chunk(finish="stop")
    )
    ear = Ear()
    reply = await ask(ModelServer(act, whole), (QUESTION,), tools=(ADD,), ear=ear)
    assert [call.arguments for call in reply.tool_calls] == ["{}"]
    assert ear.calls == [("add", "{}")]


async def test_a_listener_for_text_alone_hears_nothing_of_calls() -> None:
    class TextOnly:
        def __init__(self) -> None:
            self.heard = ""

        def text(self, piece: str) -> None:
            self.heard += piece

        def restart(self, reason: str) -> None: ...

    server = calls(chunk("I add."), call_chunk({"index": 0, "id": "a", "name": "add", "arguments": "{}"}))
    ear = TextOnly()
    async with model_at(server) as model:
        await model.complete((QUESTION,), Sampling(), tools=(ADD,), timeout=20, listener=ear)
    assert ear.heard == "I add."


async def test_calls_and_their_results_go_back() -> None:
    call = ToolCall(id="a", name="add", arguments='{"a": 2}')
    messages = (
        QUESTION,
        Message.of(Role.ASSISTANT, tool_calls=(call,)),
        Message.of(Role.TOOL, ("bad \udc80", Origin.INTERPRETER), call_id="a"),
    )
    server = ModelServer()
    await ask(server, messages, tools=(ADD,))
    assert server.requests[0]["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
            ],
        },
        {"role": "tool", "content": "bad ?", "tool_call_id": "a"},
    ]


async def test_made_up_ids_are_new_in_the_conversation() -> None:
    old = tuple(ToolCall(id=f"call_{number}", name="add", arguments="{}") for number in (1, 3))
    messages = (QUESTION, Message.of(Role.ASSISTANT, tool_calls=old), QUESTION)
    server = calls(
        call_chunk(
            {"name": "add", "arguments": "{}"},
            {"name": "add", "arguments": "{}", "id": "call_1"},
            {"name": "add", "arguments": "{}", "id": "mine"},
        )
    )
    reply = await ask(server, messages, tools=(ADD,))
    assert [call.id for call in reply.tool_calls] == ["call_2", "call_4", "mine"]


async def test_arguments_without_end_are_cut() -> None:
    async def act(reply: Reply) -> None:
        while True:
            await reply.event(call_chunk({"index": 0, "arguments": "x" * 50, "id": "a"}))

    reply = await ask(ModelServer(act), (QUESTION,), tools=(ADD,), sampling=Sampling(max_tokens=10))
    assert reply.finish_reason is FinishReason.LENGTH
    assert reply.completion_tokens > 0
    assert 416 <= len(reply.tool_calls[0].arguments) <= 466


async def test_arguments_and_text_share_the_room() -> None:
    call = call_chunk({"index": 0, "id": "a", "name": "add", "arguments": "x" * 300})

    async def act(reply: Reply) -> None:
        await reply.event(call)
        await never_stops()(reply)

    reply = await ask(ModelServer(act), (QUESTION,), tools=(ADD,), sampling=Sampling(max_tokens=10))
    assert len(reply.text) == 416 - 300


async def test_a_server_that_gives_counts_but_no_reason_has_ended_its_calls() -> None:
    server = ModelServer(
        events(call_chunk({"index": 0, "id": "a", "name": "add", "arguments": "{}"}), counts())
    )
    assert (await ask(server, (QUESTION,), tools=(ADD,))).finish_reason is FinishReason.STOP
