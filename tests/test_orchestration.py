"""The benchmark of the runtime: its agents are real and right, and its report computes what it says."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tir_agent.kernel.base import Sandbox

from orchestration_report import as_markdown
from orchestration_results import Batch, Level, Results, RivalFigures, quantile
from orchestration_rivals import RIVALS, Rival, measure, own_figures
from orchestration_run import Server, Wrong, agents, kernels, model_server
from orchestration_task import Form, task

TASKS = [task(number) for number in range(1, 9)]
LATENCY = 0.02


async def test_eight_trajectories_end_with_the_right_answer(local_sandbox: Sandbox) -> None:
    async with model_server(LATENCY, bursts=3) as server:
        # Raises Wrong where one is not ANSWERED, or not right, or took another number of turns.
        batch = await agents(server, Form.FENCES, local_sandbox, TASKS)
        stats = await server.stats()
    turns = sum(one.turns(Form.FENCES) for one in TASKS)
    assert (turns, batch.requests, len(batch.added)) == (28, 28, 28)
    assert stats.most_open <= len(TASKS)
    assert batch.peak_rss > 2**20


async def test_without_a_kernel_the_loop_and_the_client_are_left() -> None:
    async with model_server(LATENCY, bursts=1) as server:
        batch = await agents(server, Form.PROSE, None, TASKS)
    assert len(batch.added) == 2 * len(TASKS)


async def test_the_bare_cells_print_what_they_must(local_sandbox: Sandbox) -> None:
    batch = await kernels(local_sandbox, TASKS[:2])
    assert (batch.requests, batch.added) == (0, [])


async def test_a_model_that_gives_up_is_no_figure(local_sandbox: Sandbox) -> None:
    # In the form for other runtimes there is no fence to run, so the code's output is never shown.
    async with model_server(LATENCY, bursts=1) as server:
        with pytest.raises(Wrong, match="task 1 ended with NO_ACTION"):
            await agents(server, Form.TAGS, local_sandbox, TASKS[:1])


def test_an_answer_needs_the_output_of_every_cell() -> None:
    one = task(1)
    assert len(one.steps) == 3
    for form in (Form.FENCES, Form.TAGS, Form.SCRIPTS, Form.SHELL):
        for turn in (1, 2, 3):
            assert one.answer not in one.reply(form, turn, "nothing").text
        assert one.answer in one.reply(form, 3, one.steps[2].output).text


@pytest.mark.parametrize("form", [Form.TAGS, Form.SCRIPTS, Form.SHELL])
def test_code_for_runtimes_without_state_is_whole(form: Form) -> None:
    reply = task(1).reply(form, 1, task(1).steps[0].output)
    assert ("import symbols" in reply.value) == (form is not Form.TAGS)


def test_every_task_has_three_or_four_turns_and_answers_differ() -> None:
    tasks = [task(number) for number in range(256)]
    assert {one.turns(Form.FENCES) for one in tasks} == {3, 4}
    assert len({one.steps[0].code + one.steps[1].code for one in tasks}) == 256


def batch(wall: float, cpu: float = 0.0, *added: float) -> Batch:
    return Batch(wall=wall, cpu=cpu, machine_cpu=2 * cpu, peak_rss=100, added=list(added))


LEVEL = Level(
    name="4",
    at_once=4,
    turns=4,
    latency=0.2,
    agents=[batch(3.0, 0.4, 0.01, 0.03), batch(2.0, 0.8, 0.02), batch(9.0, 0.6)],
    kernels=[batch(1.0, 0.2), batch(1.2, 0.1), batch(5.0, 0.4)],
)


def test_the_ideal_is_the_model_and_the_kernels_one_after_the_other() -> None:
    assert LEVEL.model_seconds == pytest.approx(0.8)
    assert LEVEL.kernel_seconds == 1.2
    assert LEVEL.ideal == pytest.approx(2.0)
    assert LEVEL.wall == 3.0
    assert LEVEL.ratio == pytest.approx(1.5)
    assert LEVEL.strict_ratio == pytest.approx(2.5)
    assert LEVEL.per_minute == pytest.approx(80)
    assert LEVEL.cpu == pytest.approx(0.15)
    assert LEVEL.kernel_cpu == pytest.approx(0.05)
    assert quantile(LEVEL.added, 0.5) == 0.02


def test_a_level_without_a_kernel_has_the_model_alone_for_its_ideal() -> None:
    bare = LEVEL.model_copy(update={"kernels": []})
    assert bare.ideal == pytest.approx(0.8)
    assert bare.kernel_cpu is None


def test_the_report_shows_the_ratio_and_who_was_not_measured() -> None:
    absent = RivalFigures(name="absent", reason="it cannot be installed")
    rivals = [own_figures(LEVEL), absent]
    text = as_markdown(Results(machine={"cores": "2"}, settings={}, levels=[LEVEL], rivals=rivals))
    assert "| 4 | 3.00 s | 800 ms | 1.20 s | 2.00 s | 1.50× | 2.50× | 80 |" in text
    assert "| 3.00 s | 3.8× | 80 | 200 ms |" in text
    assert "- absent: not measured: it cannot be installed" in text


@pytest.mark.parametrize(
    ("program", "reason"), [("print('no')", "it failed"), ("import time; time.sleep(60)", "not done within")]
)
async def test_a_rival_that_fails_or_hangs_is_a_reason(tmp_path: Path, program: str, reason: str) -> None:
    (tmp_path / "rival.py").write_text(program)
    rival = Rival("rival", (), str(tmp_path / "rival.py"), Form.TAGS, "", "")
    async with model_server(LATENCY, bursts=1) as server:
        figures = await measure(rival, server, 2, 2.0, Path(sys.executable), print)
    assert figures.reason is not None
    assert reason in figures.reason


async def test_replies_come_whole_or_streamed_with_the_same_content() -> None:
    async with model_server(LATENCY, bursts=4) as server:
        for rival in RIVALS:
            whole = await ask(server, rival.form, stream=False)
            streamed = await ask(server, rival.form, stream=True)
            assert whole == streamed
            assert "solve" in whole


async def ask(server: Server, form: Form, *, stream: bool) -> str:
    """Text and tool arguments of the first reply, read without the client that the others use."""
    messages = [{"role": "user", "content": task(1).problem}]
    body = json.dumps({"model": form.value, "messages": messages, "stream": stream}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    head = await reader.readuntil(b"\r\n\r\n")
    if not stream:
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        choices = json.loads(await reader.readexactly(length))["choices"]
        said = [choices[0]["message"]]
    else:
        data = await reader.readuntil(b"0\r\n\r\n")
        lines = [line[6:] for line in data.split(b"\r\n") if line.startswith(b"data: {")]
        said = [choice["delta"] for line in lines for choice in json.loads(line)["choices"]]
    writer.close()
    calls = [call["function"]["arguments"] for part in said for call in part.get("tool_calls") or []]
    return "".join(part.get("content") or "" for part in said) + "".join(calls)
