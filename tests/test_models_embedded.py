"""The embedded model: the real SmolLM2 in a real llama.cpp server, and what becomes of its process."""

from __future__ import annotations

import asyncio
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
