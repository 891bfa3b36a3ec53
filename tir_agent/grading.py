"""Is an answer right? Asked of a sandbox, since reading mathematics means evaluating it."""

from __future__ import annotations

from tir_agent.kernel.base import Sandbox
from tir_agent.trajectory import Grade, Verdict

__all__ = ["grade_answer"]


async def grade_answer(sandbox: Sandbox, answer: str | None, gold: str, *, timeout: float = 10.0) -> Grade:
    """Compare an answer with the gold one inside `sandbox`, for at most `timeout` seconds.

    No answer is a wrong answer. A comparison that does not end in time is `timeout`, never `wrong`.

    Raises:
        SandboxLost: the sandbox went away.
    """
    if answer is None:
        return Grade(verdict=Verdict.WRONG, reason="There is no answer", grader="none")
    return await sandbox.grade(answer, gold, timeout=timeout)
