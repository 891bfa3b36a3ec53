"""The scripted model behaves as a server would."""

from __future__ import annotations

import pytest

from tir_agent.errors import ModelRejected, ModelUnavailable
from tir_agent.models.base import Model
from tir_agent.models.scripted import ScriptedModel
from tir_agent.settings import Sampling
from tir_agent.trajectory import Completion, FinishReason, Message, Origin, Role

QUESTION = (Message.of(Role.USER, ("What is 2 + 2?", Origin.PROBLEM)),)


class Ear:
    def __init__(self) -> None:
        self.heard = ""

    def text(self, piece: str) -> None:
        self.heard += piece

    def restart(self, reason: str) -> None:
        raise AssertionError(reason)


async def ask(model: Model, *, max_tokens: int = 100, stop: tuple[str, ...] = ()) -> Completion:
    ear = Ear()
    sampling = Sampling(max_tokens=max_tokens)
    reply = await model.complete(QUESTION, sampling, stop=stop, timeout=1, listener=ear)
    assert ear.heard == reply.text
    return reply


async def test_replies_come_in_order_and_end() -> None:
    model = ScriptedModel(["one", "two"])
    assert [(await ask(model)).text, (await ask(model)).text] == ["one", "two"]
    with pytest.raises(ModelUnavailable, match="has 2 replies, and reply 3 was asked for"):
        await ask(model)
    assert model.requests[0] == QUESTION


async def test_stop_strings_hold() -> None:
    reply = await ask(ScriptedModel(["code\n```output\n4"]), stop=("```output",))
    assert (reply.text, reply.stop_text, reply.finish_reason) == ("code\n", "```output", FinishReason.STOP)


async def test_the_token_limit_holds() -> None:
    reply = await ask(ScriptedModel(["x" * 100]), max_tokens=5)
    assert (len(reply.text), reply.finish_reason, reply.completion_tokens) == (15, FinishReason.LENGTH, 5)


async def test_a_stop_beyond_the_token_limit_is_not_reached() -> None:
    reply = await ask(ScriptedModel(["x" * 100 + "STOP"]), max_tokens=5, stop=("STOP",))
    assert (reply.finish_reason, reply.stop_text) == (FinishReason.LENGTH, None)


async def test_a_completion_is_given_as_it_is() -> None:
    whole = Completion(
        text="4", finish_reason=FinishReason.LENGTH, prompt_tokens=3, completion_tokens=1, duration=0.5
    )
    assert await ask(ScriptedModel([whole])) == whole


async def test_an_exception_is_raised_in_its_place() -> None:
    model = ScriptedModel([ModelRejected("no"), "yes"])
    with pytest.raises(ModelRejected, match="no"):
        await ask(model)
    assert (await ask(model)).text == "yes"


async def test_counts_are_the_same_every_time() -> None:
    first, second = [await ask(ScriptedModel(["four"])) for _ in range(2)]
    assert first == second
    assert (first.prompt_tokens, first.completion_tokens, first.estimated) == (5, 2, True)
