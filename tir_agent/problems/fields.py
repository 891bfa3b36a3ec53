"""Which field of a data set is what: guessed from names and contents, unless the user says it.

Names are compared without case and punctuation (`final_answer` is `finalAnswer`). Of several that fit,
the one nearest to the row's surface is taken, then the one that stands first in `names.py`. For the
gold answer a field that is the answer itself goes before one that ends with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tir_agent.errors import DataError
from tir_agent.problems import names
from tir_agent.problems.choices import LETTERS, choices_in
from tir_agent.problems.golds import form_of
from tir_agent.problems.guess import Guess, Taken
from tir_agent.problems.rows import Row
from tir_agent.problems.values import ABSENT, look, paths_in, spoken, text_of
from tir_agent.settings import FieldMap, GoldForm

__all__ = ["guess_fields"]

_LONG: Final = 200
"""Characters. A field of answers most of which are longer holds solutions."""
_PUNCTUATION: Final = re.compile(r"[\W_]+")
_SHOWN: Final = 30
_BY_NAME: Final = "by its name"
_GIVEN: Final = "named by you"


def guess_fields(sample: Sequence[Row], given: FieldMap) -> Guess:
    """What the fields of these rows are.

    Raises:
        DataError: no field looks like the problem's text, or a field that `given` names is in no row.
    """
    columns = _Columns(sample)
    for role, given_names in given.model_dump(exclude={"gold_form"}, exclude_none=True).items():
        for name in (given_names,) if isinstance(given_names, str) else given_names:
            columns.check(role, name)
    choices = _choices(columns, given)
    gold, form = _gold(columns, given, choices)
    return Guess(
        text=_text(columns, given),
        gold=gold,
        gold_form=form,
        id=_named(given.id) or columns.scalar(names.IDS),
        subject=_named(given.subject) or columns.scalar(names.SUBJECTS),
        level=_named(given.level) or columns.scalar(names.LEVELS),
        choices=choices,
        first_choice=_first_choice(columns, gold, choices),
    )


class _Columns:
    """The values of each field, nulls left out."""

    def __init__(self, sample: Sequence[Row]) -> None:
        self._rows = sample
        self.values: dict[str, list[object]] = {}
        for row in sample:
            for path, value in paths_in(row.fields):
                column = self.values.setdefault(path, [])
                if value is not None and value != "":
                    column.append(value)
        self._plain = {path: _PUNCTUATION.sub("", _last(path)).casefold() for path in self.values}

    def check(self, role: str, path: str) -> None:
        if all(look(row.fields, path) is ABSENT for row in self._rows):
            raise DataError(f"There is no field {path!r}, named for the {role}", hint=self.listing())

    def listing(self) -> str:
        shown = [path for path, values in self.values.items() if values] or list(self.values)
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        return f"The fields are: {', '.join(shown[:_SHOWN])}{more}"

    def called(self, wanted: Iterable[str]) -> Iterator[str]:
        """Fields of these names that hold something: those near the surface first, then in their order."""
        ranks = {name: rank for rank, name in enumerate(wanted)}
        found = [path for path, name in self._plain.items() if name in ranks and self.values[path]]
        yield from sorted(found, key=lambda path: (path.count("."), ranks[self._plain[path]]))

    def at(self, path: str) -> list[object]:
        """The values of a field, also of one that the guessing has not looked at."""
        if path in self.values:
            return self.values[path]
        found = (look(row.fields, path) for row in self._rows)
        return [value for value in found if value is not ABSENT and value is not None]

    def scalar(self, wanted: Iterable[str]) -> Taken | None:
        for path in self.called(wanted):
            if all(isinstance(value, str | int | float) for value in self.values[path]):
                return Taken((path,), _BY_NAME)
        return None

    def goes_with(self, path: str, other: str) -> bool:
        """Whether two fields stand side by side, and the first holds nothing but texts."""
        near = path.rpartition(".")[0] == other.rpartition(".")[0]
        return near and all(isinstance(value, str) for value in self.values[path])

    def most(self, values: Sequence[object]) -> bool:
        return 2 * len(values) >= len(self._rows)


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _named(name: str | None) -> Taken | None:
    return None if name is None else Taken((name,), _GIVEN)


def _text(columns: _Columns, given: FieldMap) -> Taken:
    if given.text:
        return Taken(given.text, _GIVEN)
    for path in columns.called(names.TEXTS):
        values = columns.values[path]
        spelled = [value for value in values if isinstance(value, str)]
        if columns.most(spelled):
            before = [other for other in columns.called(names.BEFORE) if columns.goes_with(other, path)]
            if _last(path).casefold() == "instruction":
                return Taken((path, *_beside(columns, path, "input")), _BY_NAME)
            return Taken((*before, path), "by their names" if before else _BY_NAME)
        if columns.most([value for value in values if spoken(value, "user")]):
            return Taken((path,), "a user's message in it")
    raise DataError(
        "No field looks like the text of a problem",
        hint=f"{columns.listing()}. Name one: --field text=NAME",
    )


def _beside(columns: _Columns, path: str, name: str) -> tuple[str, ...]:
    other = f"{path[: -len(_last(path))]}{name}"
    return (other,) if columns.values.get(other) else ()


def _gold(columns: _Columns, given: FieldMap, choices: Taken | None) -> tuple[Taken | None, GoldForm]:
    if given.gold is not None:
        form, count = form_of(columns.at(given.gold))
        if given.gold_form is not GoldForm.AUTO:
            return Taken((given.gold,), _GIVEN), given.gold_form
        return Taken((given.gold,), _why(_GIVEN, form, count, columns, given.gold)), form
    answers, labels = list(columns.called(names.ANSWERS)), list(columns.called(names.LABELS))
    solutions = list(columns.called(names.SOLUTIONS))
    # A field that is the answer goes before one that ends with it, and a label, which may be anything,
    # last, unless it may be the letter of a choice.
    attempts = [(answers, True), (answers, False), (solutions, False), (labels, True), (solutions, True)]
    if choices is not None:
        attempts.insert(1, (labels, True))
    for paths, plain in attempts:
        for path in paths:
            form, count = form_of(columns.values[path])
            if (form is GoldForm.PLAIN) is not plain or given.gold_form not in {GoldForm.AUTO, form}:
                continue
            if not plain or _short(columns.values[path]):
                return Taken((path,), _why(_BY_NAME, form, count, columns, path)), form
    return None, GoldForm.PLAIN


def _short(values: Sequence[object]) -> bool:
    texts = [text_of(value) for value in values]
    short = [text for text in texts if text is not None and len(text) <= _LONG]
    return bool(short) and 2 * len(short) >= len(values) and not all(isinstance(v, bool) for v in values)


def _why(reason: str, form: GoldForm, count: int, columns: _Columns, path: str) -> str:
    if form is GoldForm.PLAIN:
        return reason
    return f"{reason}, and so in {count} of the first {len(columns.at(path))}"


def _choices(columns: _Columns, given: FieldMap) -> Taken | None:
    if given.choices:
        return Taken(given.choices, _GIVEN)
    for path in columns.called(names.CHOICES):
        if any(choices_in([value]) for value in columns.values[path]):
            return Taken((path,), _BY_NAME)
    for pattern in names.LETTER_FIELDS:
        fields: list[str] = []
        for letter in LETTERS:
            field = next(columns.called([pattern.format(letter.casefold())]), None)
            if field is None or "." in field:
                break
            fields.append(field)
        if len(fields) > 2:
            return Taken(tuple(fields), "by their names")
    return None


def _first_choice(columns: _Columns, gold: Taken | None, choices: Taken | None) -> int | None:
    """0 or 1, if all golds are numbers of choices counted from there."""
    if gold is None or choices is None:
        return None
    values = [text_of(value) or "" for value in columns.at(gold.fields[0])]
    if not values or not all(text.isascii() and text.isdigit() and len(text) < 3 for text in values):
        return None
    if len(choices.fields) > 1:
        most = len(choices.fields)
    else:
        found = (choices_in([value]) for value in columns.at(choices.fields[0]))
        most = max((len(each.contents) for each in found if each is not None), default=0)
    numbers = [int(text) for text in values]
    if max(numbers) < most:
        return 0
    return 1 if max(numbers) == most and min(numbers) > 0 else None
