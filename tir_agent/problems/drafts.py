"""Rows made into problems whose ids are not settled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tir_agent.errors import ProblemError
from tir_agent.grades import AnswerKind, GradingRule
from tir_agent.problems.choices import Choices, choices_in, laid_out, letter_of
from tir_agent.problems.golds import gold_in
from tir_agent.problems.guess import Guess, Taken
from tir_agent.problems.ids import hashed_id
from tir_agent.problems.rows import Fault, Fields, Read
from tir_agent.problems.text import problem_from_text
from tir_agent.problems.values import look, spoken, text_of
from tir_agent.settings import GoldForm
from tir_agent.trajectory import Problem

__all__ = ["Draft", "drafts_of"]


@dataclass(frozen=True)
class Draft:
    """A problem whose id is not settled."""

    problem: Problem
    """Its id is made of its text and its choices."""
    own_id: str | None
    """The data set's own."""
    fields: Fields
    """Of the row; empty where no filter asks for them."""


def drafts_of(
    reads: Iterable[Read], guess: Guess, *, keep_fields: bool, faults: list[Fault]
) -> Iterator[Draft]:
    """The problems in what was read; `faults` gets what is wrong with it."""
    for row in reads:
        if isinstance(row, Fault):
            faults.append(row)
            continue
        text = _text(row.fields, guess)
        choices = _choices(row.fields, guess)
        try:
            problem = problem_from_text(text if choices is None else laid_out(text, choices))
        except ProblemError as error:
            faults.append(Fault(row.where, error.message))
            continue
        gold, said = _gold(row.fields, guess, choices)
        if said is not None:
            faults.append(Fault(row.where, said))
        rule = GradingRule()
        if choices is not None:
            rule = GradingRule(kind=AnswerKind.CHOICE, choices=choices.contents)
        update = {
            "id": hashed_id(problem.text, rule.choices),
            "gold": gold,
            "rule": rule,
            "subject": _word(row.fields, guess.subject),
            "level": _word(row.fields, guess.level),
            "source": row.where,
        }
        yield Draft(
            problem.model_copy(update=update), _word(row.fields, guess.id), row.fields if keep_fields else {}
        )


def _text(fields: Fields, guess: Guess) -> str:
    parts = [_spelled(look(fields, name)) for name in guess.text.fields]
    return " ".join(part for part in parts if part)


def _spelled(value: object) -> str | None:
    return value.strip() if isinstance(value, str) else spoken(value, "user") or text_of(value)


def _choices(fields: Fields, guess: Guess) -> Choices | None:
    if guess.choices is None:
        return None
    values = [look(fields, name) for name in guess.choices.fields]
    # Letters at the end may be free: of five columns a question may need four.
    while len(values) > 1 and text_of(values[-1]) is None:
        values.pop()
    return choices_in(values)


def _gold(fields: Fields, guess: Guess, choices: Choices | None) -> tuple[str | None, str | None]:
    """The gold answer, and what is wrong with it."""
    if guess.gold is None:
        return None, None
    name = guess.gold.fields[0]
    value = look(fields, name)
    gold = gold_in(value, guess.gold_form)
    if gold is None:
        return None, f"There is no gold answer in {name}"
    if choices is None:
        return gold, None
    # Of a list of letters the value says more than its text; of a solution the answer alone counts.
    named = value if guess.gold_form is GoldForm.PLAIN else gold
    letter = letter_of(named, choices, guess.first_choice)
    return letter, None if letter else f"The gold answer in {name} is none of the choices"


def _word(fields: Fields, taken: Taken | None) -> str | None:
    return None if taken is None else text_of(look(fields, taken.fields[0]))
