"""What `tir grade` has to say at its end."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from tir_agent.cli.grid import Grid
from tir_agent.console.amounts import amount_text, count_text
from tir_agent.grades import Grade, Verdict
from tir_agent.judging import LONGEST, Judge
from tir_agent.regrade import Difference, Report
from tir_agent.usage import Usage

__all__ = ["as_json", "grids", "notes"]

_NONE = "none"
_CELL = 60
"""Characters of an answer or a reason in a table."""
_ORDER: tuple[Verdict | None, ...] = (*Verdict, None)


def grids(report: Report) -> list[Grid]:
    """The verdicts before and now, and the first that differ."""
    found = [_changes(report)]
    if report.differences:
        found.append(_differences(report))
    return found


def notes(report: Report, judge: Judge | None) -> Iterator[str]:
    """What must be known to read the tables rightly, a sentence each."""
    if report.resumed:
        yield f"{count_text(report.resumed)} had a grade of this grading already"
    if report.kept:
        yield f"{count_text(report.kept)} were not selected and keep the grade that they had"
    if report.without_gold:
        yield f"{count_text(report.without_gold)} have no gold answer, and so no grade"
    if report.without_grade:
        yield f"{count_text(report.without_grade)} had no grade and were not selected, and so have none"
    if report.too_long:
        yield (
            f"{count_text(report.too_long)} are longer than {count_text(LONGEST)} characters: the judge was "
            "not asked about them"
        )
    if report.lost:
        yield f"{count_text(report.lost)} were left out: the sandbox was lost over them"
    if judge is not None:
        if report.unjudged:
            why = f": {judge.failure.message}" if judge.failure else ""
            yield f"{count_text(report.unjudged)} were left out: the judge's server failed{why}"
        yield f"{judge.name}: {_took(judge.usage)}"


def as_json(name: str, report: Report, judge: Judge | None) -> JsonValue:
    """The same for programs."""
    table: dict[str, JsonValue] = {}
    for before in _ORDER:
        row: dict[str, JsonValue] = {
            after.value: report.verdicts[before, after] for after in Verdict if report.verdicts[before, after]
        }
        if row:
            table[_word(before)] = row
    return {
        "grades": name,
        "verdicts": table,
        "graded": report.graded,
        "resumed": report.resumed,
        "kept": report.kept,
        "without_gold": report.without_gold,
        "without_grade": report.without_grade,
        "too_long": report.too_long,
        "lost": report.lost,
        "unjudged": report.unjudged,
        "judge": None if judge is None else judge.usage.model_dump(mode="json"),
        "different": report.different,
        "differences": [_difference(one) for one in report.differences],
    }


def _changes(report: Report) -> Grid:
    rows = []
    for before in _ORDER:
        counts = [report.verdicts[before, after] for after in Verdict]
        if any(counts):
            rows.append((_word(before), *map(count_text, counts)))
    return Grid("Verdicts: before (rows) and now", ("", *Verdict), tuple(rows))


def _differences(report: Report) -> Grid:
    rest = report.different - len(report.differences)
    headings = ("problem", "arm", "sample", "answer", "gold", "before", "because", "now", "because")
    return Grid(
        "Verdicts that are others now",
        headings,
        tuple(_row(one) for one in report.differences),
        figures=len(headings),
        note=f"and {count_text(rest)} more (--show)" if rest > 0 else "",
    )


def _row(one: Difference) -> tuple[str, ...]:
    case = one.case
    return (
        case.key.problem,
        case.key.arm,
        str(case.key.index),
        _short(case.answer or "-"),
        _short(case.problem.gold or "-"),
        _word(case.before.verdict if case.before else None),
        _short(case.before.reason if case.before else "-"),
        one.after.verdict.value,
        _short(one.after.reason),
    )


def _difference(one: Difference) -> dict[str, JsonValue]:
    case = one.case
    return {
        "problem": case.key.problem,
        "arm": case.key.arm,
        "index": case.key.index,
        "trajectory": case.trajectory,
        "answer": case.answer,
        "gold": case.problem.gold,
        "before": _grade(case.before),
        "now": _grade(one.after),
    }


def _grade(grade: Grade | None) -> JsonValue:
    content: JsonValue = None if grade is None else grade.model_dump(mode="json")
    return content


def _took(usage: Usage) -> str:
    read, written = count_text(usage.prompt_tokens), count_text(usage.completion_tokens)
    words = f"{count_text(usage.turns)} replies, {read} tokens read, {written} written"
    if usage.cost is None:
        return words
    about = "about " if usage.cost.estimated else ""
    return f"{words}, {about}{amount_text(usage.cost.amount, usage.cost.currency)}"


def _word(verdict: Verdict | None) -> str:
    return verdict.value if verdict else _NONE


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CELL else f"{line[: _CELL - 3]}..."
