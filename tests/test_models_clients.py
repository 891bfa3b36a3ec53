"""The HTTP clients of a model server: few while few replies are read, more for more."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tir_agent.models.clients import Clients
from tir_agent.models.openai import OpenAIModel
from tir_agent.settings import Sampling
from tir_agent.trajectory import Message, Origin, Role

from model_server import ModelServer, says

URL = "http://127.0.0.1:1/v1"


async def test_a_client_reads_sixteen_replies_and_the_next_one_has_another() -> None:
    clients = Clients(URL, None, connect_seconds=1)
    async with AsyncExitStack() as stack:
        lent = [await stack.enter_async_context(clients.for_stream()) for _ in range(40)]
    assert [lent.count(client) for client in dict.fromkeys(lent)] == [16, 16, 8]
    await clients.close()


async def test_a_client_whose_replies_have_ended_is_used_again() -> None:
    clients = Clients(URL, None, connect_seconds=1)
    for _ in range(20):
        async with clients.for_stream() as client:
            assert client is await clients.any()
    await clients.close()


async def test_clients_that_were_closed_are_made_anew() -> None:
    clients = Clients(URL, None, connect_seconds=1)
    before = await clients.any()
    await clients.close()
    await clients.close()
    assert before.is_closed()
    assert not (await clients.any()).is_closed()
    await clients.close()


async def test_many_replies_at_once_come_to_those_who_asked() -> None:
    message = Message.of(Role.USER, ("Go", Origin.PROMPT))
    async with ModelServer(says("a", "b"), says("c")) as server:
        model = OpenAIModel("m", base_url=server.url)
        asked = (model.complete([message], Sampling(), timeout=30) for _ in range(64))
        replies = await asyncio.gather(*asked)
        await model.close()
    assert sorted(reply.text for reply in replies) == ["ab", *["c"] * 63]
