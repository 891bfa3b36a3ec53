"""Plays recorded trajectories through the real agent and a real kernel, and compares how they end.

    python benchmarks/replay.py [--data FOLDER] [--count 300] [--kernel docker] [--list]

Reads `replay/mathcoder.jsonl` in the data folder: one object a line with `problem`, `turns` (each `text`,
`code`, `output`) and `final`. A scripted model says what the recorded one said, the code runs again, and
the final answer must be the recorded one. Every difference is listed with its reason.

Beside it, the share of cells whose output is the recorded one, after `normalised` has taken off what no
two runs share. Those were written by older versions of SymPy and Python.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tir_agent.agent import Agent
from tir_agent.answers import extract_answer
from tir_agent.errors import TirError
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.models.scripted import ScriptedModel
from tir_agent.observation import strip_ansi
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import Budget, KernelChoice, Limits, RunSettings
from tir_agent.trajectory import ExecutionStatus, StopReason, Trajectory

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
# No budget may end what the recorded model was allowed to finish.
BUDGET = Budget(max_turns=64, max_model_tokens=10**6, max_total_tokens=10**6, max_errors=64, max_repeats=64)
_ERROR = re.compile(r"([A-Z]\w*(?:Error|Exception|Interrupt|Exit)): ")
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_FLOAT = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Replayed:
    """A recorded trajectory and what became of it here."""

    row: dict[str, Any]
    trajectory: Trajectory

    @property
    def recorded_answer(self) -> str | None:
        return extract_answer(self.row["final"] or "")

    @property
    def same_answer(self) -> bool:
        return self.trajectory.answer == self.recorded_answer

    def reason(self) -> str:
        """Why it ended otherwise."""
        turns = len(self.trajectory.turns)
        if self.trajectory.stop is StopReason.ERROR:
            return f"the machinery failed: {self.trajectory.failure}"
        if self.trajectory.stop is StopReason.ANSWERED and turns <= len(self.row["turns"]):
            return f"reply {turns} of {len(self.row['turns']) + 1} already answers, without code to run"
        return f"stopped as {self.trajectory.stop} after reply {turns}"

    def cells(self) -> list[tuple[str, str, ExecutionStatus]]:
        """Recorded output, output here, and status, cell by cell."""
        here = [cell for turn in self.trajectory.turns for cell in turn.cells]
        there = [turn["output"] or "" for turn in self.row["turns"]]
        return [
            (recorded, cell.shown, cell.execution.status) for recorded, cell in zip(there, here, strict=False)
        ]


def normalised(output: str) -> str:
    """An output without what no two runs share: colours, addresses, the wording of errors, the last
    digits of floats, spaces."""
    output = strip_ansi(output)
    if errors := _ERROR.findall(output):
        return str(errors[-1])
    output = _ADDRESS.sub("0x", output)
    output = _FLOAT.sub(lambda match: f"{float(match[0]):.6g}", output)
    return re.sub(r"\s+", "", output)


def replies(row: dict[str, Any]) -> list[str]:
    """What the recorded model said, in the fences of the prompt."""
    said = [f"{turn['text']}\n\n```python\n{turn['code']}\n```\n" for turn in row["turns"]]
    return [*said, row["final"] or "", ""]


async def replay(row: dict[str, Any], sandbox: Sandbox, seconds: float) -> Replayed:
    settings = RunSettings(
        model="scripted", budget=BUDGET, limits=Limits(cell_seconds=seconds, grace_seconds=1)
    )
    agent = Agent(ScriptedModel(replies(row)), sandbox, load_prompt("tir"), settings)
    return Replayed(row, await agent.solve(problem_from_text(row["problem"])))


async def run(arguments: argparse.Namespace, progress: Progress) -> list[Replayed]:
    path = arguments.data / "replay" / "mathcoder.jsonl"
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for _, line in zip(range(arguments.count), file, strict=False)]
    task = progress.add_task("replaying", total=len(rows))
    places = asyncio.Semaphore(arguments.jobs)

    async def one(row: dict[str, Any]) -> Replayed:
        async with places:
            replayed = await replay(row, sandbox, arguments.timeout)
            progress.advance(task)
            return replayed

    async with await open_sandbox(KernelChoice(arguments.kernel), Limits()) as sandbox:
        return await asyncio.gather(*(one(row) for row in rows))


def report(replayed: list[Replayed], seconds: float, *, everything: bool) -> None:
    cells = [cell for one in replayed for cell in one.cells()]
    same = sum(normalised(there) == normalised(here) for there, here, _ in cells)
    table = Table(
        title=f"{len(replayed)} recorded trajectories, kernel in {replayed[0].trajectory.environment.kernel}"
    )
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("same final answer", str(sum(one.same_answer for one in replayed)))
    table.add_row("cells run", str(len(cells)))
    table.add_row("cells with the recorded output", f"{same} ({100 * same / max(len(cells), 1):.1f} %)")
    for status, number in Counter(status for _, _, status in cells).most_common():
        table.add_row(f"cells that ended as {status}", str(number))
    table.add_row("seconds", f"{seconds:.0f}")
    Console().print(table)
    for number, one in enumerate(replayed):
        if not one.same_answer:
            print(
                f"line {number + 1}: {one.trajectory.answer!r} is not {one.recorded_answer!r}: {one.reason()}"
            )
        if everything:
            for there, here, _ in one.cells():
                if normalised(there) != normalised(here):
                    print(f"line {number + 1}:\n--- recorded\n{there}\n--- here\n{here}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=8, help="trajectories at once")
    parser.add_argument("--kernel", default="docker")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for one cell")
    parser.add_argument("--list", action="store_true", help="show every cell whose output differs")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        print(f"there is no data in {arguments.data}; name its folder with --data", file=sys.stderr)
        return 2
    start = time.monotonic()
    try:
        with Progress(console=Console(stderr=True)) as progress:
            replayed = asyncio.run(run(arguments, progress))
    except TirError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    report(replayed, time.monotonic() - start, everything=arguments.list)
    return 0 if all(one.same_answer for one in replayed) else 3


if __name__ == "__main__":
    sys.exit(main())
