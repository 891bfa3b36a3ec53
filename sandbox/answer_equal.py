r"""Whether two answers are the same, part by part. Each rule here reads the same from either side."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import answer_values
import answer_words
from answer_shape import Equation, Leaf, Many, Matrix, Order, Piece, Region, Shape, as_interval, shape
from answer_values import Value

_IN_ORDER = frozenset([Order.PARTS, Order.TUPLE])
_ANY_ORDER = frozenset([Order.LIST, Order.SET])
_SAME_ARCS = re.compile(r"[\s{}]")


class Unreadable(Exception):
    """A part has no value. `text` is the part."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True)
class Comparison:
    """How numbers are compared: see `tir_agent.grades.GradingRule`."""

    near: tuple[float, float] | None = None
    modulo: int | None = None
    words: bool = True
    """Whether letters may be words."""

    def shapes(self, a: Shape, b: Shape) -> bool:
        """Raises Unreadable if one of the two has a part without a value, and it matters."""
        a, b = _single(a), _single(b)
        if isinstance(a, Leaf) and isinstance(b, Leaf):
            return self.leaves(a.text, b.text)
        for x, y, turned in ((a, b, False), (b, a, True)):
            found = self._mixed(x, y, turned)
            if found is not None:
                return found
        return False

    def _mixed(self, x: Shape, y: Shape, turned: bool) -> bool | None:
        """By the kind of the first; None where the second's kind decides."""
        both: Callable[[Shape, Shape], bool] = self.shapes
        match x, y:
            case Region(), Region():
                return self._regions(x, y)
            case Region(), _:
                interval = as_interval(y)
                return self._regions(x, interval) if interval else _none_of(x, y)
            case Many(parts=()), Leaf():
                return answer_words.spoken(y.text) == answer_words.spoken(r"\emptyset")
            case Many(order=Order.LIST), Leaf():
                # The same thing said twice: `1/2 or 0.5`.
                return len(x.parts) > 0 and all(both(part, y) for part in x.parts)
            case Matrix(), Matrix():
                return [len(row) for row in x.rows] == [len(row) for row in y.rows] and all(
                    both(a, b)
                    for one, other in zip(x.rows, y.rows, strict=True)
                    for a, b in zip(one, other, strict=True)
                )
            case Matrix(), Many():
                cells = _vector(x)
                return y.order in _IN_ORDER and cells is not None and self._in_order(cells, y.parts)
            case Many(), Many():
                return self._collections(x, y)
            case Equation(), Equation():
                return self._equations(x, y)
            case Equation(), Matrix() | Leaf():
                return self._defined(x, y)
            case Equation(), Many():
                return self._defined(x, y)
        return None

    def _collections(self, a: Many, b: Many) -> bool:
        names, others = _names(a), _names(b)
        if names and others and set(names) == set(others) and len(set(names)) == len(names):
            values = dict(zip(others, b.parts, strict=True))
            return all(self.shapes(x, values[name]) for name, x in zip(names, a.parts, strict=True))
        if names and others and set(names) == set(others) and len(set(names)) == 1:
            return self._unordered(a.parts, b.parts)
        if (names is None) != (others is None):
            named, bare = (a, b) if names else (b, a)
            known = names or others or []
            values_of = tuple(shape(part.right) for part in named.parts if isinstance(part, Equation))
            if len(set(known)) == 1:
                return self._collections(Many(named.order, values_of), bare)
            return bare.order is not Order.SET and self._in_order(values_of, bare.parts)
        if {a.order, b.order} <= _ANY_ORDER:
            return self._unordered(a.parts, b.parts)
        if Order.SET in (a.order, b.order):
            return False
        return self._in_order(a.parts, b.parts)

    def _in_order(self, a: Sequence[Shape], b: Sequence[Shape]) -> bool:
        return len(a) == len(b) and all(self.shapes(x, y) for x, y in zip(a, b, strict=True))

    def _unordered(self, a: Sequence[Shape], b: Sequence[Shape]) -> bool:
        """Each part of one has its match in the other; equal parts count once."""
        return all(any(self._tried(x, y) for y in b) for x in a) and all(
            any(self._tried(x, y) for x in a) for y in b
        )

    def _tried(self, a: Shape, b: Shape) -> bool:
        return self.shapes(a, b)

    def _regions(self, a: Region, b: Region) -> bool:
        if a.name is not None and b.name is not None and a.name != b.name:
            return False
        return len(a.pieces) == len(b.pieces) and all(
            any(self._pieces(x, y) for y in b.pieces) for x in a.pieces
        )

    def _pieces(self, a: Piece, b: Piece) -> bool:
        return (
            (_open(a.low, a.low_open), _open(a.high, a.high_open))
            == (_open(b.low, b.low_open), _open(b.high, b.high_open))
            and self.leaves(a.low, b.low)
            and self.leaves(a.high, b.high)
        )

    def _equations(self, a: Equation, b: Equation) -> bool:
        if a.name is not None and a.name == b.name:
            return self.shapes(shape(a.right), shape(b.right))
        sides = [answer_values.read(side).expression for one in (a, b) for side in (one.left, one.right)]
        if any(side is None for side in sides):
            return False
        return answer_values.same_equation(sides[0], sides[1], sides[2], sides[3])

    def _defined(self, equation: Equation, value: Shape) -> bool:
        """`x = 5` against `5`, `3 + 4 = 7` against 7; but `2x + z = 1` is not 1."""
        turned = Equation(equation.right, equation.left)
        if equation.name is None and turned.name is not None:
            equation = turned
        elif equation.name is None and not _is_number(equation.left):
            return False
        return self.shapes(shape(equation.right), value)

    def leaves(self, a: str, b: str) -> bool:
        """Raises Unreadable if one of the two has no value."""
        a, b = answer_words.numeral(a), answer_words.numeral(b)
        if _SAME_ARCS.sub("", a) == _SAME_ARCS.sub("", b):
            return True
        if self.words and (found := _spoken(a, b)) is not None:
            return found
        x, y = answer_values.read(a), answer_values.read(b)
        for value in (x, y):
            if value.expression is None:
                raise Unreadable(value.text)
        return self.values(x, y)

    def values(self, x: Value, y: Value) -> bool:
        """Whether two values that could be read are the same."""
        if x.base != y.base:
            return False
        near, rounded = self.near, x.decimal or y.decimal
        if (
            self.modulo is not None
            and (found := answer_values.same_modulo(x.expression, y.expression, self.modulo)) is not None
        ):
            return found
        if x.unit and y.unit:
            if x.unit.dimension != y.unit.dimension:
                return _angles(x, y)
            scaled = [
                answer_values.scaled(one.expression, one.unit.factor / x.unit.factor)
                for one in (x, y)
                if one.unit
            ]
            return answer_values.same(scaled[0], scaled[1], rounded=rounded, near=near)
        forms = [(x.expression, y.expression)]
        # "What percentage" leaves open whether the sign belongs to the answer, so 50% is 50 and 0.5.
        if x.percent != y.percent:
            forms.append(
                (answer_values.hundredth(x.expression), y.expression)
                if x.percent
                else (x.expression, answer_values.hundredth(y.expression))
            )
        if any(answer_values.same(one, other, rounded=rounded, near=near) for one, other in forms):
            return True
        return _angles(x, y)


def _angles(x: Value, y: Value) -> bool:
    """Degrees against radians; a number without a unit is radians where it has a pi."""
    for one, other in ((x, y), (y, x)):
        if _is_unit(one, "angle") and (
            _is_unit(other, "radian") or (other.unit is None and r"\pi" in other.text)
        ):
            return answer_values.same(answer_values.in_radians(one.expression), other.expression)
    return False


def _is_unit(value: Value, dimension: str) -> bool:
    return value.unit is not None and value.unit.dimension == ((dimension, 1),)


def _spoken(a: str, b: str) -> bool | None:
    """As words, times or dates; None if they are neither."""
    if answer_words.is_clock(a) or answer_words.is_clock(b):
        return answer_words.same_time(a, b)
    if answer_words.is_digital(a) and answer_words.is_digital(b):
        return False
    if (same := answer_words.same_date(a, b)) is not None:
        return same
    if answer_words.is_words(a) or answer_words.is_words(b):
        return answer_words.spoken(a) == answer_words.spoken(b)
    # Names of points, whatever their case; but `a` and `A` are two variables.
    return True if len(a) > 1 and a.isalpha() and a.casefold() == b.casefold() else None


def _single(found: Shape) -> Shape:
    """`{5}` is 5; a matrix of one cell is that cell."""
    if isinstance(found, Many) and len(found.parts) == 1:
        return found.parts[0]
    if isinstance(found, Matrix) and [len(row) for row in found.rows] == [1]:
        return found.rows[0][0]
    return found


def _none_of(region: Region, other: Shape) -> bool | None:
    return (
        False if isinstance(other, Many | Matrix | Equation | Leaf) and not isinstance(other, Leaf) else None
    )


def _names(found: Many) -> list[str] | None:
    """The names, if every part has one."""
    names = [part.name for part in found.parts if isinstance(part, Equation) and part.name]
    return names if names and len(names) == len(found.parts) else None


def _vector(matrix: Matrix) -> Sequence[Shape] | None:
    """The cells of a single row or column."""
    if len(matrix.rows) == 1:
        return matrix.rows[0]
    return [row[0] for row in matrix.rows] if all(len(row) == 1 for row in matrix.rows) else None


def _open(end: str, is_open: bool) -> bool:
    # Nothing is at infinity, so it makes no difference.
    return True if r"\infty" in end else is_open


def _is_number(text: str) -> bool:
    return re.search(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", "", text)) is None
