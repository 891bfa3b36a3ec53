"""Grading what the sandbox's end left without a grade: the answer is there, and only the grader was not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from tir_agent.collect.crew import Crew
from tir_agent.errors import MachineryError
from tir_agent.trajectory import StopReason, Trajectory

__all__ = ["graded", "lacks_grade"]

_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 15.0
"""Seconds between attempts."""
_FAILED: Final = frozenset({StopReason.ERROR, StopReason.INTERRUPTED})


def lacks_grade(trajectory: Trajectory) -> bool:
    """Whether the run came to an answer, and the machinery failed over its grade."""
    return (
        trajectory.stop not in _FAILED
        and trajectory.grade is None
        and trajectory.answer is not None
        and trajectory.problem.gold is not None
    )


async def graded(
    crew: Crew, trajectory: Trajectory, *, patience: float, stopping: Callable[[], bool]
) -> Trajectory:
    """The same with its grade.

    Where none can be had for `patience` seconds, or until it is `stopping`: as it was.
    """
    if not lacks_grade(trajectory):
        return trajectory
    problem, answer = trajectory.problem, trajectory.answer
    assert answer is not None
    assert problem.gold is not None
    end, wait = time.monotonic() + patience, _FIRST_WAIT
    while True:
        try:
            grade = await crew.grade(answer, problem.gold, problem.rule)
        except MachineryError:
            if stopping() or time.monotonic() + wait > end:
                return trajectory
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
            continue
        note = "The sandbox went away over its grade, so it was graded once more"
        return trajectory.model_copy(update={"grade": grade, "notes": (*trajectory.notes, note)})
