"""`tir export` as a user meets it: from runs that a real agent made in a real kernel to files that load."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_export import right, run_of, wrong

from tir_agent.agent import Agent
from tir_agent.kernel.base import Sandbox
from tir_agent.messages import Origin
from tir_agent.prompts import load_prompt
from tir_agent.settings import Budget, RunSettings
from tir_agent.store import RunReader, RunWriter
from tir_agent.trajectory import Sample

from export_command import Ran, environment, tir
from pupil import Pupil, times
from run_samples import draft

COUNT, SAMPLES = 4, 3


async def collected(folder: Path, sandbox: Sandbox) -> Path:
    """A run of a model that is right two times of three, each with a program that really ran."""
    agent = Agent(
        Pupil(), sandbox, load_prompt("tir"), RunSettings(model="pupil", budget=Budget(max_turns=4))
    )
    problems = times(COUNT)
    with RunWriter.open(folder, draft(samples=SAMPLES), problems) as writer:
        for problem in problems:
            for index in range(SAMPLES):
                sample = Sample(arm="base", index=index)
                await writer.append(await agent.solve(problem, sample=sample, seed=index))
    return folder


async def test_what_a_real_agent_did_in_a_real_kernel_becomes_pairs(
    tmp_path: Path, local_sandbox: Sandbox
) -> None:
    run = await collected(tmp_path / "run", local_sandbox)
    done = tir("export", run, "--format", "dpo", "--no-filter", "duplicates", "--out", tmp_path / "set")
    assert done.status == 0, done.err
    assert done.row("read")[:2] == ["read", "trajectories"]
    assert f"{COUNT} problems: {COUNT} with right and wrong trajectories" in done.out
    rows = [json.loads(line) for line in (tmp_path / "set/jsonl/train.jsonl").read_text().splitlines()]
    assert len(rows) == COUNT
    known = {one.id: one for one in RunReader.open(run).trajectories()}
    for row in rows:
        for side in ("chosen", "rejected"):
            trajectory = known[row[f"{side}_trajectory"]]
            outputs = [cell.shown for turn in trajectory.turns for cell in turn.cells]
            assert outputs
            by: dict[str, list[str]] = {}
            for message, spans in zip(row[side], row[f"{side}_spans"], strict=True):
                for span in spans:
                    text = message["content"][span["start"] : span["end"]]
                    by.setdefault(span["origin"], []).append(text)
            assert by[Origin.INTERPRETER.value] == outputs
            assert by[Origin.MODEL.value] == list(trajectory.model_text())
    assert tir("stats", tmp_path / "set", "--verify").status == 0


async def test_sets_load_with_datasets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="pip install 'tir-agent[datasets]'")
    run = await run_of(tmp_path / "run", *(one for n in range(30) for one in (right(n), wrong(n))))
    done = tir("export", run, "-f", "kto", "--validation", 0.3, "--out", tmp_path / "set", "--json")
    counts = {one["split"]: one["examples"] for one in json.loads(done.out)["splits"]}
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == counts
    lines = datasets.load_dataset(
        "json", data_files=str(tmp_path / "set/jsonl/train.jsonl"), cache_dir=str(tmp_path / "cache")
    )["train"]
    assert sorted(lines["id"]) == sorted(loaded["train"]["id"])


async def test_the_recipe_on_the_card_makes_the_same_set(tmp_path: Path) -> None:
    run = await run_of(
        tmp_path / "run", *(one for n in range(9) for one in (right(n), wrong(n), wrong(n, 2)))
    )
    options = ["-f", "dpo", "--seed", 5, "--pairs", "closest-length", "--filter", "all-right", "--at-most", 2]
    assert tir("export", run, *options, "--out", tmp_path / "a").status == 0
    recipe = re.search(r"```toml\n(.*?)```", (tmp_path / "a/README.md").read_text(), re.DOTALL)
    assert recipe is not None
    (tmp_path / "recipe.toml").write_text(recipe[1])
    assert tir("export", run, "--config", tmp_path / "recipe.toml", "--out", tmp_path / "b").status == 0
    assert tir("diff", tmp_path / "a", tmp_path / "b").status == 0
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path


@pytest.fixture
async def run(tmp_path: Path) -> Path:
    return await run_of(tmp_path / "run", right(1), wrong(1))


def refused(done: Ran) -> str:
    """The one sentence that a mistake gets."""
    assert (done.status, done.out) == (2, "")
    first, *others = done.err.splitlines()
    assert first.startswith("error: "), done.err
    assert all(line.startswith("hint: ") for line in others), done.err
    return first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "What the set is to train"),
        (["-f", "dpo", "--filter", "nonsense"], "no filter 'nonsense'"),
        (["-f", "dpo", "--filter", "no_code", "--no-filter", "no-code"], "cannot be both on and off"),
        (["-f", "dpo", "--set", "filters.nonsense=1"], "filters.nonsense is not known"),
        (["-f", "dpo", "--set", "seed"], "is not an assignment"),
        (["-f", "dpo", "--filter", "max_tokens"], "max_tokens has a value"),
        (["-f", "dpo", "--no-filter", "environment"], "environment is always on"),
        (["-f", "sft", "--pairs", "random"], "--pairs is for dpo, and the set is for sft"),
        (["-f", "dpo", "--ratio", "2"], "--ratio is for kto"),
        (["-f", "sft", "--tokenizer", "nowhere"], "no nowhere to read a tokenizer from"),
        (["-f", "dpo", "--pass-rate", "0.9", "0.1"], "min_pass_rate must not exceed max_pass_rate"),
        (["-f", "sft", "--validation", "1"], "validation"),
        (["-f", "sft", "--prompt", "nonsense"], "no prompt named"),
        (["-f", "sft", "--against", "nowhere.jsonl"], "nowhere.jsonl"),
        (["-f", "sft", "--rewards", "nowhere.jsonl"], "nowhere.jsonl"),
        (["-f", "sft", "--grades", "nonsense"], "nonsense"),
        (["-f", "kto", "--dialect", "openrlhf"], "OpenRLHF has no KTO"),
        (["-f", "dpo", "--pairs", "hardest-negative"], "rewards"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_a_mistake_gets_one_sentence_and_leaves_nothing(
    tmp_path: Path, run: Path, options: list[str], words: str
) -> None:
    assert words in refused(tir("export", run, *options, "--out", tmp_path / "set"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    assert "There is no" in refused(tir("export", tmp_path / "none", "-f", "sft", "--out", tmp_path / "set"))


async def test_lines_that_are_no_trajectories_are_said_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "loose.jsonl"
    path.write_text(f"{right(1).model_dump_json()}\nnonsense\n{right(2).model_dump_json()}\n")
    done = tir("export", path, "-f", "sft", "--out", tmp_path / "set")
    assert done.status == 0
    assert "skipped" in done.err
    assert "1 line could not be read as a trajectory" in done.out
    account = json.loads((tmp_path / "set/export.json").read_text())
    assert account["sources"][0]["unreadable"] == 1
    assert len((tmp_path / "set/jsonl/train.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_stopped_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "loose.jsonl"
    line = right(1).model_dump_json() + "\n"
    with path.open("w") as file:
        file.writelines(line for _ in range(60_000))
    process = subprocess.Popen(
        [sys.executable, "-m", "tir_agent", "export", path, "-f", "sft", "--out", tmp_path / "set"],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / ".set.new").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Stopped; nothing was written" in err
    assert [one.name for one in tmp_path.iterdir()] == ["loose.jsonl"]
