"""Whether an answer is right: the verdict, and by which rule it is given (docs/grading.md). Plain data."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import Field

from tir_agent.messages import Record

__all__ = [
    "EQUALITY",
    "GRADING_SECONDS",
    "UNGRADED",
    "AnswerKind",
    "Comparison",
    "Grade",
    "GradingRule",
    "Verdict",
]

GRADING_SECONDS: Final = 10.0
"""For one comparison, unless the caller says otherwise. Nearly all take some milliseconds."""
UNGRADED: Final = "none"
"""In the place of the grader, where there was no answer that one could have looked at."""


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
    """A number: in a sentence, the only one that it holds."""
    EXPRESSION = "expression"
    """Mathematics: letters are variables, never words."""
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
    """Numbers may differ by so much of the larger one, so that the order makes no difference."""
    absolute: float | None = Field(default=None, ge=0)
    """Numbers may differ by so much."""
    modulo: int | None = Field(default=None, ge=2)
    """Integers are compared modulo this number."""


EQUALITY: Final = GradingRule()
"""Mathematical equality, whatever the answers look like."""


class Comparison(Record):
    """Two answers to compare."""

    answer: str
    gold: str
    rule: GradingRule = EQUALITY

    def cut(self, chars: int) -> Comparison:
        """With at most so many characters of each answer."""
        if max(len(self.answer), len(self.gold)) <= chars:
            return self
        return self.model_copy(update={"answer": self.answer[:chars], "gold": self.gold[:chars]})


class Grade(Record):
    """A verdict with its reason and what the grader read."""

    verdict: Verdict
    reason: str
    answer_parsed: tuple[str, ...] = ()
    gold_parsed: tuple[str, ...] = ()
    grader: str
    """Name and version."""
