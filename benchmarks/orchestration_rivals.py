"""Other runtimes: an environment for each, and a process in it that solves the same problems."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ValidationError

from orchestration_results import Level, RivalFigures
from orchestration_run import Server, Wrong
from orchestration_task import Form, task

__all__ = ["RIVALS", "Rival", "measure", "own_figures"]

_HERE = Path(__file__).parent
_LAST_WORDS = 300

Say = Callable[[str], None]


@dataclass(frozen=True)
class Rival:
    """One of the others."""

    name: str
    requirements: tuple[str, ...]
    program: str
    """In this folder; takes the server's address and the number of trajectories, and prints figures as
    JSON."""
    form: Form
    code_runs: str
    how: str
    share: int = 1
    """It gets the whole number of trajectories divided by this, where all of them take too long."""


class _Printed(BaseModel):
    version: str
    right: int
    wall: float
    cpu: float
    machine_cpu: float
    peak_rss: int


RIVALS = (
    Rival(
        name="smolagents",
        requirements=("smolagents[openai]==1.26.0", "sympy>=1.13"),
        program="orchestration_smolagents.py",
        form=Form.TAGS,
        code_runs="an interpreter of the syntax tree in its own process, no isolation",
        how="a `CodeAgent` in a thread for each trajectory.",
    ),
    Rival(
        name="inspect_ai",
        requirements=("inspect_ai==0.3.285", "openai", "sympy>=1.13"),
        program="orchestration_inspect.py",
        form=Form.SCRIPTS,
        code_runs="a new process for every call, no isolation (its local sandbox)",
        how="the `react` agent and the `python` tool; that keeps no state, so each cell brings along the "
        "code before it and imports SymPy again. Its Docker sandbox takes an "
        "image from a registry by default; the local one does less, and needs no network.",
        share=4,
    ),
    Rival(
        name="verifiers",
        requirements=("verifiers==0.4.0", "uv", "sympy>=1.13"),
        program="orchestration_verifiers.py",
        form=Form.SHELL,
        code_runs="a new process for every call, no isolation (its subprocess runtime)",
        how="its default program, the `bash` harness, a process a trajectory; it keeps no state either. "
        "Release 0.4 has no `PythonEnv` or `ToolEnv` any more, and its Docker runtime installs the program "
        "from the network in every container.",
        share=8,
    ),
)


def own_figures(level: Level) -> RivalFigures:
    """tir-agent's own row."""
    last = min(level.agents, key=lambda batch: abs(batch.wall - level.wall))
    return RivalFigures(
        name="tir-agent",
        how="a coroutine for each trajectory.",
        code_runs="a kernel of its own for each trajectory, all in one container without network",
        at_once=level.at_once,
        turns=level.turns,
        right=level.at_once,
        wall=last.wall,
        cpu=last.cpu,
        machine_cpu=last.machine_cpu,
        peak_rss=last.peak_rss,
        latency=level.latency,
    )


async def measure(
    rival: Rival, server: Server, count: int, seconds: float, python: Path | None, say: Say
) -> RivalFigures:
    """Let it solve `count` problems at once; what goes wrong is a reason in the figures, and no exception.

    `python` is an interpreter that has it; without one, an environment is made in the user's cache folder.
    """
    figures = RivalFigures(
        name=rival.name,
        code_runs=rival.code_runs,
        how=rival.how,
        at_once=count,
        turns=max(task(number).turns(rival.form) for number in range(count)),
        latency=server.latency,
    )
    try:
        if python is None:
            python = await asyncio.to_thread(_environment, rival, say)
        before = await server.stats()
        printed = await _run(python, rival, server, count, seconds)
        figures.requests = (await server.stats()).requests - before.requests
    except Wrong as error:
        figures.reason = str(error)
        return figures
    return figures.model_copy(update=printed.model_dump())


async def _run(python: Path, rival: Rival, server: Server, count: int, seconds: float) -> _Printed:
    process = await asyncio.create_subprocess_exec(
        *(str(python), str(_HERE / rival.program), server.url, str(count)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            stdout, stderr = await process.communicate()
    except TimeoutError:
        raise Wrong(f"{count} trajectories were not done within {seconds:g} seconds") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        return _Printed.model_validate_json(stdout.strip().rpartition(b"\n")[2])
    except ValidationError:
        raise Wrong(f"it failed: {_last_line(stderr.decode(errors='replace'))}") from None


def _environment(rival: Rival, say: Say) -> Path:
    """The interpreter of its environment, made unless it is there."""
    folder = Path(platformdirs.user_cache_dir("tir-agent")) / "benchmarks" / "-".join(rival.requirements)
    python, done = folder / "bin" / "python", folder / ".complete"
    if not done.is_file():
        say(f"making an environment for {rival.name} in {folder}")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], [*pip, *rival.requirements]):
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise Wrong(f"it cannot be installed: {_last_line(made.stderr)}")
        done.touch()
    return python


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2][-_LAST_WORDS:] or "it says nothing"
