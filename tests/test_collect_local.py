"""Collections from the first task to the last: the real agent, real kernels, a real folder."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tir_agent.collect import collector as collecting
from tir_agent.collect.collector import GaveUp
from tir_agent.collect.crew import Crew, CrewLoad, WorkerLost
from tir_agent.collect.listener import Listener
from tir_agent.collect.local import LocalCrew, Surroundings
from tir_agent.collect.session import Session, draft_of, open_session, sift
from tir_agent.collect.tasks import Task
from tir_agent.errors import DataError, ModelRejected, ModelUnavailable, RunError, StorageError
from tir_agent.kernel.base import Sandbox
from tir_agent.models.base import Model
from tir_agent.models.limiter import RateLimiter
from tir_agent.settings import (
    Arm,
    Budget,
    Fixed,
    Operation,
    Pairs,
    ProblemSource,
    RateLimits,
    Recipe,
    SamplePlan,
    Sampling,
    Server,
    UntilCorrect,
    Vote,
)
from tir_agent.store import RunReader
from tir_agent.trajectory import Grade, GradingRule, Problem, StopReason, Trajectory, Verdict

from pupil import Pupil, times


def recipe(plan: SamplePlan | None = None, **more: object) -> Recipe:
    fields = {
        "problems": ProblemSource(path="times"),
        "arms": (Arm(name="pupil", model="pupil", prompt="tir", sampling=Sampling(temperature=1)),),
        "samples": plan or Fixed(samples=3),
        "budget": Budget(max_turns=4),
    }
    return Recipe.model_validate(fields | more)


def operation(**more: object) -> Operation:
    servers = (Server(arm="pupil", limits=RateLimits(concurrent=16, adaptive=False)),)
    return Operation.model_validate({"at_once": 16, "retries": 2, "servers": servers} | more)


@asynccontextmanager
async def session(
    folder: Path,
    sandbox: Sandbox,
    pupil: Pupil,
    *,
    what: Recipe | None = None,
    how: Operation | None = None,
    problems: list[Problem] | None = None,
    wrap: Callable[[Crew], Crew] = lambda crew: crew,
) -> AsyncIterator[Session]:
    what, how = what or recipe(), how or operation()

    async def opener(arm: Arm, server: Server, limiter: RateLimiter) -> Model:
        return pupil

    crew = wrap(await LocalCrew.open(what, how, Surroundings(opener=opener), sandbox=sandbox))
    opened = await open_session(folder, draft_of(what, how), problems or times(10), crew)
    try:
        yield opened
    finally:
        opened.close()
        await crew.close()


def found(folder: Path) -> list[Trajectory]:
    return list(RunReader.open(folder).trajectories())


def keys(trajectories: list[Trajectory]) -> list[tuple[str, int]]:
    return sorted((one.problem.id, one.sample.index) for one in trajectories if one.sample)


EXPECTED = sorted((f"p{number}", index) for number in range(10) for index in range(3))


async def test_every_sample_comes_once_with_its_own_seed(local_sandbox: Sandbox, tmp_path: Path) -> None:
    pupil = Pupil(delay=0.01)
    async with session(tmp_path, local_sandbox, pupil) as opened:
        await opened.collector.run()
        progress = opened.collector.progress
    made = found(tmp_path)
    assert keys(made) == EXPECTED
    assert len({one.settings.sampling.seed for one in made}) == 30
    assert all(one.stop is StopReason.ANSWERED for one in made)
    right = [one.grade.verdict is Verdict.CORRECT for one in made if one.grade]
    assert right == [(one.settings.sampling.seed or 0) % 3 != 0 for one in made]
    assert (progress.done, progress.correct, progress.problems_done) == (30, sum(right), 10)
    assert progress.running == progress.in_model == progress.in_kernel == 0
    assert 2 < pupil.most_at_once <= 16


async def test_a_second_run_makes_nothing_again(local_sandbox: Sandbox, tmp_path: Path) -> None:
    async with session(tmp_path, local_sandbox, Pupil()) as opened:
        await opened.collector.run()
    pupil = Pupil()
    async with session(tmp_path, local_sandbox, pupil) as opened:
        await opened.collector.run()
        assert opened.collector.progress.before == 30
    assert pupil.requests == 0
    assert keys(found(tmp_path)) == EXPECTED


async def test_stopped_and_cancelled_runs_are_completed_by_the_next(
    local_sandbox: Sandbox, tmp_path: Path
) -> None:
    chance = random.Random(7)
    for number in range(30):
        async with session(tmp_path, local_sandbox, Pupil(delay=0.02)) as opened:
            run = asyncio.create_task(opened.collector.run())
            await asyncio.sleep(chance.random() * 0.3)
            if run.done():
                await run
                break
            if number % 2:
                opened.collector.stop()
                await run
                assert opened.collector.progress.running == 0
            else:
                run.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await run
    made = found(tmp_path)
    assert keys(made) == EXPECTED
    assert number > 1
    assert not any(one.stop is StopReason.INTERRUPTED for one in made)


async def test_model_kernels_and_cells_are_bounded_apart(local_sandbox: Sandbox, tmp_path: Path) -> None:
    most = Counter[str]()

    class Watch(Listener):
        def done(self, task: Task, trajectory: Trajectory) -> None:
            now = opened.collector.progress
            most["running"] = max(most["running"], now.running)

    pupil = Pupil(delay=0.02)
    servers = (Server(arm="pupil", limits=RateLimits(concurrent=3, adaptive=False)),)
    how = operation(servers=servers, kernels=2, cells=1, at_once=9)
    async with session(tmp_path, local_sandbox, pupil, how=how) as opened:
        opened.collector.listen(Watch())
        await opened.collector.run()
    assert pupil.most_at_once == 3
    assert most["running"] <= 9
    assert keys(found(tmp_path)) == EXPECTED
    assert max(one.timings.queued for one in found(tmp_path)) > 0


async def test_waiting_for_a_turn_is_in_no_budget(local_sandbox: Sandbox, tmp_path: Path) -> None:
    servers = (Server(arm="pupil", limits=RateLimits(concurrent=1, adaptive=False)),)
    how = operation(servers=servers, at_once=30)
    what = recipe(budget=Budget(max_turns=4, max_seconds=1.5))
    async with session(tmp_path, local_sandbox, Pupil(delay=0.1), what=what, how=how) as opened:
        await opened.collector.run()
    made = found(tmp_path)
    assert {one.stop for one in made} == {StopReason.ANSWERED}
    assert max(one.timings.queued for one in made) > 1.5


@pytest.mark.parametrize(
    ("plan", "most"),
    [(UntilCorrect(correct=2, at_most=5), 5), (Pairs(at_most=6), 6), (Vote(at_least=3, at_most=7), 7)],
    ids=lambda value: getattr(value, "kind", ""),
)
async def test_adaptive_plans_stop_when_they_have_enough(
    local_sandbox: Sandbox, tmp_path: Path, plan: SamplePlan, most: int
) -> None:
    async with session(tmp_path, local_sandbox, Pupil(), what=recipe(plan)) as opened:
        await opened.collector.run()
        progress = opened.collector.progress
    made = found(tmp_path)
    assert len(made) == progress.done == progress.expected < 10 * most
    by_problem = Counter(one.problem.id for one in made)
    right = Counter(one.problem.id for one in made if one.grade and one.grade.verdict is Verdict.CORRECT)
    for problem, count in by_problem.items():
        match plan:
            case UntilCorrect():
                assert right[problem] == 2 or count == most
            case Pairs():
                assert 0 < right[problem] < count or count == most
            case _:
                assert count >= 3


async def test_a_failing_server_is_waited_for_and_nothing_is_a_negative(
    local_sandbox: Sandbox, tmp_path: Path
) -> None:
    paused: list[str] = []

    class Watch(Listener):
        def paused(self, reason: str) -> None:
            paused.append(reason)

    down = range(20, 36)
    pupil = Pupil(fails=lambda text, number: ModelUnavailable("It is down") if number in down else None)
    async with session(tmp_path, local_sandbox, pupil) as opened:
        opened.collector.listen(Watch())
        await opened.collector.run()
        progress = opened.collector.progress
    assert keys(found(tmp_path)) == EXPECTED
    assert progress.failures == {"ModelUnavailable": 16}
    assert progress.given_up == 0
    assert paused
    failures = list(RunReader.open(tmp_path).failures())
    assert {one.stop for one in failures} == {StopReason.ERROR}
    assert not any(one.stop is StopReason.ERROR for one in found(tmp_path))


async def test_a_sample_that_always_fails_is_given_up_and_the_others_are_not(
    local_sandbox: Sandbox, tmp_path: Path
) -> None:
    poison = "What is 5 times 7?"
    pupil = Pupil(fails=lambda text, number: ModelUnavailable("Poison") if poison in text else None)
    how = operation(retries=1, at_once=4)
    async with session(tmp_path, local_sandbox, pupil, how=how, problems=times(6)) as opened:
        await asyncio.wait_for(opened.collector.run(), 60)
        progress = opened.collector.progress
    assert keys(found(tmp_path)) == sorted((f"p{n}", index) for n in (0, 1, 2, 4, 5) for index in range(3))
    assert progress.given_up == 3
    # The next run tries them again.
    async with session(tmp_path, local_sandbox, Pupil(), how=how, problems=times(6)) as opened:
        await opened.collector.run()
    assert len(found(tmp_path)) == 18


async def test_where_nothing_works_the_run_is_given_up(local_sandbox: Sandbox, tmp_path: Path) -> None:
    pupil = Pupil(fails=lambda text, number: ModelUnavailable("There is no such host"))
    async with session(tmp_path, local_sandbox, pupil, how=operation(patience=1.5)) as opened:
        with pytest.raises(GaveUp, match="There is no such host"):
            await opened.collector.run()
    assert found(tmp_path) == []


async def test_a_server_that_refuses_from_the_first_ends_the_run_at_once(
    local_sandbox: Sandbox, tmp_path: Path
) -> None:
    pupil = Pupil(fails=lambda text, number: ModelRejected("Wrong key"))
    async with session(tmp_path, local_sandbox, pupil) as opened:
        with pytest.raises(ModelRejected, match="Wrong key"):
            await asyncio.wait_for(opened.collector.run(), 30)


class Clumsy:
    """A crew that loses its workers, or breaks, at some tasks."""

    def __init__(self, crew: Crew, trouble: Callable[[int], Exception | None]) -> None:
        self._crew = crew
        self._trouble = trouble
        self._count = 0

    @property
    def load(self) -> CrewLoad:
        return self._crew.load

    async def solve(self, task: Task) -> Trajectory:
        self._count += 1
        if (error := self._trouble(self._count)) is not None:
            raise error
        return await self._crew.solve(task)

    async def grade(self, answer: str, gold: str, rule: GradingRule) -> Grade:
        return await self._crew.grade(answer, gold, rule)

    async def close(self) -> None:
        await self._crew.close()


@pytest.mark.parametrize("error", [WorkerLost("node 3 is gone"), RuntimeError("a bug")], ids=repr)
async def test_lost_workers_and_bugs_cost_no_sample(
    local_sandbox: Sandbox, tmp_path: Path, error: Exception
) -> None:
    def wrap(crew: Crew) -> Crew:
        return Clumsy(crew, lambda number: error if number % 4 == 0 else None)

    how = operation(retries=20)
    async with session(tmp_path, local_sandbox, Pupil(), how=how, wrap=wrap) as opened:
        await opened.collector.run()
    assert keys(found(tmp_path)) == EXPECTED


async def test_a_full_disk_is_waited_for(
    local_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "_STORAGE_PAUSE", 0.05)
    refusals = 0

    async with session(tmp_path, local_sandbox, Pupil()) as opened:
        append = opened.writer.append

        async def full(trajectory: Trajectory) -> None:
            nonlocal refusals
            refusals += 1
            if 5 < refusals < 30:
                raise StorageError("No space left on device")
            await append(trajectory)

        monkeypatch.setattr(opened.writer, "append", full)
        await opened.collector.run()
    assert refusals > 30
    assert keys(found(tmp_path)) == EXPECTED


async def test_little_memory_holds_up_what_is_new(local_sandbox: Sandbox, tmp_path: Path) -> None:
    free = [0] * 10 + [8 * 2**30] * 10_000
    most = 0

    class Watch(Listener):
        def began(self, task: Task) -> None:
            nonlocal most
            if free[0] == 0:
                most = max(most, opened.collector.progress.running)

    async with session(tmp_path, local_sandbox, Pupil(delay=0.01)) as opened:
        opened.collector.listen(Watch())
        opened.collector._memory = lambda: free.pop(0)
        await opened.collector.run()
    assert most <= 1
    assert keys(found(tmp_path)) == EXPECTED


async def test_a_changed_recipe_is_refused_by_name(local_sandbox: Sandbox, tmp_path: Path) -> None:
    async with session(tmp_path, local_sandbox, Pupil()):
        pass
    with pytest.raises(RunError, match=r"samples\.samples is 2 here and 3 in the run"):
        async with session(tmp_path, local_sandbox, Pupil(), what=recipe(Fixed(samples=2))):
            pass
    other = operation(at_once=2)
    async with session(tmp_path, local_sandbox, Pupil(), how=other) as opened:
        await opened.collector.run()
    assert keys(found(tmp_path)) == EXPECTED


async def test_a_run_can_be_given_more_samples(local_sandbox: Sandbox, tmp_path: Path) -> None:
    async with session(tmp_path, local_sandbox, Pupil(), problems=times(3)) as opened:
        await opened.collector.run()
    before = found(tmp_path)
    more = recipe(Fixed(samples=5))
    async with session(tmp_path, local_sandbox, Pupil(), what=more, problems=times(3)) as opened:
        await opened.collector.run()
    after = found(tmp_path)
    assert after[: len(before)] == before
    assert keys(after) == sorted((f"p{number}", index) for number in range(3) for index in range(5))
    manifest = RunReader.open(tmp_path).manifest
    assert manifest is not None
    assert manifest.expected == 15


async def test_a_gold_that_no_answer_can_match_is_left_out(local_sandbox: Sandbox, tmp_path: Path) -> None:
    problems = [
        *times(2),
        Problem(id="bad", text="What is 1 times 1?", gold="\\frac{1}{", source="x.jsonl:3"),
        Problem(id="none", text="What is 2 times 2?"),
    ]
    async with session(tmp_path, local_sandbox, Pupil()) as opened:
        crew = opened.collector._crew
        sifted = await sift(recipe(UntilCorrect()), problems, crew)
        assert [one.id for one in sifted.problems] == ["p0", "p1"]
        assert [one.problem.id for one in sifted.refused] == ["bad"]
        assert [one.id for one in sifted.no_gold] == ["none"]
        assert len((await sift(recipe(), problems, crew)).problems) == 3
        assert len((await sift(recipe(), problems, None)).problems) == 4
        with pytest.raises(DataError, match="None of the 2 problems"):
            await sift(recipe(UntilCorrect()), problems[2:], crew)
