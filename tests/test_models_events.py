"""The reader of event streams: the same events however the stream was cut."""

from __future__ import annotations

import asyncio

import pytest

from tir_agent.models.events import EventReader
from tir_agent.models.openai import OpenAIModel
from tir_agent.settings import Sampling
from tir_agent.trajectory import Message, Origin, Role

from model_server import Act, ModelServer, Reply, chunk, counts

STREAM = (
    b": a comment\n\ndata: one\n\n"
    b"event: named\r\ndata:two\r\nid: 7\r\n\r\n"
    b"data: three\rdata:  indented\r\r"
    b"\n\n\ndata:\n\ndata: caf\xc3\xa9\n\ndata: never ended"
)
EVENTS = [b"one", b"two", b"three\n indented", b"", "café".encode()]


@pytest.mark.parametrize("size", range(1, 24))
def test_events_do_not_depend_on_how_the_stream_was_cut(size: int) -> None:
    reader = EventReader()
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [event for piece in pieces for event in reader.feed(piece)] == EVENTS


def test_two_pieces_of_any_length_give_the_same_events() -> None:
    for cut in range(len(STREAM) + 1):
        reader = EventReader()
        pieces = [piece for piece in (STREAM[:cut], STREAM[cut:]) if piece]
        assert [event for piece in pieces for event in reader.feed(piece)] == EVENTS


def ends_but_stays() -> Act:
    """A whole reply, after which the server does not end its answer."""

    async def act(reply: Reply) -> None:
        await reply.event(chunk("done"))
        await reply.event(chunk(finish="stop"))

        await reply.event(counts())
        await reply.raw(b"data: [DONE]\n\n")
        await asyncio.Event().wait()

    return act


async def test_an_answer_that_does_not_end_after_its_last_event_is_not_waited_for() -> None:
    message = Message.of(Role.USER, ("Go", Origin.PROMPT))
    async with ModelServer(ends_but_stays()) as server:
        model = OpenAIModel("m", base_url=server.url)
        # Below the five seconds that the rest of a stream may take.
        async with asyncio.timeout(4):
            reply = await model.complete([message], Sampling(), timeout=30)
        await model.close()
    assert (reply.text, reply.estimated) == ("done", False)
