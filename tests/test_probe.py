"""What is found out about servers: each profile of the conformance server, and servers that are odd."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tir_agent.errors import ModelRejected, ModelUnavailable
from tir_agent.models.capabilities import Capabilities, Findings, LimitField, Prefill
from tir_agent.models.connection import Connection
from tir_agent.models.probe import probe
from tir_agent.models.questions import COUNT, CUT_WORDS
from tir_agent.settings import ConversationForm, Sampling

from able import able
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
    Profile,
    Request,
    Utterance,
)
from conformance import profiles as p
from model_server import Act, ModelServer, Reply, chunk, counts, drops, events, fails, page, says, stalls


def parrot(request: Request) -> Utterance:
    """A model that says its own last message again, and never begins with anything else."""
    return Utterance(request.turns[-1].text if request.turns else "x")


def thinker(request: Request) -> Utterance:
    """The able model, after some thought."""
    return replace(able(request), thinking="Let me see what is wanted here. ")


async def find(profile: Profile, mind: Any = able) -> Findings:
    async with ConformanceServer(profile, {"m": mind}) as server:
        connection = Connection(server.url, None, "m", connect_seconds=5)
        try:
            return await probe(connection, "m")
        finally:
            await connection.close()


ALL = Capabilities(
    completions=True,
    tools=True,
    n=True,
    seed=True,
    logprobs=True,
    stream_usage=True,
)
EXPECTED: list[tuple[Profile, dict[str, Any]]] = [
    (VLLM, {"prefill": Prefill.ON_REQUEST, "stop_text": True, "token_ids": True, "context_tokens": 8192}),
    (SGLANG, {"prefill": Prefill.ON_REQUEST, "stop_text": True, "token_ids": True, "context_tokens": 8192}),
    (OLLAMA, {"prefill": Prefill.BY_ITSELF, "n": False}),
    (OPENAI, {"completions": False}),
    (
        OPENAI_REASONING,
        {
            "completions": False,
            "limit_field": LimitField.MAX_COMPLETION_TOKENS,
            "sampling": False,
            "stop": False,
            "logprobs": False,
        },
    ),
    (LLAMACPP, {"prefill": Prefill.BY_ITSELF, "context_tokens": 4096}),
    (TGI, {"prefill": Prefill.BY_ITSELF, "n": False}),
    (OPENROUTER, {"completions": False}),
    (
        GEMMA,
        {
            "prefill": Prefill.ON_REQUEST,
            "stop_text": True,
            "token_ids": True,
            "context_tokens": 8192,
            "system": False,
        },
    ),
    # It takes no field that it does not know, so a message is never continued.
    (FASTAPI_STRICT, {"stop_text": True, "context_tokens": 8192}),
]
LIKE_VLLM = EXPECTED[0][1]
FIELDS: list[tuple[Profile, dict[str, Any]]] = [
    (replace(VLLM, several=False), {"n": False}),
    (replace(VLLM, logprobs=False), {"logprobs": False}),
    (replace(VLLM, token_ids_field=None), {"token_ids": False}),
    (replace(VLLM, tools=False), {"tools": False}),
    (replace(VLLM, stop_field=None), {"stop_text": False}),
    (replace(VLLM, prefill=p.Prefill.NEVER), {"prefill": Prefill.NONE}),
    (replace(VLLM, prefill=p.Prefill.ALWAYS), {"prefill": Prefill.BY_ITSELF}),
    (replace(VLLM, prefill=p.Prefill.ALWAYS, prefill_excludes_thinking=True), {"prefill": Prefill.NONE}),
    (replace(VLLM, completions=False), {"completions": False}),
    (
        replace(VLLM, limit_fields=("max_completion_tokens",)),
        {"limit_field": LimitField.MAX_COMPLETION_TOKENS},
    ),
    (replace(VLLM, refused={"top_p": ()}), {"sampling": False}),
    (replace(VLLM, refused={"seed": ()}), {"seed": False}),
    (replace(VLLM, refused={"n": ()}), {"n": False}),
    (replace(VLLM, refused={"tools": ()}), {"tools": False}),
    (replace(VLLM, refused={"stream_options": ()}), {"stream_usage": False}),
]


@pytest.mark.parametrize(("profile", "different"), EXPECTED, ids=lambda value: getattr(value, "name", ""))
async def test_every_kind_of_server_is_seen_as_it_is(profile: Profile, different: dict[str, Any]) -> None:
    findings = await find(profile)
    assert findings.capabilities == ALL.model_copy(update=different)
    assert not findings.passing
    assert findings.unknown <= {"echo"}


def test_every_kind_of_server_is_looked_at() -> None:
    assert {profile.name for profile, _ in EXPECTED} == set(PROFILES)


@pytest.mark.parametrize(
    ("profile", "different"), FIELDS, ids=lambda value: str(getattr(value, "name", value))
)
async def test_one_thing_that_a_server_lacks_is_seen_alone(
    profile: Profile, different: dict[str, Any]
) -> None:
    expected = ALL.model_copy(update=LIKE_VLLM | different)
    assert (await find(profile)).capabilities == expected


@pytest.mark.parametrize("profile", [VLLM, SGLANG, OLLAMA])
async def test_the_field_of_the_thinking(profile: Profile) -> None:
    assert (await find(profile, thinker)).capabilities.reasoning_field == profile.thinking.value


@pytest.mark.parametrize("profile", [OPENAI, VLLM])
async def test_a_model_that_repeats_its_message_does_not_continue_it(profile: Profile) -> None:
    assert (
        await find(replace(profile, prefill=p.Prefill.NEVER), parrot)
    ).capabilities.prefill is Prefill.NONE


# Servers that are odd


@asynccontextmanager
async def connected(server: ModelServer, **more: Any) -> AsyncIterator[Connection]:
    async with server:
        connection = Connection(server.url, None, "m", connect_seconds=5)
        yield connection
        await connection.close()


async def look(act: Act, *acts: Act, **more: Any) -> Findings:
    async with connected(ModelServer(act, *acts)) as connection:
        return await probe(connection, "m", **more)


def is_chat(reply: Reply) -> bool:
    return "messages" in reply.body


async def test_a_base_model_only_completes() -> None:
    async def act(reply: Reply) -> None:
        if is_chat(reply):
            await fails(400, {"message": "no chat template"})(reply)
        else:
            text = {"choices": [{"index": 0, "text": " 2, 3", "finish_reason": None}]}
            end = {"choices": [{"index": 0, "text": "", "finish_reason": "length"}]}
            await events(text, end, counts({"prompt_tokens": 3, "completion_tokens": 3}))(reply)

    findings = await look(act)
    assert (findings.capabilities.chat, findings.capabilities.completions) == (False, True)
    assert findings.capabilities.stream_usage
    assert {"prefill", "tools", "system"} <= findings.unknown


async def test_a_template_around_a_raw_prompt_is_seen_by_the_count_of_its_tokens() -> None:
    for tokens, raw in ((3, True), (30, False)):
        act = events(
            {"choices": [{"index": 0, "text": "hi", "finish_reason": "stop", "delta": {"content": ""}}]},
            counts({"prompt_tokens": tokens, "completion_tokens": 1}),
        )
        assert (await look(act)).capabilities.completions is raw


async def test_an_echo_is_seen_in_the_stream() -> None:
    async def act(reply: Reply) -> None:
        last = reply.body["messages"][-1] if is_chat(reply) else {"role": "", "content": ""}
        rest = next((rest for _, begun, rest in CUT_WORDS if last["content"] == begun), None)
        await says(*([last["content"], rest] if rest else ["Hm."]))(reply)

    found = (await look(act)).capabilities
    assert (found.prefill, found.echo) == (Prefill.BY_ITSELF, True)


async def test_a_system_message_that_is_dropped_is_not_taken() -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 1}
    assert not (await look(events(chunk("1", "stop"), counts(usage)))).capabilities.system


async def test_a_server_that_ignores_what_it_does_not_know_can_do_nothing_more() -> None:
    found = (await look(says("The same for everybody."))).capabilities
    assert found == Capabilities(stream_usage=True, system=False)


async def test_a_reply_without_end_is_cut() -> None:
    async def act(reply: Reply) -> None:
        while True:
            await reply.event(chunk("on and on "))

    found = (await look(act)).capabilities
    assert (found.chat, found.stop, found.seed) == (True, False, False)


async def test_a_server_that_falls_silent_is_not_waited_for() -> None:
    findings = await look(says("1 2 3"), stalls(), seconds=0.3)
    assert findings.passing
    assert {"completions", "prefill", "tools", "seed", "n"} <= findings.unknown
    assert findings.capabilities.chat


async def test_a_server_that_crashes_on_a_question_has_answered_it() -> None:
    async def act(reply: Reply) -> None:
        await (fails(500) if "tools" in reply.body else says("1 2"))(reply)

    findings = await look(act)
    assert not findings.passing
    assert "tools" not in findings.unknown
    assert not findings.capabilities.tools


async def test_a_server_that_is_busy_for_a_moment_is_asked_again() -> None:
    findings = await look(
        says("1"), fails(429, Retry_After="0.01"), fails(503, Retry_After="0.01"), says("1")
    )
    assert not findings.passing


async def test_a_connection_that_always_breaks_tells_nothing() -> None:
    async def act(reply: Reply) -> None:
        await (drops("1") if "tools" in reply.body else says("1 2"))(reply)

    findings = await look(act)
    assert findings.passing
    assert "tools" in findings.unknown


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (fails(401), "wants an API key"),
        (fails(403), "wants an API key"),
        (fails(404, {"message": "no"}), "does not know /chat/completions"),
        (fails(400, {"message": "Never."}), "refused the request: Never"),
        (page("<html>hello</html>"), "text/html"),
    ],
)
async def test_what_is_no_server_for_this_model_is_an_error(act: Act, message: str) -> None:
    with pytest.raises(ModelRejected, match=message):
        await look(act)


async def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    connection = Connection("http://127.0.0.1:9/v1", None, "m", connect_seconds=5)
    with pytest.raises(ModelUnavailable, match="Cannot connect"):
        await probe(connection, "m")
    await connection.close()


# What a run is told


def test_each_thing_that_is_asked_for_and_missing_has_a_sentence() -> None:
    nothing = Capabilities(chat=False, stop=False, sampling=False, system=False, context_tokens=512)
    asked = Sampling(temperature=1.0, seed=5, max_tokens=1024)
    everything: dict[str, Any] = {"stop": ["x"], "tokens": True, "tools": True, "system": True}
    notes = nothing.notes(asked, **everything)
    assert len(notes) == 10
    assert "The server ignores seeds: the same seed gives another reply" in notes
    assert any("512 tokens has no room for a reply of 1024" in note for note in notes)
    assert nothing.notes(Sampling(), form=ConversationForm.COMPLETION)[0].endswith("complete raw text")
    full = ALL.model_copy(update={"prefill": Prefill.BY_ITSELF, "stop_text": True, "token_ids": True})
    for form in ConversationForm:
        assert full.notes(asked, form=form, **everything) == ()


def test_a_seed_means_nothing_where_nothing_is_drawn() -> None:
    none = Capabilities(stream_usage=True)
    assert none.notes(Sampling(seed=5, temperature=0.0)) == ()
    assert len(none.notes(Sampling(seed=5, temperature=0.1))) == 1


def test_a_question_is_long_enough_to_tell_an_echo_from_an_answer() -> None:
    for _, begun, rest in CUT_WORDS:
        assert len(begun) > 80
        assert begun[-1].isalpha()
        assert rest.isalpha()
    assert COUNT
