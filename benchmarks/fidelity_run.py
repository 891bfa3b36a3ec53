"""Runs recorded cells again, one session for each trajectory, and keeps what came of them on disk.

Covered: the cells of a trajectory in their order, in one live session, whatever each of them does. A line
is written as soon as a trajectory has ended, so a run that was stopped goes on where it was.

Not covered: the agent, the prompt, and what a model would have been shown (`replay.py` has those).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tir_agent.kernel.base import Sandbox, Session
from tir_agent.trajectory import Execution

FILES = ("mathcoder", "tora", "mint")
# The session itself ends a cell after its time and the grace, and has a minute to start a fresh kernel.
HANG_SECONDS = 120.0
HANG = "hang"
Patience = Callable[[str, str], float]
"""How many seconds a cell gets, by its file and the recorded output."""
_KEPT_CHARS = 20_000


@dataclass(frozen=True)
class Ran:
    """What a cell did here."""

    status: str
    """The execution's status, or `hang`."""
    stdout: str = ""
    stderr: str = ""
    result: str | None = None
    error: str = ""
    """Type of the exception."""
    message: str = ""
    traceback: str = ""
    seconds: float = 0.0
    state_lost: bool = False


@dataclass(frozen=True)
class Recorded:
    """A recorded trajectory: a line of a file."""

    file: str
    line: int
    cells: tuple[tuple[str, str], ...]
    """Code, and the output that was recorded."""

    @property
    def key(self) -> tuple[str, int]:
        return self.file, self.line


@dataclass
class Results:
    """What a file of results holds."""

    cells: dict[tuple[str, int], list[Ran]]
    """By file and line."""
    older: dict[tuple[str, int], dict[str, list[Ran]]]
    """The same with older libraries, by the name of their folder."""
    equal: dict[str, bool]
    """Whether two outputs have equal values, by the pair's hash."""
    made: dict[str, Any]
    """What they were made with."""


def recorded(folder: Path, limit: int | None) -> list[Recorded]:
    """The recorded trajectories in a data folder, `limit` of each file."""
    found = []
    for name in FILES:
        with (folder / "replay" / f"{name}.jsonl").open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if limit is not None and number > limit:
                    break
                turns = json.loads(line)["turns"]
                cells = tuple((turn["code"] or "", turn["output"] or "") for turn in turns)
                found.append(Recorded(name, number, cells))
    return found


def ran(execution: Execution) -> Ran:
    """The part of an execution that is compared; of an endless output, its head and tail."""
    error = execution.error
    return Ran(
        status=str(execution.status),
        stdout=_shortened(execution.stdout),
        stderr=_shortened(execution.stderr),
        result=None if execution.result is None else _shortened(execution.result),
        error=error.name if error else "",
        message=_shortened(error.message) if error else "",
        traceback=_shortened(error.traceback, 6000) if error else "",
        seconds=round(execution.duration, 3),
        state_lost=execution.state_lost,
    )


def _shortened(text: str, chars: int = _KEPT_CHARS) -> str:
    half = chars // 2
    return text if len(text) <= chars else f"{text[:half]}\n...\n{text[-half:]}"


async def play(row: Recorded, session: Session, patience: Patience) -> list[Ran]:
    """Run the cells in order. A cell that does not come back at all is a hang, and the last one."""
    done: list[Ran] = []
    for code, output in row.cells:
        seconds = patience(row.file, output)
        try:
            async with asyncio.timeout(seconds + HANG_SECONDS):
                done.append(ran(await session.execute(code, timeout=seconds)))
        except TimeoutError:
            return [*done, Ran(status=HANG, seconds=seconds + HANG_SECONDS)]
    return done


async def play_all(
    rows: list[Recorded],
    sandbox: Sandbox,
    write: Callable[[dict[str, Any]], None],
    *,
    patience: Patience,
    at_once: int,
) -> None:
    """Play the trajectories, `at_once` of them at a time, and write each when it has ended."""
    places = asyncio.Semaphore(at_once)

    async def one(row: Recorded) -> None:
        async with places:
            session = await sandbox.session()
            try:
                cells = await play(row, session, patience)
            finally:
                await session.close()
            write({"file": row.file, "line": row.line, "cells": [asdict(cell) for cell in cells]})

    async with asyncio.TaskGroup() as group:
        for row in rows:
            group.create_task(one(row))


@contextmanager
def appending(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that adds a line to the results at `path` and has it on disk when it returns."""
    broken = path.is_file() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" if broken else "")

        def write(line: dict[str, Any]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        yield write


def read(path: Path) -> Results:
    """What was kept on disk. A line that was not written whole is left out; of two, the later counts."""
    results = Results({}, {}, {}, {})
    if path.is_file():
        for text in path.read_text(encoding="utf-8").splitlines():
            _take(results, _parsed(text))
    return results


def _take(results: Results, line: dict[str, Any]) -> None:
    if "pair" in line:
        results.equal[line["pair"]] = line["equal"]
    elif "made" in line:
        results.made.update(line["made"])
    elif line:
        cells = [Ran(**cell) for cell in line["cells"]]
        key = line["file"], line["line"]
        if "older" in line:
            results.older.setdefault(key, {})[line["older"]] = cells
        else:
            results.cells[key] = cells


def _parsed(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return line if isinstance(line, dict) else {}
