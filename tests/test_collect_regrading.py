"""An answer whose grade the sandbox's end swallowed is graded once more."""

from __future__ import annotations

import pytest

from tir_agent.collect import regrading
from tir_agent.collect.crew import CrewLoad
from tir_agent.collect.regrading import graded, lacks_grade
from tir_agent.collect.tasks import Task
from tir_agent.errors import SandboxLost
from tir_agent.grading import grade_answer
from tir_agent.kernel.base import Sandbox
from tir_agent.trajectory import Grade, GradingRule, StopReason, Trajectory, Verdict

from run_samples import problems, sample


class Crew:
    """Its sandbox is away for the first few gradings."""

    load = CrewLoad()

    def __init__(self, sandbox: Sandbox, away: int) -> None:
        self.sandbox = sandbox
        self.away = away

    async def solve(self, task: Task) -> Trajectory:
        raise NotImplementedError

    async def grade(self, answer: str, gold: str, rule: GradingRule) -> Grade:
        self.away -= 1
        if self.away >= 0:
            raise SandboxLost("The sandbox is gone")
        return await grade_answer(self.sandbox, answer, gold)

    async def close(self) -> None:
        """There is nothing to end."""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrading, "_FIRST_WAIT", 0.001)


def ungraded(answer: str | None = "1") -> Trajectory:
    done = sample(problems(1)[0], verdict=None)
    return done.model_copy(update={"answer": answer, "notes": ("The answer was not graded: it is gone",)})


async def test_the_grade_is_had_when_the_sandbox_is_back(local_sandbox: Sandbox) -> None:
    trajectory = ungraded()
    found = await graded(Crew(local_sandbox, away=3), trajectory, patience=60, stopping=lambda: False)
    assert found.grade is not None
    assert found.grade.verdict is Verdict.CORRECT
    assert "graded once more" in found.notes[-1]
    assert found.model_copy(update={"grade": None, "notes": trajectory.notes}) == trajectory


async def test_it_stays_as_it_was_when_the_sandbox_stays_away(local_sandbox: Sandbox) -> None:
    trajectory = ungraded()
    crew = Crew(local_sandbox, away=10**9)
    assert await graded(crew, trajectory, patience=0.01, stopping=lambda: False) is trajectory
    assert await graded(crew, trajectory, patience=60, stopping=lambda: True) is trajectory


def test_only_an_answer_that_the_machinery_left_ungraded_lacks_a_grade() -> None:
    assert lacks_grade(ungraded())
    assert not lacks_grade(ungraded(answer=None))
    assert not lacks_grade(ungraded().model_copy(update={"stop": StopReason.ERROR}))
    assert not lacks_grade(sample(problems(1)[0]))
