"""Conditions on problems: `level>=4`, `subject=Algebra`, `text~train|bus`.

A condition is a field, one of `= != < <= > >= ~`, and a value. The field is one of the data set's own
(dotted, where it lies inside another) or, where it has none of that name, the problem's `id`, `text`,
`gold`, `subject`, `level` or `source`. Two numbers are compared as numbers, and `Level 5` is one beside a
number. `null` is a field without a value; no other condition holds of one but `!=`. `~` searches a
regular expression of Python's: it is the user's own, over texts that are cut to a bounded length.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tir_agent.errors import DataError
from tir_agent.problems.rows import Fields
from tir_agent.problems.values import ABSENT, Absent, look, number_of, text_of
from tir_agent.trajectory import Problem

__all__ = ["Filter", "parse_filter"]

_OPERATOR: Final = re.compile(r"!=|<=|>=|==|=|<|>|~")
_ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OF_PROBLEMS: Final = ("id", "text", "gold", "subject", "level", "source")
_PATTERN: Final = 500
_SEARCHED: Final = 100_000
"""Characters of a text that a regular expression sees."""
_NULL: Final = "null"


@dataclass(frozen=True)
class Filter:
    """One condition."""

    written: str
    field: str
    sign: str
    value: str
    pattern: re.Pattern[str] | None = None

    def applies(self, fields: Fields) -> bool:
        """Whether there is such a field, be it null."""
        return self.field in _OF_PROBLEMS or look(fields, self.field) is not ABSENT

    def holds(self, problem: Problem, fields: Fields) -> bool:
        """Whether the condition holds. A list holds it where one of its values does."""
        found = look(fields, self.field)
        if isinstance(found, Absent):
            own = problem.model_dump(include=set(_OF_PROBLEMS))
            found = own.get(self.field)
        if self.sign == "!=":
            return not self._equal(found)
        if self.sign == "=":
            return self._equal(found)
        return any(self._compares(text) for text in _texts(found))

    def _equal(self, found: object) -> bool:
        texts = _texts(found)
        if self.value == _NULL:
            return not texts
        number = number_of(self.value)
        return any(text == self.value or (number is not None and number == number_of(text)) for text in texts)

    def _compares(self, text: str) -> bool:
        if self.pattern is not None:
            return self.pattern.search(text[:_SEARCHED]) is not None
        mine, other = number_of(text), number_of(self.value)
        return mine is not None and other is not None and _ORDER[self.sign](mine, other)

    def unknown(self, names: Sequence[str]) -> DataError:
        """The error of a field that no row has."""
        return _refused(
            f"There is no field {self.field!r}",
            self.written,
            self.written.find(self.field),
            len(self.field),
            hint=f"The fields are: {', '.join(names)}; and of every problem: {', '.join(_OF_PROBLEMS)}",
        )


def _texts(found: object) -> list[str]:
    items = found if isinstance(found, list | tuple) else [found]
    return [text for item in items if (text := text_of(item)) is not None]


def parse_filter(written: str) -> Filter:
    """A condition from its text.

    Raises:
        DataError: it is none; the message points at the place.
    """
    sign = _OPERATOR.search(written)
    field = written[: sign.start()].strip() if sign else ""
    if sign is None:
        raise _refused("A filter needs one of = != < <= > >= ~", written, len(written), 1)
    if not field:
        raise _refused("A filter begins with a field", written, 0, 1)
    start = sign.end()
    value = written[start:].strip()
    name = "=" if sign[0] == "==" else sign[0]
    if not value:
        raise _refused("A filter ends with a value", written, len(written), 1)
    if name in _ORDER and number_of(value) is None:
        raise _refused(
            f"{name} compares numbers, and this is none", written, written.find(value, start), len(value)
        )
    return Filter(written, field, name, value, _pattern(value, written, start) if name == "~" else None)


def _pattern(value: str, written: str, start: int) -> re.Pattern[str]:
    place = written.find(value, start)
    if len(value) > _PATTERN:
        raise _refused(
            f"The regular expression is longer than {_PATTERN} characters", written[:60], place, 60 - place
        )
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        offset = error.pos if isinstance(error, re.error) and error.pos is not None else 0
        said = error.msg if isinstance(error, re.error) else "it is too large"
        raise _refused(f"This is no regular expression: {said}", written, place + offset, 1) from None


def _refused(said: str, written: str, place: int, length: int, hint: str | None = None) -> DataError:
    return DataError(
        f"{said}\n  {written}\n  {' ' * place}{'^' * length}",
        hint=hint or "A filter is written as in level>=4, subject=Algebra or text~train",
    )
