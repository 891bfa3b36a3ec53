"""Whether two outputs say the same in mathematics. Runs inside the sandbox, as a cell of its own session.

    equal("[{x: 1/2}]", "[{x: 0.5}]")  ->  True

Covered: expressions as SymPy prints them, and lists, tuples, sets and dicts of them, whatever the order of
the solutions in them; several lines, and a `label:` before an expression. Two expressions are equal if
SymPy says so, or if their values at three points are, up to 1e-8.

Not covered: prose, assumptions of symbols (they are not printed), undefined functions.
"""

from __future__ import annotations

import re
from typing import Any

import sympy
from sympy.parsing.sympy_parser import parse_expr

_POINTS = (1.3127, 2.7391, 0.4173)
_LABEL = re.compile(r"^[A-Za-z][^\[\](){}=:]*[:=] *")


def equal(one: str, other: str) -> bool:
    """Whether both texts, as a whole or line by line, have equal values."""
    if _same(_parsed(one), _parsed(other)):
        return True
    lines, others = one.strip().splitlines(), other.strip().splitlines()
    return len(lines) == len(others) and all(_same_line(a, b) for a, b in zip(lines, others, strict=True))


def _same_line(one: str, other: str) -> bool:
    if one.split() == other.split():
        return True
    label, label_other = _LABEL.match(one), _LABEL.match(other)
    if label and label_other and label[0].strip() == label_other[0].strip():
        one, other = one[label.end() :], other[label_other.end() :]
    return _same(_parsed(one), _parsed(other))


def _parsed(text: str) -> Any:
    text = re.sub(r"\bnp\.\w+\(([^()]*)\)", r"\1", " ".join(text.split()))
    names = {name: sympy.Symbol(name) for name in re.findall(r"\b[A-Za-z_]\w*\b(?!\s*\()", text)}
    for known in ("I", "E", "pi", "oo", "zoo", "nan", "True", "False", "Integers", "Reals", "Complexes"):
        names.pop(known, None)
    try:
        return parse_expr(text, local_dict=names, evaluate=True)
    except Exception:
        return None


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return _same_members(list(one.items()), list(other.items()))
    if isinstance(one, (tuple, list, set, sympy.Tuple)) and isinstance(
        other, (tuple, list, set, sympy.Tuple)
    ):
        return type(one) is type(other) and _same_members(list(one), list(other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    try:
        return bool(one == other) or _same_value(one, other)
    except Exception:
        return False


def _same_members(one: list[Any], other: list[Any]) -> bool:
    """The same members, each found once; in their places first, as is the rule."""
    rest = list(other)
    for member in one:
        for index, candidate in enumerate(rest):
            if _same(member, candidate):
                del rest[index]
                break
        else:
            return False
    return not rest


def _same_value(one: Any, other: Any) -> bool:
    if isinstance(one, sympy.logic.boolalg.Boolean) or isinstance(other, sympy.logic.boolalg.Boolean):
        return type(one) is type(other) and _same_members(list(one.args), list(other.args)) and bool(one.args)
    if isinstance(one, sympy.Set) or isinstance(other, sympy.Set):
        return bool(sympy.simplify(one) == sympy.simplify(other))
    if isinstance(one, sympy.MatrixBase) or isinstance(other, sympy.MatrixBase):
        return one.shape == other.shape and all(map(_same, one, other))
    return _same_numbers(sympy.sympify(one), sympy.sympify(other))


def _same_numbers(one: Any, other: Any) -> bool:
    """Whether both have the same value at every point."""
    symbols = sorted(one.free_symbols | other.free_symbols, key=str)
    for shift, _ in enumerate(_POINTS):
        point = {symbol: _POINTS[(shift + i) % 3] + i / 7 for i, symbol in enumerate(symbols)}
        a, b = complex(one.subs(point).evalf()), complex(other.subs(point).evalf())
        if not (abs(a - b) <= 1e-8 * max(abs(a), abs(b)) or max(abs(a), abs(b)) < 1e-12):
            return False
    return True
