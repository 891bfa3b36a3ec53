"""What was taken for what in a data set, and why: a record for people to check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tir_agent.settings import GoldForm

__all__ = ["Guess", "Taken"]

_FORMS = {
    GoldForm.PLAIN: "all of it",
    GoldForm.HASHES: "behind ####",
    GoldForm.BOXED: "in the last \\boxed{}",
}


@dataclass(frozen=True)
class Taken:
    """The fields that were taken for one thing."""

    fields: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{' + '.join(self.fields)} ({self.why})"


@dataclass(frozen=True)
class Guess:
    """Which fields are what. None: no field is."""

    text: Taken
    gold: Taken | None = None
    gold_form: GoldForm = GoldForm.PLAIN
    id: Taken | None = None
    subject: Taken | None = None
    level: Taken | None = None
    choices: Taken | None = None
    first_choice: int | None = None
    """The number that stands for A in the gold field; None where numbers there stand for themselves."""

    id_refused: str | None = None
    """Why a field that is called an id is none."""

    def lines(self) -> Iterator[str]:
        """Two or three lines that say all of it."""
        yield f"text: {self.text}"
        if self.gold is None:
            yield "gold: no field looks like the right answer; name one with --field gold=NAME"
        else:
            yield f"gold: {', '.join([*self.gold.fields, self._form()])} ({self.gold.why})"
        rest = {"id": self.id, "subject": self.subject, "level": self.level, "choices": self.choices}
        named = [f"{role}: {' + '.join(taken.fields)}" for role, taken in rest.items() if taken]
        if self.id is None:
            named.insert(0, f"id: made of the text{f' ({self.id_refused})' if self.id_refused else ''}")
        yield "; ".join(named)

    def _form(self) -> str:
        if self.choices is None:
            return _FORMS[self.gold_form]
        if self.first_choice is None:
            return "a choice by letter or content"
        return f"the number of a choice, {self.first_choice} for A"
