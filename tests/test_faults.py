"""The benchmark of faults, small: and that it would notice what it is there to notice."""

from __future__ import annotations

from dataclasses import replace

from rich.progress import Progress

from tir_agent.kernel.base import Sandbox
from tir_agent.trajectory import StopReason

from faults import Outcomes, run


async def outcomes(sandbox: Sandbox, count: int, profile: str = "vllm") -> Outcomes:
    with Progress(disable=True) as progress:
        return await run(sandbox, count=count, rate=0.4, seed=3, jobs=16, profile=profile, progress=progress)


async def test_no_trajectory_is_lost_repeated_or_ended_otherwise_than_it_must(local_sandbox: Sandbox) -> None:
    seen = await outcomes(local_sandbox, 60)
    assert seen.complaints(60) == {}
    met = {record.fault for story in seen.stories.values() for record in story.records}
    assert len(met) > 12
    stops = {trajectory.stop for saved in seen.trajectories.values() for trajectory in saved}
    assert stops >= {StopReason.ANSWERED, StopReason.ERROR}


async def test_what_is_wrong_would_be_noticed(local_sandbox: Sandbox) -> None:
    seen = await outcomes(local_sandbox, 12, "openai")
    assert seen.complaints(12) == {}
    number = next(number for number, (one,) in seen.trajectories.items() if one.stop is StopReason.ANSWERED)
    (good,) = seen.trajectories[number]
    others = {key: value for key, value in seen.trajectories.items() if key != number}

    def said(*saved: object) -> str:
        changed = replace(seen, trajectories=others | {number: list(saved)})  # type: ignore[arg-type]
        return changed.complaints(12)[number]

    assert said() == "lost"
    assert "2 times" in said(good, good)
    assert "turns" in said(good.model_copy(update={"turns": (*good.turns, good.turns[-1])}))
    assert "instead of" in said(good.model_copy(update={"stop": StopReason.NO_ACTION}))
    assert "answered" in said(good.model_copy(update={"answer": "-1"}))
