"""How fast a run's folder is written and read, and in how much memory.

    python benchmarks/store_speed.py --folder DIR [--gb 1]

Appends by fsync policy and by how many trajectories end at the same time; then a log of so many gigabytes,
read as a resuming writer does (keys and outcomes), as an export does (whole trajectories), and verified.
`DIR` is on the disk that is to be measured; what was written there is removed again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tir_agent.completion import Completion, FinishReason
from tir_agent.execution import Execution, ExecutionStatus
from tir_agent.grades import Grade, Verdict
from tir_agent.messages import Message, Origin, Role
from tir_agent.problems import problem_from_text
from tir_agent.settings import Arm, Fixed, Fsync, ProblemSource, Recipe, RunSettings, Storage
from tir_agent.store import Draft, RunReader, RunWriter, verify_run
from tir_agent.trajectory import (
    Cell,
    Environment,
    Problem,
    PromptIdentity,
    Sample,
    StopReason,
    Timings,
    Trajectory,
    Turn,
    Usage,
)

TURNS = 4
SECONDS = 2.0
"""For how long each policy appends."""
WAITING = (1, 16, 256)
LETTERS = str.maketrans("0123456789", "ghijklmnop")
WORDS = [f"{number:x}".translate(LETTERS) for number in range(70, 70_000, 35)]
"""So many that what is written compresses about as prose does."""
READINGS = ("resume", "outcomes", "trajectories", "verify")


def trajectory(problem: Problem, chance: random.Random) -> Trajectory:
    """One of the usual size: four replies with code, some 16 kB."""
    words = " ".join(chance.choice(WORDS) for _ in range(250))
    code = f"import sympy\nprint(sympy.factorint({chance.randrange(10**9)}))\n"
    text = f"{words}\n```python\n{code}```\n"
    output = f"{{{chance.randrange(10**6)}: 1}}\n"
    completion = Completion(
        text=text, finish_reason=FinishReason.STOP, prompt_tokens=900, completion_tokens=400, duration=3.0
    )
    execution = Execution(status=ExecutionStatus.OK, stdout=output, duration=0.01)
    cell = Cell(code=code, start=len(words) + 11, end=len(text) - 4, execution=execution, shown=output)
    turns = tuple(Turn(completion=completion, kept=len(text), cells=(cell,)) for _ in range(TURNS))
    reply = Message.of(Role.ASSISTANT, (text, Origin.MODEL))
    shown = Message.of(Role.USER, ("Output:\n", Origin.PROMPT), (output, Origin.INTERPRETER))
    return Trajectory(
        id=f"{chance.getrandbits(128):032x}",
        problem=problem,
        messages=(Message.of(Role.USER, (problem.text, Origin.PROBLEM)), *(reply, shown) * TURNS),
        turns=turns,
        stop=StopReason.ANSWERED,
        answer="42",
        grade=Grade(verdict=Verdict.CORRECT, reason="equal", grader="math-verify"),
        settings=RunSettings(model="m"),
        prompt=PromptIdentity(name="tir", sha256="0" * 64),
        environment=Environment(tir_agent="0", python="3", platform="Linux", kernel="docker"),
        usage=Usage(turns=TURNS, cells=TURNS, completion_tokens=1600),
        timings=Timings(started=datetime.now(UTC), duration=12, model=11, kernel=1),
    )


def plan() -> Draft:
    arm = Arm(name="base", model="m")
    # As many as fit.
    samples = Fixed(samples=10**9)
    return Draft(recipe=Recipe(problems=ProblemSource(path="sums"), arms=(arm,), samples=samples))


async def appends(folder: Path, storage: Storage, waiting: int, problem: Problem) -> tuple[float, float]:
    """Appends a second, and megabytes."""
    chance = random.Random(0)
    models = [trajectory(problem, chance) for _ in range(64)]
    size = sum(len(model.model_dump_json()) for model in models) / len(models)
    with RunWriter.open(folder, plan(), [problem], storage) as writer:
        begun = time.perf_counter()

        async def worker(number: int) -> None:
            index = number
            while time.perf_counter() - begun < SECONDS:
                sample = Sample(arm="base", index=index)
                await writer.append(models[index % 64].model_copy(update={"sample": sample}))
                index += waiting

        await asyncio.gather(*(worker(number) for number in range(waiting)))
        rate = len(writer.done) / (time.perf_counter() - begun)
    shutil.rmtree(folder)
    return rate, rate * size / 1e6


async def fill(folder: Path, storage: Storage, gigabytes: float) -> tuple[int, float]:
    """A log of so much JSON. How many trajectories, and how much it is."""
    chance = random.Random(1)
    problems = [problem_from_text(f"What is {number} squared?", gold="42") for number in range(1000)]
    models = [trajectory(problems[0], chance) for _ in range(512)]
    size = sum(len(model.model_dump_json()) for model in models) / len(models)
    count = int(gigabytes * 1e9 / size)
    with RunWriter.open(folder, plan(), problems, storage) as writer:
        for start in range(0, count, 256):
            samples = (
                models[number % 512].model_copy(
                    update={
                        "problem": problems[number % 1000],
                        "sample": Sample(arm="base", index=number // 1000),
                    }
                )
                for number in range(start, min(start + 256, count))
            )
            await asyncio.gather(*(writer.append(sample) for sample in samples))
    return count, count * size


def reading(folder: Path, work: str) -> tuple[float, float]:
    """Seconds of a process that does it, and mebibytes that it took beyond those of its start."""
    words = [sys.executable, __file__, "--folder", str(folder), "--read", work]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    seconds, kibibytes = done.stdout.split()
    return float(seconds), int(kibibytes) / 1024


def read_here(folder: Path, work: str) -> None:
    """In a process of its own, whose memory is measured."""
    reader = RunReader.open(folder)
    start = peak()
    begun = time.perf_counter()
    if work == "resume":
        writer = RunWriter.open(folder, plan(), reader.problems(), Storage())
        writer.close()
    elif work == "outcomes":
        sum(1 for _ in reader.outcomes())
    elif work == "trajectories":
        sum(1 for _ in reader.trajectories())
    else:
        for _ in verify_run(folder):
            pass
    print(time.perf_counter() - begun, peak() - start)


def peak() -> int:
    """Kibibytes of memory that this program has had at the most; `getrusage` would count its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--read", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read_here(options.folder, options.read)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    place = options.folder / f"store-speed-{os.getpid()}"
    try:
        measure(place, options.gb)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def measure(place: Path, gigabytes: float) -> None:
    console = Console(width=100)
    problem = problem_from_text("What is 6 times 7?", gold="42")
    table = Table("fsync", "compressed", "waiting at once", "appends/s", "MB/s of JSON", box=None)
    for fsync in Fsync:
        for compress in (False, True):
            storage = Storage(fsync=fsync, compress=compress)
            for waiting in WAITING:
                rate, size = asyncio.run(appends(place, storage, waiting, problem))
                table.add_row(
                    fsync.value, "zstd" if compress else "no", str(waiting), f"{rate:,.0f}", f"{size:.1f}"
                )
    console.print(table)
    table = Table("log", "what", "trajectories", "on disk", "seconds", "MB/s of JSON", "MiB more", box=None)
    for compress in (False, True):
        storage = Storage(fsync=Fsync.INTERVAL, compress=compress)
        begun = time.perf_counter()
        count, size = asyncio.run(fill(place, storage, gigabytes))
        seconds = time.perf_counter() - begun
        disk = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        name = "zstd" if compress else "plain"
        shown = f"{disk / 1e9:.2f} GB"
        table.add_row(name, "write", str(count), shown, f"{seconds:.1f}", f"{size / seconds / 1e6:.0f}", "")
        for work in READINGS:
            seconds, memory = reading(place, work)
            rate = size / seconds / 1e6
            table.add_row(name, work, str(count), shown, f"{seconds:.1f}", f"{rate:.0f}", f"{memory:.0f}")
        shutil.rmtree(place)
    console.print(table)


if __name__ == "__main__":
    main()
