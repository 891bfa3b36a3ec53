"""Grading the trajectories of a run again, a batch at a time, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from tir_agent.errors import SandboxLost
from tir_agent.grades import Comparison, Grade
from tir_agent.grading import grade_answer
from tir_agent.judging import LONGEST, Judge
from tir_agent.kernel.base import Sandbox
from tir_agent.regrade.cases import Case, Terms
from tir_agent.regrade.report import Report
from tir_agent.store import GradeLog, GradeRow
from tir_agent.trajectory import Trajectory

__all__ = ["Regrader"]

_TOGETHER: Final = 32
"""Comparisons in one request to the sandbox, which one process makes."""
_BATCH: Final = 4 * _TOGETHER
"""Trajectories that are graded, and written, in one go."""


class Regrader:
    """Gives grades on some terms, by the sandbox's grader and, where there is one, a judge."""

    def __init__(self, sandbox: Sandbox, terms: Terms, judge: Judge | None = None) -> None:
        """Sandbox and judge stay the caller's to close."""
        self._sandbox = sandbox
        self._terms = terms
        self._judge = judge

    async def run(
        self,
        trajectories: Iterable[Trajectory],
        log: GradeLog,
        report: Report,
        *,
        earlier: Mapping[str, Grade],
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Write a grade for each trajectory that has none in `log`, and count into `report`.

        Args:
            trajectories: of the run, in its order.
            log: where the grades go, a batch at a time.
            report: hears of every trajectory.
            earlier: by trajectory's id, the grades that are in `log` already.
            progress: is told, after each batch, how many trajectories are done.

        Raises:
            SandboxLost: the sandbox went away, and not over one answer alone.
            StorageError: grades cannot be written.
        """
        done = 0
        batch: list[Case] = []
        for trajectory in trajectories:
            case = Case.of(trajectory, self._terms)
            if case.trajectory in earlier:
                report.resumed += 1
                report.add(case, earlier[case.trajectory])
                continue
            batch.append(case)
            if len(batch) == _BATCH:
                await self._write(batch, log, report)
                done += len(batch)
                progress(done)
                batch = []
        await self._write(batch, log, report)

    async def _write(self, cases: Sequence[Case], log: GradeLog, report: Report) -> None:
        asked: list[Case] = []
        grades: dict[str, Grade] = {}
        for case in cases:
            if self._terms.selects(case.before):
                if case.problem.gold is None:
                    report.without_gold += 1
                else:
                    asked.append(case)
            elif case.before is None:
                report.without_grade += 1
            else:
                report.kept += 1
                grades[case.trajectory] = case.before
        found = await self._grade(asked, report)
        report.graded += len(found)
        grades |= found
        log.append(
            GradeRow(
                problem=case.key.problem,
                arm=case.key.arm,
                index=case.key.index,
                trajectory=case.trajectory,
                grade=grades[case.trajectory],
            )
            for case in cases
            if case.trajectory in grades
        )
        for case in cases:
            if case.trajectory in grades:
                report.add(case, grades[case.trajectory])

    async def _grade(self, cases: Sequence[Case], report: Report) -> dict[str, Grade]:
        """By id; those that could not be graded have none."""
        grades = await self._compared(cases)
        report.lost += len(cases) - len(grades)
        if self._judge is not None:
            await self._judged(self._judge, cases, grades, report)
        return grades

    async def _compared(self, cases: Sequence[Case]) -> dict[str, Grade]:
        grades: dict[str, Grade] = {}
        pairs: list[tuple[str, Comparison]] = []
        for case in cases:
            pair = case.comparison(self._terms)
            if pair is None:
                grades[case.trajectory] = await grade_answer(self._sandbox, None, case.problem.gold or "")
            else:
                pairs.append((case.trajectory, pair))
        parts = [pairs[start : start + _TOGETHER] for start in range(0, len(pairs), _TOGETHER)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._together([pair for _, pair in part])) for part in parts]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        for part, task in zip(parts, tasks, strict=True):
            for (trajectory, _), grade in zip(part, task.result(), strict=True):
                if grade is not None:
                    grades[trajectory] = grade
        return grades

    async def _together(self, pairs: Sequence[Comparison]) -> Sequence[Grade | None]:
        try:
            return await self._sandbox.grade_many(pairs, timeout=self._terms.timeout)
        except SandboxLost:
            # One of them may have done it: the others are not to suffer for it.
            return [await self._alone(pair) for pair in pairs]

    async def _alone(self, pair: Comparison) -> Grade | None:
        """None where the sandbox is lost over this pair, and is there for another one."""
        try:
            return (await self._sandbox.grade_many([pair], timeout=self._terms.timeout))[0]
        except SandboxLost:
            await self._sandbox.grade("1", "1")
            return None

    async def _judged(
        self, judge: Judge, cases: Sequence[Case], grades: dict[str, Grade], report: Report
    ) -> None:
        """Put the judge's grades in the place of the grader's that tell nothing; none where it failed."""
        waiting: list[tuple[Case, str, str]] = []
        for case in cases:
            grade, answer, gold = grades.get(case.trajectory), case.answer, case.problem.gold
            if grade is None or grade.verdict not in self._terms.asked_of_judge:
                continue
            if answer is None or gold is None:
                continue
            if max(len(answer), len(gold)) > LONGEST:
                report.too_long += 1
            else:
                waiting.append((case, gold, answer))
        verdicts = await asyncio.gather(
            *(judge.grade(case.problem, gold, answer) for case, gold, answer in waiting)
        )
        for (case, _, _), verdict in zip(waiting, verdicts, strict=True):
            if verdict is None:
                report.unjudged += 1
                del grades[case.trajectory]
            else:
                grades[case.trajectory] = verdict
