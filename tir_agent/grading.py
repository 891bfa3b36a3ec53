"""Is an answer right? Asked of a sandbox, since reading mathematics means evaluating it."""

from __future__ import annotations

from tir_agent.grades import EQUALITY, GRADING_SECONDS, UNGRADED, Grade, GradingRule, Verdict
from tir_agent.kernel.base import Sandbox

__all__ = ["equal", "grade_answer"]

_SAME = {Verdict.CORRECT: True, Verdict.WRONG: False}


async def grade_answer(
    sandbox: Sandbox,
    answer: str | None,
    gold: str,
    *,
    rule: GradingRule = EQUALITY,
    timeout: float = GRADING_SECONDS,
) -> Grade:
    """Compare an answer with the gold one inside `sandbox`, for at most `timeout` seconds.

    No answer is a wrong answer. A comparison that does not end in time is `timeout`, never `wrong`.

    Raises:
        SandboxLost: the sandbox went away.
    """
    if answer is None:
        return Grade(verdict=Verdict.WRONG, reason="There is no answer", grader=UNGRADED)
    return await sandbox.grade(answer, gold, rule=rule, timeout=timeout)


async def equal(
    sandbox: Sandbox, a: str, b: str, *, rule: GradingRule = EQUALITY, timeout: float = GRADING_SECONDS
) -> bool | None:
    """Whether two answers say the same, as voting asks; None where nothing is known.

    The order of the two makes no difference, but that an answer which cannot be read is different from one
    that can, and not known to differ from another such: two equal texts are equal in any case.

    Raises:
        SandboxLost: the sandbox went away.
    """
    return _SAME.get((await sandbox.grade(a, b, rule=rule, timeout=timeout)).verdict)
