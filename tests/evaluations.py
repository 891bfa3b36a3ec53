"""Trajectories for tests of evaluation: whole records, with what a test says and the rest made up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from tir_agent.evaluate.results import Result
from tir_agent.evaluate.voting import Ballot
from tir_agent.messages import Message, Origin, Role
from tir_agent.settings import RunSettings
from tir_agent.trajectory import (
    Cell,
    Completion,
    Cost,
    Environment,
    Execution,
    ExecutionStatus,
    FinishReason,
    Grade,
    Problem,
    PromptIdentity,
    Sample,
    StopReason,
    Timings,
    Trajectory,
    Turn,
    Usage,
    Verdict,
)

OK, RAISED = ExecutionStatus.OK, ExecutionStatus.ERROR


def trajectory(
    problem: str = "p",
    index: int | None = 0,
    *,
    arm: str = "a",
    verdict: Verdict | None = Verdict.CORRECT,
    answer: str | None = "7",
    stop: StopReason = StopReason.ANSWERED,
    cells: Sequence[ExecutionStatus] = (),
    kept: int = 3,
    level: str | None = None,
    subject: str | None = None,
    cost: float | None = None,
    gold: str | None = "7",
    identity: str | None = None,
) -> Trajectory:
    executed = [Cell(code="1", start=0, end=1, execution=Execution(status=one), shown="") for one in cells]
    completion = Completion(
        text="abc", finish_reason=FinishReason.STOP, prompt_tokens=10, completion_tokens=5, duration=1
    )
    money = None if cost is None else Cost(amount=cost, currency="USD", as_of=date(2026, 1, 1))
    return Trajectory(
        id=identity or f"{problem}-{arm}-{index}",
        problem=Problem(id=problem, text=f"What is {problem}?", gold=gold, level=level, subject=subject),
        sample=None if index is None else Sample(arm=arm, index=index),
        messages=(
            Message.of(Role.USER, (f"What is {problem}?", Origin.PROBLEM)),
            Message.of(Role.ASSISTANT, (f"It is {answer}", Origin.MODEL)),
        ),
        turns=(Turn(completion=completion, kept=kept, cells=tuple(executed)),),
        stop=stop,
        answer=answer,
        grade=None if verdict is None else Grade(verdict=verdict, reason="r", grader="t"),
        settings=RunSettings(model="m"),
        prompt=PromptIdentity(name="p", sha256="0"),
        environment=Environment(tir_agent="0", python="3", platform="x", kernel="none"),
        usage=Usage(turns=1, cells=len(cells), completion_tokens=5, prompt_tokens=10, cost=money),
        timings=Timings(started=datetime(2026, 1, 1, tzinfo=UTC), duration=2, model=1, kernel=0.5),
    )


def result(
    problem: str = "p",
    index: int = 0,
    right: bool = True,
    *,
    verdict: Verdict | None = None,
    stop: StopReason = StopReason.ANSWERED,
    reward: float | None = None,
    level: str | None = None,
    arm: str = "a",
) -> Result:
    return Result(
        problem=problem,
        arm=arm,
        index=index,
        stop=stop,
        verdict=verdict or (Verdict.CORRECT if right else Verdict.WRONG),
        answer="7" if right else "8",
        reward=reward,
        level=level,
    )


def ballots(clusters: Iterable[int | None], right: int | None = 0) -> list[Ballot]:
    """Votes for these answers, of which number `right` is right."""
    return [Ballot(number, number is not None and number == right) for number in clusters]


def write_run(folder: Path, trajectories: Iterable[Trajectory]) -> Path:
    """A folder with two files of trajectories."""
    shards = folder
    shards.mkdir(parents=True)
    lines = [one.model_dump_json() for one in trajectories]
    half = len(lines) // 2
    (shards / "00000.jsonl").write_text("".join(f"{line}\n" for line in lines[:half]))
    (shards / "00001.jsonl").write_text("".join(f"{line}\n" for line in lines[half:]))
    return folder
