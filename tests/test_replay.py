"""Recorded trajectories through the real agent and kernel; needs data that is not in this repository."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path

import pytest

from tir_agent.kernel.base import Sandbox

from replay import normalised, replay
from word_problems import read_problems


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\x1b[31m<object at 0x7f00>\x1b[0m", "<object at 0x1234>"),
        ("0.1 + 0.30000000000000004", "0.1+0.3"),
        ("Traceback ...\nNameError: name 'x' is not defined", "NameError: other words"),
    ],
)
def test_what_no_two_runs_share_is_taken_off(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)
    assert normalised("1") != normalised("2")


async def test_recorded_trajectories_end_as_they_did(local_sandbox: Sandbox, shared_data: Path) -> None:
    with (shared_data / "replay" / "mathcoder.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in itertools.islice(file, 12)]
    replayed = await asyncio.gather(*(replay(row, local_sandbox, 5.0) for row in rows))
    assert [one.trajectory.answer for one in replayed] == [one.recorded_answer for one in replayed]
    cells = [cell for one in replayed for cell in one.cells()]
    same = sum(normalised(there) == normalised(here) for there, here, _ in cells)
    assert same > 0.9 * len(cells)


def test_benchmark_problems_are_read(shared_data: Path) -> None:
    problems = read_problems(shared_data, 0, 3)
    assert [problem.gold for problem in problems] == ["14", "9", "8"]
