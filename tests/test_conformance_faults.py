"""The conformance server's faults, each met once over a real socket; its records."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from conformance import (
    PASSING,
    STYLES,
    UNHARMFUL,
    VLLM,
    ConformanceServer,
    Fault,
    Limits,
    Outcome,
    Pace,
    Plan,
    Tokenizer,
    at_random,
    echo,
)
from conformance import faults as f
from raw_http import Answer, RawClient, ask

TEXT = "Zwölf Würfel: 😀 and the answer is 42."
BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": TEXT}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
BROKEN = (ConnectionResetError, asyncio.IncompleteReadError)


async def meets(fault: Fault, body: object = BODY) -> Answer:
    async with ConformanceServer(VLLM, {"m": echo}, faults=Plan.of(fault)) as server:
        return await ask(server.url, body)


async def silent(fault: Fault) -> bytes:
    """What came before nothing more did; fails if the answer ended."""
    async with (
        ConformanceServer(VLLM, {"m": echo}, faults=Plan.of(fault)) as server,
        RawClient(server.url) as client,
    ):
        asking = asyncio.ensure_future(client.ask(BODY))
        await asyncio.wait({asking}, timeout=0.3)
        assert not asking.done()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return client.seen


# faults


@pytest.mark.parametrize("fault", UNHARMFUL, ids=repr)
async def test_a_harmless_fault_leaves_the_text_as_it_is(fault: Fault) -> None:
    answer = await meets(fault)
    assert fault.outcome is Outcome.UNAFFECTED
    assert answer.text() == TEXT
    assert answer.done is not isinstance(fault, f.NoDone)


async def test_bytes_are_split_inside_characters_and_lines() -> None:
    for size in (1, 7):
        chunks = (await meets(f.SplitBytes(size))).chunks
        assert {len(chunk) for chunk in chunks[:-1]} == {size}
        assert size > 1 or any(chunk[0] & 0xC0 == 0x80 for chunk in chunks)
    assert len({len(chunk) for chunk in (await meets(f.SplitBytes())).chunks}) > 3


async def test_counts_can_come_with_the_finish_reason_and_the_reason_not_at_all() -> None:
    events = (await meets(f.UsageWithFinish())).events
    assert [bool(event.get("usage")) for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    answer = await meets(f.FinishMissing())
    assert {choice["finish_reason"] for choice in answer.choices()} == {None}
    assert answer.events[-1]["usage"]


async def test_429_asks_to_wait_in_each_form() -> None:
    assert (await meets(f.TooMany(wait=2))).headers["retry-after"] == "2"
    dated = await meets(f.TooMany(f.WaitForm.DATE, 2))
    assert dated.status == 429
    assert parsedate_to_datetime(dated.headers["retry-after"])
    assert (await meets(f.TooMany(f.WaitForm.MILLISECONDS, 1.5))).headers["retry-after-ms"] == "1500"
    assert "retry-after" not in (await meets(f.TooMany(f.WaitForm.NOT))).headers


async def test_a_burst_of_bad_statuses_ends() -> None:
    plan = Plan.burst(f.BadStatus(529), 2, start=2)
    async with ConformanceServer(VLLM, {"m": echo}, faults=plan) as server, RawClient(server.url) as client:
        assert [(await client.ask(BODY)).status for _ in range(4)] == [200, 529, 529, 200]
        assert server.log.completed == 2
    page = await meets(f.BadStatus(502, html=True))
    assert page.headers["content-type"] == "text/html"


async def test_a_page_comes_with_status_200() -> None:
    answer = await meets(f.HtmlPage())
    assert answer.status == 200
    assert answer.data.startswith(b"<!DOCTYPE html>")


async def test_a_stall_keeps_the_connection_and_says_nothing_more() -> None:
    assert await silent(f.Hangs()) == b""
    assert (await silent(f.Stall(2))).count(b"data: ") == 2


async def test_a_connection_is_reset_or_closed_in_the_middle() -> None:
    with pytest.raises(ConnectionResetError):
        await meets(f.Reset())
    with pytest.raises(asyncio.IncompleteReadError):
        await meets(f.Ends())
    with pytest.raises(BROKEN):
        await meets(f.Reset(), BODY | {"stream": False})
    answer = await meets(f.Ends(complete=True))
    assert {choice["finish_reason"] for choice in answer.choices()} == {None}
    assert not answer.done


async def test_an_event_can_have_half_of_its_json() -> None:
    answer = await meets(f.TruncatedEvent())
    with pytest.raises(json.JSONDecodeError):
        _ = answer.events
    assert not answer.done


async def test_an_error_comes_in_the_middle_of_a_stream() -> None:
    *before, last = (await meets(f.ErrorEvent(500, 2))).events
    assert len(before) == 2
    assert last["error"]["code"] == 500
    assert f.ErrorEvent(400).outcome is Outcome.REFUSED
    assert f.ErrorEvent(503).outcome is Outcome.RETRIED


async def test_a_context_can_be_too_short_for_one_request() -> None:
    async with ConformanceServer(VLLM, {"m": echo}, faults=Plan.of(None, f.Context(8))) as server:
        first, second, third = [await ask(server.url, BODY) for _ in range(3)]
    assert (first.status, second.status, third.status) == (200, 400, 200)
    assert second.json["error"]["param"] == "input_tokens"


async def test_a_fault_meets_a_whole_reply_as_well() -> None:
    whole = BODY | {"stream": False}
    for fault in (f.SplitBytes(3), f.Drip(0.001), f.NoDone()):
        assert (await meets(fault, whole)).json["choices"][0]["message"]["content"] == TEXT
    with pytest.raises(json.JSONDecodeError):
        _ = (await meets(f.TruncatedEvent(), whole)).json
    with pytest.raises(asyncio.IncompleteReadError):
        await meets(f.Ends(), whole)
    assert (await meets(f.ErrorEvent(503), whole)).status == 503


async def test_faults_at_random_are_the_same_for_a_seed() -> None:
    plan, again, other = at_random(1, 0.5), at_random(1, 0.5), at_random(2, 0.5)
    met = [plan(number) for number in range(200)]
    assert met == [again(number) for number in range(200)]
    assert met != [other(number) for number in range(200)]
    assert 60 < sum(fault is not None for fault in met) < 140
    assert {type(fault) for fault in met if fault} == {type(fault) for fault in PASSING}


# records


async def test_the_log_tells_what_was_asked_and_what_became_of_it() -> None:
    async with ConformanceServer(VLLM, {"m": echo}, faults=Plan.of(None, f.Ends())) as server:
        await ask(server.url, BODY)
        with pytest.raises(BROKEN):
            await ask(server.url, BODY)
        good, bad = server.log.records
    assert good.body == BODY
    assert (good.completed, good.fault, good.texts) == (True, None, (TEXT,))
    assert (bad.completed, bad.fault) == (False, f.Ends())
    assert good.tokens == len(Tokenizer().encode(TEXT)) + 1
    assert server.log.per_second > 0


async def test_a_client_that_leaves_is_noticed() -> None:
    async with ConformanceServer(VLLM, {"m": echo}, pace=Pace(first=30)) as server:
        async with RawClient(server.url) as client:
            asking = asyncio.ensure_future(client.ask(BODY))
            await server.log.begun.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        async with asyncio.timeout(10):
            await server.log.idle.wait()
        assert server.log.records[0].left


async def test_the_peak_is_counted_and_what_is_beyond_the_limit_refused() -> None:
    limits = Limits(concurrent=3)
    async with ConformanceServer(VLLM, {"m": echo}, pace=Pace(first=0.3), limits=limits) as server:
        answers = await asyncio.gather(*(ask(server.url, BODY) for _ in range(5)))
        assert sorted(answer.status for answer in answers) == [200, 200, 200, 429, 429]
        assert server.log.peak > 3


async def test_it_is_a_program_too() -> None:
    folder = Path(__file__).parent.parent / "benchmarks"
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "conformance", "--as", "sglang", "--context", "99"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    try:
        async with asyncio.timeout(60):
            name, _, url = (await server.stdout.readline()).decode().split()
        cards = (await ask(url, path="/v1/models")).json["data"]
    finally:
        server.send_signal(signal.SIGINT)
        assert await server.wait() == 0
    assert name == "sglang"
    assert {card["max_model_len"] for card in cards} == {99}
    assert {card["id"] for card in cards} == {"echo", *(f"solver-{style}" for style in STYLES)}
