"""Runs recorded cells again and accounts for every output that is not the recorded one.

    python benchmarks/fidelity.py [--data FOLDER] [--limit N] [--kernel docker] [--at-once 8]
        [--cell-seconds 30] [--older VENV ...] [--out FOLDER] [--from RESULTS.jsonl]

Reads `replay/mathcoder.jsonl`, `tora.jsonl` and `mint.jsonl` in the data folder. Every trajectory gets a
session of its own and its cells in their order, without an agent. What is compared is in `fidelity_text.py`,
what counts as a reason in `fidelity_reasons.py`.

Results are kept in `results.jsonl` in the folder of `--out` as they come: the same command goes on where an
earlier one was stopped, and `--from` works out the verdicts again without running anything. Trajectories that
ran out of time here alone get four times as much, two at a time. `--older` names virtual environments with
the libraries of that time (made from `fidelity_older.txt`): trajectories that differ are run there too,
under bubblewrap, to show whether it is the version.

The exit status is 3 if a cell hung, neither ending nor timing out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tir_agent.errors import TirError
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice

from fidelity_proof import LIMITS, compare, judged_all, replay_older, to_compare, to_repeat, to_replay
from fidelity_report import counts, table, write
from fidelity_run import Patience, Recorded, appending, play_all, read, recorded
from fidelity_text import from_recorded
from replay import DATA

_MORE_TIME = 4
_REPEATED_AT_ONCE = 2


class Run:
    """One invocation: what to play, where to keep it, how to say how far it is."""

    def __init__(self, arguments: argparse.Namespace, rows: list[Recorded], path: Path, progress: Progress):
        self._arguments = arguments
        self._rows = rows
        self._path = path
        self._progress = progress

    async def everything(self) -> None:
        """Play what is missing, then prove what can be proved."""
        choice = KernelChoice(self._arguments.kernel)
        async with await open_sandbox(choice, LIMITS) as sandbox:
            self._keep_what_it_is_made_with(sandbox)
            seconds, at_once = self._arguments.cell_seconds, self._arguments.at_once
            done = read(self._path).cells
            missing = [row for row in self._rows if row.key not in done]
            await self._play("trajectories", missing, sandbox, lambda file, output: seconds, at_once)
            await self._repeat(sandbox, seconds)
            await self._compare(sandbox)
        for folder in self._arguments.older:
            await self._replay_older(folder)

    def _keep_what_it_is_made_with(self, sandbox: Sandbox) -> None:
        info = sandbox.info
        packages = ", ".join(f"{name} {info.packages[name]}" for name in ("sympy", "numpy", "ipython"))
        made = {"kernel": info.backend, "python": info.python, "packages": packages}
        with appending(self._path) as keep:
            keep({"made": {**made, "seconds for a cell": self._arguments.cell_seconds}})

    async def _repeat(self, sandbox: Sandbox, seconds: float) -> None:
        """Play what ran out of time here alone once more, with more time for cells that ended there."""
        results = read(self._path)
        rows = to_repeat(self._rows, judged_all(self._rows, results), results, _MORE_TIME * seconds)

        def patience(file: str, output: str) -> float:
            return seconds * (1 if from_recorded(file, output).timed_out else _MORE_TIME)

        await self._play("trajectories with more time", rows, sandbox, patience, _REPEATED_AT_ONCE)

    async def _play(
        self, name: str, rows: list[Recorded], sandbox: Sandbox, patience: Patience, at_once: int
    ) -> None:
        tick = self._task(name, len(rows))
        with appending(self._path) as keep:

            def keep_and_tick(line: dict[str, Any]) -> None:
                keep(line)
                tick()

            await play_all(rows, sandbox, keep_and_tick, patience=patience, at_once=at_once)

    async def _compare(self, sandbox: Sandbox) -> None:
        results = read(self._path)
        found = to_compare(judged_all(self._rows, results), results)
        with appending(self._path) as keep:
            await compare(found, sandbox, keep, self._task("outputs compared by value", len(found)))

    async def _replay_older(self, folder: Path) -> None:
        results = read(self._path)
        rows = to_replay(self._rows, judged_all(self._rows, results), results, folder.name)
        tick = self._task(f"trajectories with {folder.name}", len(rows))
        seconds = self._arguments.cell_seconds
        with appending(self._path) as keep:
            await replay_older(
                rows, folder, keep, seconds=seconds, at_once=self._arguments.at_once, tick=tick
            )

    def _task(self, name: str, total: int) -> Callable[[], None]:
        task = self._progress.add_task(name, total=total)
        return lambda: self._progress.advance(task)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--limit", type=int, help="trajectories of each file")
    parser.add_argument("--kernel", default="docker", choices=("docker", "bubblewrap", "local"))
    parser.add_argument("--at-once", type=int, default=8, help="trajectories at once")
    parser.add_argument("--cell-seconds", type=float, default=30.0)
    parser.add_argument(
        "--older", type=Path, action="append", default=[], help="an environment to compare with"
    )
    parser.add_argument("--out", type=Path, help="folder for results, report and plot")
    parser.add_argument("--from", type=Path, dest="results", help="judge these results, run nothing")
    return parser.parse_args()


def play(arguments: argparse.Namespace, rows: list[Recorded], path: Path) -> None:
    """Run it all, with a bar for each part on a terminal."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        asyncio.run(Run(arguments, rows, path, progress).everything())


def main() -> int:
    arguments = parsed()
    if not (arguments.data / "replay").is_dir():
        print(f"there is no data in {arguments.data}; name its folder with --data", file=sys.stderr)
        return 2
    if arguments.results and not arguments.results.is_file():
        print(f"there are no results in {arguments.results}", file=sys.stderr)
        return 2
    rows = recorded(arguments.data, arguments.limit)
    with tempfile.TemporaryDirectory() as scratch:
        out = arguments.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        path = arguments.results or out / "results.jsonl"
        try:
            if not arguments.results:
                play(arguments, rows, path)
        except TirError as error:
            print(f"error: {error.message}", file=sys.stderr)
            return 1
        results = read(path)
    judged = judged_all(rows, results)
    Console().print(table(counts(judged)))
    if arguments.out:
        write(arguments.out, judged, results.made)
    return 3 if any(count.hangs for count in counts(judged).values()) else 0


if __name__ == "__main__":
    sys.exit(main())
