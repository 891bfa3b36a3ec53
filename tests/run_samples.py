"""Small runs for tests: problems, trajectories, and a process that writes them until it is killed."""

from __future__ import annotations

import asyncio
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from tir_agent.grades import Grade, Verdict
from tir_agent.messages import Message, Origin, Role
from tir_agent.problems import problem_from_text
from tir_agent.settings import Arm, Fixed, Fsync, ProblemSource, Recipe, RunSettings, Storage
from tir_agent.store import ArmPrompt, Draft, RunWriter
from tir_agent.trajectory import (
    Environment,
    Problem,
    PromptIdentity,
    Sample,
    StopReason,
    Timings,
    Trajectory,
    Usage,
)

MODEL = Arm(name="base", model="m")


def problems(count: int) -> list[Problem]:
    return [problem_from_text(f"What is {number} plus 1?", gold=str(number + 1)) for number in range(count)]


def draft(*arms: Arm, samples: int = 1) -> Draft:
    arms = arms or (MODEL,)
    return Draft(
        recipe=Recipe(problems=ProblemSource(path="sums.jsonl"), arms=arms, samples=Fixed(samples=samples)),
        prompts=tuple(ArmPrompt(arm=arm.name, name="tir", sha256="0" * 64) for arm in arms),
    )


def sample(
    problem: Problem,
    index: int = 0,
    arm: str = "base",
    stop: StopReason = StopReason.ANSWERED,
    padding: int = 0,
    verdict: Verdict | None = Verdict.CORRECT,
) -> Trajectory:
    grade = Grade(verdict=verdict, reason="the same", grader="g") if verdict else None
    return Trajectory(
        id=uuid.uuid4().hex,
        problem=problem,
        sample=Sample(arm=arm, index=index),
        messages=(
            Message.of(Role.USER, (problem.text, Origin.PROBLEM)),
            Message.of(Role.ASSISTANT, ("数" * padding + "So it is.", Origin.MODEL)),
        ),
        turns=(),
        stop=stop,
        answer=problem.gold if stop is StopReason.ANSWERED else None,
        grade=grade,
        settings=RunSettings(model="m"),
        prompt=PromptIdentity(name="tir", sha256="0"),
        environment=Environment(tir_agent="0", python="3", platform="x", kernel="none"),
        usage=Usage(completion_tokens=7),
        timings=Timings(started=datetime(2026, 1, 1, tzinfo=UTC), duration=1, model=1, kernel=0),
    )


async def filled(folder: Path, count: int, storage: Storage | None = None, *arms: Arm) -> None:
    """A run of `count` problems with one sample each of each arm."""
    asked = problems(count)
    with RunWriter.open(folder, draft(*arms), asked, storage) as writer:
        for arm in arms or (MODEL,):
            for problem in asked:
                await writer.append(sample(problem, arm=arm.name))


async def write_on(folder: Path, count: int, storage: Storage) -> None:
    """Append whatever is not there, 16 at a time, and print the id of each one that counts as written."""
    asked = problems(count)
    with RunWriter.open(folder, draft(), asked, storage) as writer:
        done = {key.problem for key in writer.done}
        waiting = iter([problem for problem in asked if problem.id not in done])

        async def worker() -> None:
            for problem in waiting:
                trajectory = sample(problem, padding=15_000)
                await writer.append(trajectory)
                sys.stdout.write(f"{trajectory.id}\n")
                sys.stdout.flush()

        await asyncio.gather(*(worker() for _ in range(16)))


if __name__ == "__main__":
    FOLDER, COUNT, FSYNC, COMPRESS = sys.argv[1:]
    STORAGE = Storage(fsync=Fsync(FSYNC), compress=COMPRESS == "zstd", shard_bytes=2**20)
    asyncio.run(write_on(Path(FOLDER), int(COUNT), STORAGE))
