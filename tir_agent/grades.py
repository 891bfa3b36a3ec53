"""Whether an answer is right: the verdict, and by which rule it is given. Plain data."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tir_agent.messages import Record

__all__ = ["AnswerKind", "Grade", "GradingRule", "Verdict"]


class Verdict(StrEnum):
    """How the answer compares with the gold one."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNGRADABLE = "ungradable"
    TIMEOUT = "timeout"


class AnswerKind(StrEnum):
    """What an answer is, where the problem says so."""

    AUTO = "auto"
    """Whatever the gold answer looks like."""
    NUMBER = "number"
    EXPRESSION = "expression"
    CHOICE = "choice"
    """One or several of a list of choices, named by letter or by content."""
    TEXT = "text"
    """Words, compared as words."""


class GradingRule(Record):
    """How a problem wants its answer compared. The default compares for mathematical equality."""

    kind: AnswerKind = AnswerKind.AUTO
    choices: tuple[str, ...] = ()
    """Contents of the choices A, B, C, ... in order, where the problem has such."""
    relative: float | None = Field(default=None, ge=0)
    """Numbers may differ by so much of the gold one."""
    absolute: float | None = Field(default=None, ge=0)
    """Numbers may differ by so much."""
    modulo: int | None = Field(default=None, ge=2)
    """Integers are compared modulo this number."""


class Grade(Record):
    """A verdict with its reason and what the grader read."""

    verdict: Verdict
    reason: str
    answer_parsed: tuple[str, ...] = ()
    gold_parsed: tuple[str, ...] = ()
    grader: str
    """Name and version."""
