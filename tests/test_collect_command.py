"""`tir collect` as a user meets it: a real process, a real model server, real kernels."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tir_agent.collect.event_log import EVENT_LOG, read_events
from tir_agent.collect.events import EventName
from tir_agent.store import RunReader

from orchestration_run import Server, model_server
from orchestration_task import Form, task

COUNT = 6


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with model_server(0.05, 1) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, local_sandbox: object) -> Path:
    """With a data set; the sandbox's environment is there before."""
    lines = [
        json.dumps({"question": task(number).problem, "answer": task(number).answer})
        for number in range(COUNT)
    ]
    lines.insert(2, '{"question": "torn')
    lines.insert(4, lines[0])
    (tmp_path / "tasks.jsonl").write_text("\n".join(lines))
    return tmp_path


async def start(
    *arguments: object, folder: Path, command: str = "collect", **more: str
) -> asyncio.subprocess.Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "TIR_"))}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tir_agent", command, *map(str, arguments)),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**kept, "TIR_HOME": str(folder / "home"), **more},
    )


async def finish(process: asyncio.subprocess.Process) -> Ran:
    async with asyncio.timeout(100):
        out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return Ran(process.returncode, out.decode(), err.decode())


async def collect(*arguments: object, folder: Path, **more: str) -> Ran:
    return await finish(await start(*arguments, folder=folder, **more))


def usual(server: Server, *more: object) -> list[object]:
    return ["tasks.jsonl", "-m", Form.FENCES.value, "--base-url", server.url, "--kernel", "local", *more]


def keys(run: Path) -> list[tuple[str, str, int]]:
    return sorted((key.problem, key.arm, key.index) for key, _ in RunReader.open(run).outcomes())


async def until_some(run: Path) -> None:
    """Until the first trajectories are there."""
    async with asyncio.timeout(60):
        while True:
            if (run / "shards" / "00000.jsonl").exists() and keys(run):
                return
            await asyncio.sleep(0.05)


async def test_a_run_is_complete_and_the_same_command_makes_nothing_again(
    folder: Path, server: Server
) -> None:
    ran = await collect(*usual(server, "-k", 2), folder=folder)
    assert ran.status == 0, ran.err
    run = folder / "runs" / "tasks-fences"
    assert len(set(keys(run))) == len(keys(run)) == 2 * COUNT
    assert all(
        one.grade and one.grade.verdict.value == "correct" for one in RunReader.open(run).trajectories()
    )
    for said in (
        "text: question",
        "tasks.jsonl:3: ",
        "tasks.jsonl:5: It is the same problem as tasks.jsonl:1",
        f"collecting {2 * COUNT} trajectories of {COUNT} problems",
        f"{2 * COUNT} of {2 * COUNT} trajectories",
        "tir eval runs/tasks-fences",
    ):
        assert said in ran.err, said
    assert ran.out == ""
    events = [event.event for event in read_events(run / EVENT_LOG)]
    assert events[0] is EventName.RUN_STARTED
    assert events[-1] is EventName.RUN_ENDED
    assert events.count(EventName.SAMPLE_DONE) == 2 * COUNT
    log = (run / "shards" / "00000.jsonl").read_bytes()
    again = await collect(*usual(server, "-k", 2), folder=folder)
    assert again.status == 0
    shown = await collect(run, "--sample", 1, "--verdict", "correct", folder=folder, command="show")
    assert shown.status == 0
    assert "Solve the equation" in shown.out
    assert "sample 1 of fences" in shown.err
    assert f"{COUNT - 1} more of this kind" in shown.err
    shown = await collect(run, "--verdict", "wrong", folder=folder, command="show")
    assert (shown.status, "There is no such trajectory" in shown.err) == (2, True)
    assert (run / "shards" / "00000.jsonl").read_bytes() == log


async def test_ctrl_c_lets_what_is_under_way_end_and_resume_makes_the_rest(
    folder: Path, server: Server
) -> None:
    process = await start(*usual(server, "-k", 8, "--at-once", 4, "-o", "run"), folder=folder)
    run = folder / "run"
    await until_some(run)
    process.send_signal(signal.SIGINT)
    ran = await finish(process)
    assert ran.status == 130
    assert "tir collect --resume run" in ran.err
    some = keys(run)
    assert 0 < len(some) < 8 * COUNT
    assert list(RunReader.open(run).failures()) == []
    again = await collect("--resume", "run", folder=folder)
    assert again.status == 0, again.err
    assert len(set(keys(run))) == len(keys(run)) == 8 * COUNT
    assert set(some) <= set(keys(run))


async def test_a_second_ctrl_c_drops_what_is_under_way(folder: Path, server: Server) -> None:
    process = await start(*usual(server, "-k", 20, "-o", "run"), folder=folder)
    run = folder / "run"
    await until_some(run)
    process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.1)
    process.send_signal(signal.SIGINT)
    ran = await finish(process)
    assert ran.status == 130
    assert RunReader.open(run).faults() == []
    assert len(set(keys(run))) == len(keys(run)) < 20 * COUNT


async def test_what_would_be_run_is_said_and_nothing_is_run(folder: Path, server: Server) -> None:
    ran = await collect(*usual(server, "-k", 3, "--dry-run"), folder=folder)
    assert ran.status == 0
    for said in (
        f"problems: {COUNT}",
        f"trajectories: {3 * COUNT}",
        "temperature 1",
        "folder: runs/tasks-fences",
    ):
        assert said in ran.err
    assert not (folder / "runs").exists()


async def test_arms_are_mixed_as_the_file_says(folder: Path, server: Server) -> None:
    (folder / "collect.toml").write_text(
        f"""
        [problems]
        path = "tasks.jsonl"
        limit = 4
        [samples]
        kind = "fixed"
        samples = 3
        [[arms]]
        name = "now"
        model = "{Form.FENCES.value}"
        weight = 2
        [[arms]]
        name = "before"
        model = "{Form.FENCES.value}"
        [operation]
        kernel = "local"
        [[operation.servers]]
        arm = "now"
        base_url = "{server.url}"
        [[operation.servers]]
        arm = "before"
        base_url = "{server.url}"
        """
    )
    ran = await collect(
        "-c", "collect.toml", "-o", "run", "--set", "problems.limit=3", "--compress", folder=folder
    )
    assert ran.status == 0, ran.err
    arms = [arm for _, arm, _ in keys(folder / "run")]
    assert (arms.count("now"), arms.count("before")) == (6, 3)
    assert list((folder / "run" / "shards").glob("*.zst"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "No data set was given"),
        (["tasks.jsonl"], "No model was given"),
        (["nowhere.jsonl", "-m", "m"], "nowhere.jsonl"),
        (["tasks.jsonl", "-m", "m", "--prompt", "nosuch"], "nosuch"),
        (["tasks.jsonl", "-m", "m", "--set", "budget.max_turn=3"], "did you mean max_turns?"),
        (["tasks.jsonl", "-m", "m", "--set", "budget.max_turns=0"], "budget.max_turns"),
        (["tasks.jsonl", "-m", "m", "--set", "budget"], "is not an assignment"),
        (["tasks.jsonl", "-m", "m", "--set", "samples.pilot=3"], "samples.pilot is not known here"),
        (["tasks.jsonl", "-m", "m", "--plan", "until_correct", "-k", "2"], "cannot hold 4 right ones"),
        (["tasks.jsonl", "-m", "m", "--set", "arms.3.model=x"], "no element '3'"),
        (["tasks.jsonl", "-m", "m", "--filter", "level>=99"], "None of the 6 problems"),
        (["-c", "bad.toml"], "bad.toml is not TOML"),
        (["-c", "none.toml"], "Cannot read none.toml"),
        (["-c", "wrong.toml"], "problems.pat is not known (did you mean path?)"),
        (["--resume", "nowhere"], "nowhere is not the folder of a run"),
        (["--resume", "nowhere", "tasks.jsonl"], "--resume takes what is collected from the run itself"),
        (["tasks.jsonl", "-m", "m", "-o", "tasks.jsonl"], "tasks.jsonl"),
        (["tasks.jsonl", "-m", "m", "--api-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_a_mistake_gets_one_sentence(folder: Path, arguments: list[str], said: str) -> None:
    (folder / "bad.toml").write_text("[problems\n")
    (folder / "wrong.toml").write_text('[problems]\npat = "x"\n[[arms]]\nmodel = "m"\n')
    ran = await collect(*arguments, folder=folder)
    assert ran.status == 2, ran.err
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert said in ran.err


async def test_another_recipe_is_refused_and_named(folder: Path, server: Server) -> None:
    ran = await collect(*usual(server, "--limit", 2, "-o", "run"), folder=folder)
    assert ran.status == 0, ran.err
    ran = await collect(*usual(server, "--limit", 2, "-o", "run", "--temperature", "0.5"), folder=folder)
    assert ran.status == 2
    assert "recipe.arms[0].sampling.temperature" in ran.err


async def test_a_wrong_key_ends_the_run_at_once(folder: Path) -> None:
    ran = await collect(
        *("tasks.jsonl", "-m", "gpt-x", "--base-url", "http://127.0.0.1:9/v1", "--kernel", "local"),
        *("--set", "operation.patience=1", "--limit", "1", "-o", "run"),
        folder=folder,
    )
    assert ran.status == 1
    assert "Nothing has worked for" in ran.err


async def test_runs_are_traced_where_asked(folder: Path, server: Server) -> None:
    ran = await collect(*usual(server, "--limit", 2, "--trace", "spans.jsonl"), folder=folder)
    assert ran.status == 0, ran.err
    names = [json.loads(line)["name"] for line in (folder / "spans.jsonl").read_text().splitlines()]
    assert names.count("invoke_agent tir") == 2
