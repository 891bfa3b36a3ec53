"""Compares an answer with the gold one. Runs inside the jail, since SymPy evaluates what it reads.

Math-Verify's parser reads mathematics. Around it: one spelling (`answer_text.py`), refusal of what would
keep SymPy busy for ever (`answer_guard.py`), words and dates (`answer_words.py`), choices
(`answer_choice.py`), units (`answer_units.py`), what an answer is made of (`answer_shape.py`), and the
comparison part by part (`answer_equal.py`) and value by value (`answer_values.py`).

Math-Verify's own time-outs, which use SIGALRM, are off: they are swallowed and read as "not equal", they
cannot stop a long operation in C, and the caller kills this process at its deadline anyway. So the
verdict `timeout` is the caller's to give.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import answer_values
import answer_words
from answer_choice import content, is_choice, letters
from answer_equal import Comparison, Unreadable
from answer_guard import excess
from answer_numbers import only_number
from answer_shape import Leaf, shape
from answer_text import plain

_GRADER = f"math-verify {version('math-verify')}"
_SHOWN = 300
_LONGEST = 20_000
_SPACES = re.compile(r"[\s{}]")


@dataclass(frozen=True)
class Rule:
    """See `tir_agent.grades.GradingRule`, whose fields these are."""

    kind: str = "auto"
    choices: tuple[str, ...] = ()
    relative: float | None = None
    absolute: float | None = None
    modulo: int | None = None

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Rule:
        """From what JSON makes of the fields."""
        return cls(**{**fields, "choices": tuple(fields.get("choices", ()))})

    @property
    def near(self) -> tuple[float, float] | None:
        """By how much two numbers may differ: of the larger one, and by itself."""
        if self.relative is None and self.absolute is None:
            return None
        return self.relative or 0.0, self.absolute or 0.0


_DEFAULT = Rule()


def grade(answer: str, gold: str, rule: Rule = _DEFAULT) -> dict[str, object]:
    """Compare two answers, without their boxes (either may have one).

    Returns:
        The fields of `tir_agent.grades.Grade`. An answer that cannot be read, although the gold one
        can, is `wrong`: else nonsense would cost a model less than a mistake. `ungradable` says that
        nothing is known: the gold answer cannot be read, one of the two is too complex, or SymPy failed.
    """
    for name, text in (("gold answer", gold), ("answer", answer)):
        if len(text) > _LONGEST:
            return _grade("ungradable", f"The {name} is longer than {_LONGEST} characters")
    answer, gold = plain(answer), plain(gold)
    if rule.kind == "number":
        answer, gold = only_number(answer), only_number(gold)
    if not gold:
        return _grade("ungradable", "There is no gold answer", answer)
    if rule.kind == "choice" or rule.choices or is_choice(gold):
        return _chosen(answer, gold, rule)
    if _SPACES.sub("", answer) == _SPACES.sub("", gold):
        return _grade("correct", "The texts are the same", answer, gold)
    if not answer:
        return _grade("wrong", "There is no answer", answer, gold)
    if rule.kind == "text" or (
        rule.kind != "expression" and answer_words.is_words(answer) and answer_words.is_words(gold)
    ):
        if answer_words.spoken(answer) == answer_words.spoken(gold):
            return _grade("correct", "The words are the same", answer, gold)
        if rule.kind == "text":
            return _grade("wrong", "The words are different", answer, gold)
    return _computed(answer, gold, rule)


def _chosen(answer: str, gold: str, rule: Rule) -> dict[str, object]:
    """By letters; where there are none, the content of a choice stands for its letter."""
    count = len(rule.choices) or None
    wanted, named = letters(gold, count), letters(answer, count)
    if wanted is None and rule.choices:
        wanted = _letter_of(content(gold), rule)
    if named is None and rule.choices:
        named = _letter_of(content(answer), rule)
    if wanted is not None and named is not None:
        verdict = "correct" if wanted == named else "wrong"
        reason = "The same choice" if wanted == named else "Another choice"
        return _grade(verdict, reason, ", ".join(sorted(named)), ", ".join(sorted(wanted)))
    if wanted is None:
        return _computed(answer, gold, rule)
    return _grade("wrong", "The answer names no choice", answer, ", ".join(sorted(wanted)))


def _letter_of(text: str, rule: Rule) -> frozenset[str] | None:
    """The only choice that has this content."""
    found = [
        chr(65 + number)
        for number, choice in enumerate(rule.choices)
        if grade(text, choice, Rule(relative=rule.relative, absolute=rule.absolute))["verdict"] == "correct"
    ]
    return frozenset(found) if len(found) == 1 else None


def _computed(answer: str, gold: str, rule: Rule) -> dict[str, object]:
    for name, text in (("gold answer", gold), ("answer", answer)):
        if reason := excess(text):
            return _grade("ungradable", f"The {name} {reason}", answer, gold)
    x, y = _shown_value(answer), _shown_value(gold)
    if (same := answer_words.same_date(answer, gold)) is not None:
        return _grade("correct" if same else "wrong", "The same date" if same else "Another date", x, y)
    try:
        equal = Comparison(rule.near, rule.modulo, words=rule.kind != "expression").shapes(
            shape(answer), shape(gold)
        )
    except Unreadable as error:
        if y is None or (error.text in gold and error.text not in answer):
            return _grade("ungradable", "The gold answer could not be read", x, y)
        return _grade("wrong", "The answer could not be read", x, y)
    except Exception as error:  # SymPy's failure says nothing about the answer.
        return _grade("ungradable", f"The comparison failed with {type(error).__name__}", x, y)
    return _grade("correct", "Both are equal", x, y) if equal else _grade("wrong", "They differ", x, y)


def _shown_value(text: str) -> object | None:
    """What is shown of a text as it was read; None for one that has no value."""
    found = shape(text)
    if not isinstance(found, Leaf) or answer_words.is_words(text):
        return text
    try:
        value = answer_values.read(found.text)
    except Exception:  # The comparison will say so.
        return None
    return None if value.expression is None else value


def _grade(verdict: str, reason: str, answer: object = None, gold: object = None) -> dict[str, object]:
    return {
        "verdict": verdict,
        "reason": reason,
        "answer_parsed": _shown(answer),
        "gold_parsed": _shown(gold),
        "grader": _GRADER,
    }


def _shown(value: object | None) -> list[str]:
    try:
        return [] if value is None else [str(value)[:_SHOWN]]
    except Exception:  # Some values have more digits than Python prints.
        return [type(value).__name__]
