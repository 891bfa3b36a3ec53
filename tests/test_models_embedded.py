"""The embedded model: the real SmolLM2 in a real llama.cpp server, and what becomes of its process."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import pytest_asyncio

from tir_agent.errors import ContextOverflow, ModelRejected, ModelUnavailable, UsageError
from tir_agent.messages import Tool, ToolCall
from tir_agent.models.checks import CheckName, check_model
from tir_agent.models.choice import open_model
from tir_agent.models.embedded import EmbeddedModel
from tir_agent.models.gguf import checked_gguf, installed_gguf
from tir_agent.models.openai import OpenAIModel, Patience
from tir_agent.settings import Sampling
from tir_agent.trajectory import FinishReason, Message, Origin, Role

from conftest import missing

SECONDS = 60.0
"""For one reply; on a busy machine the model is many times slower than on an idle one."""
QUICK = Patience(attempts=2, first_wait=0.001, longest_wait=0.002)


def says(text: str) -> tuple[Message, ...]:
    return (Message.of(Role.USER, (text, Origin.PROBLEM)),)


@pytest_asyncio.fixture
async def model() -> AsyncIterator[EmbeddedModel]:
    """A server of its own for every test, with two slots of 1024 tokens."""
    try:
        opened = await EmbeddedModel.open(context=2048, slots=2, patience=QUICK)
    except ModelUnavailable as error:
        missing(f"no embedded model here: {error.message}")
    yield opened
    await opened.close()


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_until_gone(pid: int) -> None:
    """Fails by the test's own time-out where the process stays."""
    while is_alive(pid):
        time.sleep(0.02)


async def test_it_answers(model: EmbeddedModel) -> None:
    reply = await model.complete(says("What is 2 + 2?"), Sampling(max_tokens=40), timeout=SECONDS)
    assert "4" in reply.text
    assert reply.prompt_tokens > 10
    assert reply.completion_tokens > 0
    assert not reply.estimated
    assert model.base_url is None
    assert "SmolLM2" in await model.describe()


async def test_seeds_reproduce(model: EmbeddedModel) -> None:
    async def story(seed: int) -> str:
        sampling = Sampling(temperature=1.0, seed=seed, max_tokens=30)
        return (await model.complete(says("Tell a story."), sampling, timeout=SECONDS)).text

    first, other, again = await story(1), await story(2), await story(1)
    assert first == again
    assert first != other


async def test_it_is_cut_at_its_token_limit(model: EmbeddedModel) -> None:
    reply = await model.complete(says("Count to 1000."), Sampling(max_tokens=5), timeout=SECONDS)
    assert reply.finish_reason is FinishReason.LENGTH
    assert reply.completion_tokens == 5


@pytest.mark.parametrize("extra", [0, 4])
async def test_stop_strings(model: EmbeddedModel, extra: int) -> None:
    """Also where the one that counts is beyond the four that the server is told."""
    whole = await model.complete(says("What is 2 + 2?"), Sampling(max_tokens=30), timeout=SECONDS)
    stop = whole.text[6:10]
    stops = [f"never{number}" for number in range(extra)] + [stop]
    reply = await model.complete(says("What is 2 + 2?"), Sampling(max_tokens=30), stop=stops, timeout=SECONDS)
    assert reply.text == whole.text[: whole.text.index(stop)]
    assert reply.finish_reason is FinishReason.STOP
    assert reply.stop_text == (stop if extra else None)


async def test_two_requests_at_once(model: EmbeddedModel) -> None:
    questions = ("What is 2 + 2?", "Name a colour.")
    sampling = Sampling(max_tokens=20)
    both = await asyncio.gather(
        *(model.complete(says(question), sampling, timeout=SECONDS) for question in questions)
    )
    assert all(reply.text for reply in both)
    assert both[0].text != both[1].text


async def test_each_slot_has_its_share_of_the_context(model: EmbeddedModel) -> None:
    with pytest.raises(ContextOverflow, match="1024"):
        await model.complete(says("word " * 1500), Sampling(), timeout=SECONDS)


async def test_it_wants_the_key_that_only_its_owner_has(model: EmbeddedModel) -> None:
    stranger = OpenAIModel("any", base_url=model._client.base_url)
    with pytest.raises(ModelRejected, match="key"):
        await stranger.complete(says("Hello"), Sampling(), timeout=SECONDS)
    await stranger.close()


# What llama.cpp can do


async def test_raw_text_is_completed_with_no_template_around_it(model: EmbeddedModel) -> None:
    raw = (Message.of(Role.RAW, ("The capital of France is", Origin.PROMPT)),)
    reply = await model.complete(raw, Sampling(max_tokens=4), stop=["\n"], timeout=SECONDS)
    assert reply.text.startswith(" Paris")
    assert reply.prompt_tokens == 5


async def test_a_message_is_continued_within_a_word(model: EmbeddedModel) -> None:
    begun = Message.of(Role.ASSISTANT, ("The capital of France is Par", Origin.MODEL))
    messages = (*says("What is the capital of France?"), begun)
    reply = await model.complete(messages, Sampling(max_tokens=4), timeout=SECONDS)
    assert reply.text.startswith("is")


@pytest.mark.parametrize("role", [Role.USER, Role.RAW])
async def test_ids_and_logprobs_of_every_token(model: EmbeddedModel, role: Role) -> None:
    asked = (Message.of(role, ("Count: one, two, three,", Origin.PROBLEM)),)
    model._client._tokens = True
    reply = await model.complete(asked, Sampling(max_tokens=6), timeout=SECONDS)
    assert reply.token_ids is not None
    assert reply.logprobs is not None
    assert len(reply.token_ids) == len(reply.logprobs) == reply.completion_tokens == 6
    assert all(logprob <= 0 for logprob in reply.logprobs)


async def test_no_token_is_lost_where_a_stop_string_begins_as_the_text_does() -> None:
    begun = Message.of(Role.ASSISTANT, ("1\n2\n3\n4\n", Origin.MODEL))
    asked = (*says("Write the numbers from 1 to 99, each on a line of its own."), begun)
    telling = await EmbeddedModel.open(tokens=True)
    reply = await telling.complete(asked, Sampling(max_tokens=24), stop=["\n```output"], timeout=SECONDS)
    await telling.close()
    assert "\n" in reply.text
    assert reply.token_ids is not None
    # The one that ends the reply is counted, and has no text.
    assert len(reply.token_ids) >= reply.completion_tokens - 1
    assert reply.token_ids.count(198) == reply.text.count("\n")


async def test_sampling_is_what_was_asked_for_and_nothing_more(model: EmbeddedModel) -> None:
    """llama.cpp's own top_k of 40 and min_p of 0.05 would bar nearly all of these tokens."""
    hot = Sampling(temperature=2.0, seed=1, max_tokens=24)
    model._client._tokens = True
    free = await model.complete(says("Count to ten."), hot, timeout=SECONDS)
    narrow = hot.model_copy(update={"top_k": 40, "min_p": 0.05})
    barred = await model.complete(says("Count to ten."), narrow, timeout=SECONDS)
    assert free.logprobs is not None
    assert barred.logprobs is not None
    assert min(free.logprobs) < min(barred.logprobs)
    assert free.text != barred.text


async def test_what_is_known_of_the_installed_model_is_what_a_probe_finds(model: EmbeddedModel) -> None:
    findings = await model._client.findings()
    assert findings.capabilities == await model.capabilities()
    assert not findings.passing


async def test_a_model_with_a_template_for_tools_calls_them() -> None:
    """The small model copies the pattern; that llama.cpp reads the call is what is tested."""
    template = Path(__file__).with_name("tool_template.jinja").read_text()
    tool = Tool(
        name="add",
        description="Adds two numbers.",
        parameters={"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    )

    def called(a: int, b: int) -> Message:
        call = ToolCall(id=f"call_{a}", name="add", arguments=f'{{"a": {a}, "b": {b}}}')
        return Message.of(Role.ASSISTANT, tool_calls=(call,))

    examples = [
        says("1 + 4")[0],
        called(1, 4),
        says("6 + 1")[0],
        called(6, 1),
        says("7 + 2")[0],
        called(7, 2),
    ]
    model = await EmbeddedModel.open(context=1024, template=template)
    try:
        sampling = Sampling(max_tokens=64)
        asked = (*examples, *says("2 + 3"))
        reply = await model.complete(asked, sampling, tools=(tool,), timeout=SECONDS)
    finally:
        await model.close()
    (call,) = reply.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("add", {"a": 2, "b": 3})
    assert call.id not in {"call_1", "call_6", "call_7", ""}
    assert (reply.text, reply.finish_reason) == ("", FinishReason.STOP)


# Its process


async def test_it_is_gone_after_close(model: EmbeddedModel) -> None:
    assert is_alive(model.pid)
    await model.close()
    assert not is_alive(model.pid)
    await model.close()


async def test_a_server_that_dies_is_named(model: EmbeddedModel) -> None:
    os.kill(model.pid, signal.SIGKILL)
    with pytest.raises(ModelUnavailable, match="was ended by SIGKILL"):
        await model.complete(says("Hello"), Sampling(), timeout=SECONDS)


async def test_ctrl_c_at_the_terminal_is_not_for_it(model: EmbeddedModel) -> None:
    assert os.getpgid(model.pid) != os.getpgid(0)
    assert os.getsid(model.pid) != os.getsid(0)


def _hold_a_model(pids: Connection) -> None:
    async def hold() -> None:
        opened = await EmbeddedModel.open(context=512)
        pids.send(opened.pid)
        await asyncio.Event().wait()

    asyncio.run(hold())


@pytest.mark.parametrize("frozen", [False, True])
def test_it_dies_with_its_owner_even_by_kill_9(model: EmbeddedModel, frozen: bool) -> None:
    """A frozen server stands for one in a loop in C, which never sees that its input has ended."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    owner = context.Process(target=_hold_a_model, args=(there,))
    owner.start()
    try:
        assert here.poll(SECONDS)
        pid = here.recv()
        assert is_alive(pid)
        if frozen:
            os.kill(pid, signal.SIGSTOP)
    finally:
        owner.kill()
        owner.join()
        owner.close()
        here.close()
        there.close()
    wait_until_gone(pid)


async def test_cancelling_the_start_leaves_nothing(model: EmbeddedModel) -> None:
    before = _children()
    opening = asyncio.create_task(EmbeddedModel.open())
    await asyncio.sleep(0)
    assert _children() != before
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert _children() == before


async def test_a_start_that_takes_too_long(model: EmbeddedModel) -> None:
    before = _children()
    with pytest.raises(ModelUnavailable, match=r"not ready within 0\.01 seconds"):
        await EmbeddedModel.open(start_timeout=0.01)
    assert _children() == before


async def test_a_server_that_hangs_while_it_starts(model: EmbeddedModel) -> None:
    before = _children()
    opening = asyncio.create_task(EmbeddedModel.open(start_timeout=0.3))
    await asyncio.sleep(0)
    (pid,) = _children() - before
    os.kill(int(pid), signal.SIGSTOP)
    with pytest.raises(ModelUnavailable, match="not ready"):
        await opening
    assert _children() == before


def _children() -> set[str]:
    return {
        child
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
    }


async def test_a_damaged_file(tmp_path: Path, model: EmbeddedModel) -> None:
    damaged = tmp_path / "damaged.gguf"
    with installed_gguf().open("rb") as file:
        damaged.write_bytes(file.read(100_000))
    with pytest.raises(ModelUnavailable, match="ended with status 1") as caught:
        await open_model(str(damaged))
    assert "failed to load model" in (caught.value.hint or "")


async def test_what_is_not_a_model_is_not_even_tried(tmp_path: Path) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("hello")
    with pytest.raises(UsageError, match="not a GGUF file"):
        checked_gguf(text)
    with pytest.raises(UsageError, match="No such file"):
        checked_gguf(tmp_path / "none.gguf")
    with pytest.raises(UsageError, match="Is a directory"):
        checked_gguf(tmp_path)


async def test_checks(model: EmbeddedModel) -> None:
    checks = await check_model("embedded")
    assert all(check.passed for check in checks), checks
    assert [check.name for check in checks] == [
        CheckName.LIBRARY,
        CheckName.WEIGHTS,
        CheckName.SERVER,
        CheckName.MODEL,
    ]
