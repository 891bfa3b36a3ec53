"""Every form of a request, to every kind of server, through every fault that passes: the reply is whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from tir_agent.messages import Message, Origin, Role, Tool
from tir_agent.models.capabilities import Capabilities, Findings
from tir_agent.models.capabilities import Prefill as Continues
from tir_agent.models.openai import OpenAIModel, Patience
from tir_agent.settings import Sampling
from tir_agent.trajectory import Completion

from conformance import (
    PASSING,
    PROFILES,
    UNHARMFUL,
    ConformanceServer,
    Fault,
    Plan,
    Profile,
    Request,
    ToolCall,
    Utterance,
)
from conformance.profiles import Prefill, UnknownFields

FAST = Patience(first_wait=0.001, longest_wait=0.002, attempts=3, first_chunk=2.0, stall=2.0)
TEXT = "I compute it. ```python\nprint(6 * 7)\n``` and so on, until the end of it all."
CODE = '{"code": "print(1)\\nprint(2)"}'
STOP = "```output"
TOOL = Tool(name="python", description="Runs code.", parameters={"type": "object"})
QUESTION = Message.of(Role.USER, ("What is 6 * 7?", Origin.PROBLEM))
RAW = (Message.of(Role.RAW, ("What is 6 * 7?", Origin.PROMPT)),)
BEGUN = (QUESTION, Message.of(Role.ASSISTANT, ("I say: ", Origin.MODEL)))
FAULTS: list[Fault | None] = [None, *PASSING, *UNHARMFUL]


def mind(request: Request) -> Utterance:
    if request.tools:
        return Utterance("I call.", (ToolCall("python", CODE), ToolCall("python", "{}")))
    return Utterance(f"{TEXT}{STOP}\n42\n```" if STOP in request.stop else TEXT)


async def ask(
    profile: Profile, fault: Fault | None, messages: Sequence[Message], tools: Sequence[Tool] = ()
) -> Completion:
    stop = () if "stop" in profile.refused else (STOP,)
    continues = Continues.ON_REQUEST if profile.prefill is Prefill.ON_REQUEST else Continues.BY_ITSELF
    known = Capabilities(prefill=continues)
    async with ConformanceServer(profile, {"m": mind}, faults=Plan.of(fault)) as server:
        model = OpenAIModel("m", base_url=server.url, patience=FAST, tokens=True)
        model._findings = Findings(capabilities=known, asked=datetime.now(UTC))
        try:
            sampling = Sampling(temperature=1.0, max_tokens=200)
            return await model.complete(messages, sampling, stop=stop, tools=tools, timeout=20)
        finally:
            await model.close()


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
async def test_raw_text_is_completed_whole(profile: Profile) -> None:
    for fault in FAULTS if profile.completions else []:
        reply = await ask(profile, fault, RAW)
        assert reply.text == TEXT, fault
        # Where the stop string stays in the text, the stream is cut there, before its counts.
        assert profile.stop_kept or not reply.estimated, fault


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
async def test_a_message_is_continued_whole(profile: Profile) -> None:
    strict = profile.unknown is UnknownFields.DETAIL_LIST and profile.prefill is Prefill.ON_REQUEST
    for fault in FAULTS if not strict else []:
        assert (await ask(profile, fault, BEGUN)).text == TEXT, fault


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
async def test_two_calls_are_read_whole(profile: Profile) -> None:
    for fault in FAULTS:
        reply = await ask(profile, fault, (QUESTION,), (TOOL,))
        assert (reply.text, [call.arguments for call in reply.tool_calls]) == ("I call.", [CODE, "{}"]), fault
        assert {call.name for call in reply.tool_calls} == {"python"}
        assert len({call.id for call in reply.tool_calls}) == 2
        assert all(call.id for call in reply.tool_calls)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
async def test_there_is_a_logprob_for_each_token(profile: Profile) -> None:
    for messages in (BEGUN, RAW) if profile.completions else (BEGUN,):
        if messages is BEGUN and profile.unknown is UnknownFields.DETAIL_LIST:
            continue
        reply = await ask(profile, None, messages)
        lengths = {len(tokens) for tokens in (reply.token_ids, reply.logprobs) if tokens is not None}
        assert len(lengths) <= 1, reply
