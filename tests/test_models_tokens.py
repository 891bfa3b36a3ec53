"""Token ids and logprobs: those of the reply's text, or none at all."""

from __future__ import annotations

from tir_agent.models.openai import OpenAIModel
from tir_agent.settings import Sampling
from tir_agent.trajectory import Completion, Message, Origin, Role

from model_server import Act, ModelServer, chunk, counts, events

QUESTION = [Message.of(Role.USER, ("Count", Origin.PROMPT))]


def token(text: str, number: int) -> dict[str, object]:
    return {"token": text, "bytes": list(text.encode()), "logprob": -0.5, "id": number}


def reply(*pieces: tuple[str, list[str]], finish: str = "length") -> Act:
    """Each piece of text with the tokens that the server tells with it."""
    chunks: list[object] = []
    number = 0
    for text, tokens in pieces:
        told = [token(one, number + at) for at, one in enumerate(tokens)]
        number += len(tokens)
        chunks.append(chunk(text, logprobs={"content": told}))
    return events(*chunks, chunk(None, finish), counts())


async def ask(act: Act, *stop: str) -> Completion:
    async with ModelServer(act) as server:
        model = OpenAIModel("m", base_url=server.url, tokens=True, own_stops=bool(stop))
        completion = await model.complete(QUESTION, Sampling(), stop=stop, timeout=20)
        assert ("stop" in server.requests[0]) is False
        await model.close()
        return completion


async def test_tokens_that_join_to_the_text_are_kept() -> None:
    completion = await ask(reply(("one", ["one"]), (" two", [" t", "wo"])))
    assert completion.token_ids == (0, 1, 2)
    assert completion.logprobs == (-0.5, -0.5, -0.5)


async def test_tokens_of_a_text_of_which_some_are_missing_are_not() -> None:
    completion = await ask(reply(("one", ["one"]), ("\ntwo", ["two"])))
    assert completion.text == "one\ntwo"
    assert (completion.token_ids, completion.logprobs) == (None, None)


async def test_a_character_in_two_tokens_is_whole() -> None:
    halves = {
        "content": [
            {"token": "\ufffd", "bytes": [0xC3], "logprob": -1.0, "id": 1},
            {"token": "\ufffd", "bytes": [0xA9], "logprob": -1.0, "id": 2},
        ]
    }
    completion = await ask(events(chunk("é", logprobs=halves), chunk(None, "length"), counts()))
    assert completion.token_ids == (1, 2)


async def test_tokens_up_to_a_stop_string_that_was_met_here_are_kept() -> None:
    act = reply(
        ("one", ["one"]), (" two", [" two"]), ("\n``", ["\n", "``"]), ("`output\n42", ["`", "output"])
    )
    completion = await ask(act, "\n```output")
    assert (completion.text, completion.token_ids) == ("one two", (0, 1))
    assert completion.completion_tokens == 2


async def test_a_token_that_is_half_in_the_stop_string_voids_all() -> None:
    completion = await ask(
        reply(("one", ["one"]), (" two.\n", [" two", ".\n"]), ("```output", ["```", "output"])), "\n```output"
    )
    assert completion.text == "one two."
    assert completion.token_ids is None
