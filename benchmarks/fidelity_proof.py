"""Proofs that need the sandbox: are two outputs equal, and what do older libraries show?

Nothing of a model's is evaluated outside it: an output that is parsed is as much its text as the code is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.bubblewrap import BubblewrapLauncher
from tir_agent.kernel.environment import PythonEnvironment
from tir_agent.kernel.sandbox import JailSandbox
from tir_agent.settings import Isolation, Limits

from fidelity_judge import Judged, comparable, judge, pair
from fidelity_reasons import timed_out_here
from fidelity_run import Recorded, Results, play_all

_PROGRAM = Path(__file__).with_name("fidelity_equal.py")
_SECONDS = 20.0
# On a busy machine it takes seconds to end a cell; a session that is not given them loses its state.
LIMITS = Limits(output_chars=100_000, grace_seconds=10)
# What older libraries could change; the rest is explained without them.
_OPEN = ("unexplained", "follows_a_difference", "missing_package", "library_version", "randomness")

Write = Callable[[dict[str, Any]], None]
Tick = Callable[[], None]


def judged_all(rows: list[Recorded], results: Results) -> list[Judged]:
    """The verdicts on all cells that were run."""
    ran = results.cells
    return [judged for row in rows if row.key in ran for judged in judge(row, ran[row.key], results)]


def to_compare(judged: list[Judged], results: Results) -> list[Judged]:
    """The differences of which it is not known yet whether their values are equal."""
    found = [one for one in judged if one.reason in _OPEN and comparable(one)]
    return [one for one in found if pair(one.there, one.here) not in results.equal]


def to_replay(rows: list[Recorded], judged: list[Judged], results: Results, name: str) -> list[Recorded]:
    """The trajectories with a difference that older libraries may explain, and better than words can."""
    keys = {(one.file, one.line) for one in judged if one.reason in _OPEN}
    return [row for row in rows if row.key in keys and name not in results.older.get(row.key, {})]


def to_repeat(rows: list[Recorded], judged: list[Judged], results: Results, seconds: float) -> list[Recorded]:
    """The trajectories that ran out of time here alone, and have not been given `seconds` yet."""
    keys = {
        (one.file, one.line)
        for one in judged
        if one.reason == timed_out_here.__name__
        and results.cells[one.file, one.line][one.cell].seconds < seconds
    }
    return [row for row in rows if row.key in keys]


async def compare(judged: list[Judged], sandbox: Sandbox, write: Write, tick: Tick) -> None:
    """Ask the sandbox of each difference whether the two outputs have equal values."""
    session = await sandbox.session()
    program = _PROGRAM.read_text(encoding="utf-8")
    await session.execute(program, timeout=_SECONDS)
    for one in judged:
        call = f"equal({one.there.text!r}, {one.here.text!r})"
        execution = await session.execute(call, timeout=_SECONDS)
        write({"pair": pair(one.there, one.here), "equal": execution.result == "True"})
        tick()
        if execution.state_lost:
            await session.execute(program, timeout=_SECONDS)
    await session.close()


async def replay_older(
    rows: list[Recorded], folder: Path, write: Write, *, seconds: float, at_once: int, tick: Tick
) -> None:
    """Run trajectories under bubblewrap with the Python environment in `folder`.

    It is a virtual environment with ipykernel, Math-Verify and older versions of what is to be compared.
    """

    def write_older(line: dict[str, Any]) -> None:
        write({**line, "older": folder.name})
        tick()

    python = PythonEnvironment(folder.resolve())

    def launcher() -> BubblewrapLauncher:
        return BubblewrapLauncher(python, LIMITS, isolation=Isolation.SESSION)

    async with await JailSandbox(launcher, LIMITS).start() as sandbox:
        await play_all(rows, sandbox, write_older, patience=lambda file, output: seconds, at_once=at_once)
