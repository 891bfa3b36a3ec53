r"""Numbers and expressions: read by Math-Verify's parser, compared by value.

An expression with variables is compared at a handful of fixed points, which is exact enough to tell any
two formulas that people write apart, cannot hang as simplification can, and is the same in each direction.
Math-Verify's own comparison is asked for what has no values: logic, sets of sets, functions.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from answer_numbers import number_of
from answer_units import Unit, without_unit
from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig, parse, verify

# Its one warning says that its time-outs are off.
logging.getLogger("math_verify").setLevel(logging.ERROR)

# Units are taken off before: Math-Verify takes any `t`, `h` or `d` for one, also that of `2x + 3t`.
_NORMALIZATION = NormalizationConfig(basic_latex=True, malformed_operators=True, nits=True, units=False)
_READER = [
    LatexExtractionConfig(
        try_extract_without_anchor=False, boxed_match_priority=0, normalization_config=_NORMALIZATION
    )
]

ROUNDING = Fraction(1, 2_000_000)
"""A decimal stands for what differs by half a unit of its sixth place, as with Math-Verify, ..."""
RELATIVE = Fraction(1, 10_000)
"""... but for nothing that differs by so much of it: else all small numbers were equal."""
_DIGITS = 40
_ZERO = sympy.Float(10) ** -25
_POINTS = (
    "0.7310585",
    "1.3862944",
    "2.2360681",
    "-0.5772157",
    "0.1303955",
    "-1.6449341",
    "3.3166248",
    "5.1961524",
)
_ENOUGH = 3

_BASE = re.compile(r"(-?(?:\d[0-9A-Fa-f]*|[0-9A-Fa-f]+(?=_\{?1[1-6]\}?$)))_\{? ?(\w+) ?\}?")
_NAMES = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_BASES = {name: number for number, name in enumerate(_NAMES.split(), 2)}
_COMPOUND = re.compile(r"(\d+ ?[A-Za-z\u4e00-\u9fff]+)(?: and |,)? ?(\d+(?:\.\d+)? ?[A-Za-z\u4e00-\u9fff]+)")
_PERCENT = re.compile(r" ?(?:\\?%|percent|per cent)$")
_DEGREES = re.compile(r"(\d+(?:\.\d+)?) ?\^\\circ ?")
_UPPER = re.compile(
    r"\\(?:overline|vec|hat|bar|mathbb|overrightarrow) ?\{[^{}]*\}|\\[A-Za-z]+|_\{[^{}]*\}|_\w|\^T"
    r"|([A-Z])(?:_\{?(\w+)\}?)?(?!_|')"
)


@dataclass(frozen=True)
class Value:
    """What a text stands for."""

    text: str
    expression: Any
    """A Fraction, or what Math-Verify read; None if nothing could be."""
    unit: Unit | None = None
    percent: bool = False
    base: int | str | None = None
    decimal: bool = False
    """Whether it is written with a decimal point, hence possibly rounded."""

    def __str__(self) -> str:
        shown = str(self.expression) + ("%" if self.percent else "")
        return f"{shown} {self.unit.name}" if self.unit else shown


def read(text: str) -> Value:
    """What the text, in one spelling, stands for. Raises nothing but what SymPy's constructors raise."""
    if (compound := _compound(text.strip())) is not None:
        return compound
    value, unit = without_unit(text.strip())
    percent = _PERCENT.search(value) is not None
    value = _PERCENT.sub("", value)
    if match := _BASE.fullmatch(value):
        value, name = match[1], match[2]
        base: int | str = _BASES.get(name.lower(), int(name[:3]) if name.isdecimal() else name)
        # A base says how to read the digits, and belongs to what was asked: 12_8 is not 10.
        return Value(text, _digits(value, base), base=base)
    decimal = re.search(r"\d?\.\d", value) is not None
    number = number_of(value)
    return Value(text, _parsed(value) if number is None else number, unit, percent, None, decimal)


def _compound(text: str) -> Value | None:
    """`5 hours 30 minutes`: two units of one kind, the larger one first."""
    match = _COMPOUND.fullmatch(text)
    if match is None:
        return None
    (first, unit), (second, smaller) = without_unit(match[1]), without_unit(match[2])
    x, y = number_of(first), number_of(second)
    if x is None or y is None or unit is None or smaller is None or unit.dimension != smaller.dimension:
        return None
    return Value(text, x + y * smaller.factor / unit.factor, unit) if unit.factor > smaller.factor else None


def _digits(text: str, base: int | str) -> Fraction | None:
    try:
        return Fraction(int(text, int(base)))
    except ValueError:
        return None


def _parsed(text: str) -> Any:
    if not text or not re.search(r"[\w]", text):
        return None
    text = _DEGREES.sub(lambda match: rf"(\frac{{{match[1]}\pi}}{{180}})", text)
    # Math-Verify folds the case: A and a would be one variable.
    text = _UPPER.sub(_other_name, text)
    found = parse(f"\\boxed{{{text}}}", _READER, fallback_mode="no_fallback", parsing_timeout=None)
    if not found or isinstance(found[0], str):
        return None
    return _exact(found[0])


def _other_name(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    # The parser takes any e for Euler's number.
    letter = "q" if match[1] == "E" else match[1].lower()
    return f"{letter}_{{90{match[2] or ''}}}"


def _exact(expression: Any) -> Any:
    """With decimals as fractions, and `i` as the imaginary unit."""
    if not isinstance(expression, sympy.Basic):
        return expression
    changes: dict[Any, Any] = {one: sympy.Rational(str(one)) for one in expression.atoms(sympy.Float)}
    # The derivative of a mere letter is not zero: it stands for a function.
    changes |= {
        one: sympy.Symbol(str(one))
        for one in expression.atoms(sympy.Derivative)
        if one.expr.is_Symbol and one.expr not in one.variables
    }
    changes |= {one: sympy.I for one in expression.free_symbols if getattr(one, "name", "") == "i"}
    return expression.xreplace(changes) if changes else expression


def same(a: Any, b: Any, *, rounded: bool = False, near: tuple[float, float] | None = None) -> bool:
    """Whether two expressions have the same value.

    `rounded`: one of them is a decimal. `near`: they may differ by (so much of the larger one, so much).
    """
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return _close(a - b, max(abs(a), abs(b)), rounded, near)
    x, y = _sympified(a), _sympified(b)
    if x == y:
        return x is not sympy.nan and x is not sympy.zoo
    if not (isinstance(x, sympy.Expr) and isinstance(y, sympy.Expr)):
        return _verified(x, y)
    if x.free_symbols or y.free_symbols:
        return _same_everywhere(x, y)
    return _same_number(x, y, rounded, near)


def _sympified(value: Any) -> Any:
    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    return value


def _close(difference: Any, size: Any, rounded: bool, near: tuple[float, float] | None) -> bool:
    if difference == 0:
        return True
    if near is not None and abs(difference) <= max(near[0] * size, near[1]) * (1 + 1e-12):
        return True
    return bool(rounded and abs(difference) <= ROUNDING and (abs(difference) <= RELATIVE * size))


def _same_number(x: Any, y: Any, rounded: bool, near: tuple[float, float] | None) -> bool:
    infinite = {sympy.oo, -sympy.oo, sympy.zoo, sympy.nan}
    if x in infinite or y in infinite:
        return False
    if not x.has(sympy.Sum, sympy.Product, sympy.Integral, sympy.Limit, sympy.Derivative):
        x, y = x.doit(), y.doit()
    if x.is_Rational and y.is_Rational:
        return _close(x - y, max(abs(x), abs(y)), rounded, near)
    a, b = sympy.N(x, _DIGITS), sympy.N(y, _DIGITS)
    if not (a.is_number and b.is_number and a.is_finite and b.is_finite):
        return _verified(x, y)
    size = max(abs(a), abs(b))
    if abs(a - b) > _ZERO * max(size, 1):
        return _close(abs(a - b), size, rounded, near)
    if size > 10**20:
        return bool((x - y).equals(0))
    return True


def _same_everywhere(x: Any, y: Any) -> bool:
    """Agreement at all of the fixed points where both are real (or complex, if they say so)."""
    if x.atoms(sympy.core.function.AppliedUndef) or y.atoms(sympy.core.function.AppliedUndef):
        return _verified(x, y)
    x, y = x.doit(), y.doit()
    x, y = _sympified(x), _sympified(y)
    if not (isinstance(x, sympy.Expr) and isinstance(y, sympy.Expr)):
        return _verified(x, y)
    symbols = sorted({one.name for one in x.free_symbols | y.free_symbols})
    imaginary = x.has(sympy.I) or y.has(sympy.I)
    agreed = 0
    for number in range(len(_POINTS)):
        point = {
            name: sympy.Rational(_POINTS[(number + 3 * index) % len(_POINTS)]) + index
            for index, name in enumerate(symbols)
        }
        a, b = (sympy.N(_at(one, point), _DIGITS) for one in (x, y))
        if not (_is_value(a) and _is_value(b)) or not (imaginary or (a.is_real and b.is_real)):
            # Defined on one side alone: another function, unless only by a choice of branches.
            continue
        if abs(a - b) > _ZERO * max(abs(a), abs(b), 1):
            return False
        agreed += 1
    return agreed >= _ENOUGH or (agreed == 0 and _verified(x, y)) or _verified_integers(x, y, symbols)


def _at(expression: Any, point: dict[str, Any]) -> Any:
    return expression.xreplace({one: point[one.name] for one in expression.free_symbols})


def _is_value(value: Any) -> bool:
    return bool(value.is_number and value.is_finite) and not value.has(sympy.nan)


def _verified_integers(x: Any, y: Any, symbols: list[str]) -> bool:
    """For formulas that have values at whole numbers only, such as (-1)^n."""
    for number in range(3, 9):
        point = {name: sympy.Integer(number + 2 * index) for index, name in enumerate(symbols)}
        a, b = (sympy.N(_at(one, point), _DIGITS) for one in (x, y))
        if not (_is_value(a) and _is_value(b)) or abs(a - b) > _ZERO * max(abs(a), abs(b), 1):
            return False
    return True


def _verified(x: Any, y: Any) -> bool:
    """As Math-Verify sees it, in one direction or the other."""
    return any(
        verify(one, other, allow_set_relation_comp=True, timeout_seconds=None, raise_on_error=True)
        for one, other in ((x, y), (y, x))
    )


def same_equation(left: Any, right: Any, other_left: Any, other_right: Any) -> bool:
    """Whether one is a multiple of the other, as `y = 2x + 1` is of `4x - 2y + 2 = 0`."""
    try:
        x, y = (_sympified(a) - _sympified(b) for a, b in ((left, right), (other_left, other_right)))
    except TypeError:
        return False
    x, y = (one.doit() for one in (x, y))
    if not x.free_symbols or not y.free_symbols or x.free_symbols != y.free_symbols:
        return False
    names = sorted(one.name for one in x.free_symbols)
    ratios = []
    for number in range(len(_POINTS)):
        point = {
            name: sympy.Rational(_POINTS[(number + 3 * index) % len(_POINTS)]) + index
            for index, name in enumerate(names)
        }
        a, b = (sympy.N(_at(one, point), _DIGITS) for one in (x, y))
        if _is_value(a) and _is_value(b) and abs(a) > _ZERO and abs(b) > _ZERO:
            ratios.append(a / b)
    return len(ratios) >= _ENOUGH and all(abs(one - ratios[0]) <= _ZERO * abs(ratios[0]) for one in ratios)


def same_modulo(a: Any, b: Any, modulo: int) -> bool | None:
    """Whether two integers leave the same remainder; None if they are not both integers."""
    x, y = _sympified(a), _sympified(b)
    if not (isinstance(x, sympy.Expr) and isinstance(y, sympy.Expr)):
        return None
    x, y = x.doit(), y.doit()
    return bool((x - y) % modulo == 0) if x.is_Integer and y.is_Integer else None


def scaled(expression: Any, factor: Fraction) -> Any:
    """So many times its value."""
    if isinstance(expression, Fraction):
        return expression * factor
    return expression * _sympified(factor) if isinstance(expression, sympy.Expr) else expression


def hundredth(expression: Any) -> Any:
    """A per cent of it."""
    return scaled(expression, Fraction(1, 100))


def in_radians(expression: Any) -> Any:
    """The angle that so many degrees are."""
    return _sympified(expression) * sympy.pi / 180
