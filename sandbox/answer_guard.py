r"""What would keep SymPy busy for ever, told from the text alone. The deadline is the second sieve.

Limits: length, depth of brackets, exponents, towers of them, factorials, binomials, long sums and products,
repeated integrals, high derivatives, and the number of functions and digits.
"""

from __future__ import annotations

import re

_MAX_LENGTH = 1000
_MAX_DEPTH = 40
_MAX_EXPONENT = 10_000
_MAX_DIGITS = 600
_MAX_FACTORIAL = 9999
_MAX_TERMS = 10_000
_MAX_ORDER = 20
_MAX_FUNCTIONS = 12

_OPENED_POWER = re.compile(r"\^[\s{(+-]*")
_TOWER = re.compile(r"(?:\^\d+)+")
_PRODUCT_POWER = re.compile(r"\^[\s{(+-]*[\d.]+ ?(?:\\cdot|\\times) ?\d+\^")
_DIGITS = re.compile(rf"\d{{{_MAX_DIGITS},}}")
_FACTORIAL = re.compile(r"(\d+)[\s)}\]]*!")
_FACTORIALS = re.compile(r"![\s)}\]]*!")
_POWER_FACTORIAL = re.compile(r"\^[^!+\-]{0,20}\d[)}\]]*!|\^\{?\(?\d+[)}]*[)}\]]+!")
_BINOMIAL = re.compile(r"\\[dt]?binom ?\{?([^{}]{0,30})\}? ?\{?(\d*)")
_SERIES = re.compile(r"\\(?:sum|prod)")
_LONG_SERIES = re.compile(r"\\(?:sum|prod)[^^]{0,60}\^ ?(?:\{([^{}]*)\}|(\d))")
_PRODUCT_OF_MANY = re.compile(r"\\prod[^^]{0,60}\^ ?\{? ?\\infty")
_INTEGRAL = re.compile(r"\\i*int(?![A-Za-z])")
_ORDER = re.compile(r"(?:d|\\partial ?)\^ ?\{? ?(\d+)")
_FUNCTION = re.compile(
    r"\\(?:sin|cos|tan|cot|sec|csc|arc[a-z]+|log|ln|exp|sinh|cosh|tanh|Gamma|zeta)(?![A-Za-z])"
)


def excess(text: str) -> str | None:
    """What makes this expression too costly to evaluate, as the end of a sentence; None if nothing does."""
    if len(text) > _MAX_LENGTH:
        return f"is longer than {_MAX_LENGTH} characters"
    depth = deepest = 0
    for character in text:
        depth += (character in "{([") - (character in "})]")
        deepest = max(deepest, depth)
    if deepest > _MAX_DEPTH:
        return f"is nested more than {_MAX_DEPTH} deep"
    if _DIGITS.search(text):
        return f"has a number of more than {_MAX_DIGITS} digits"
    return _power(text) or _combinatorial(text) or _analytic(text)


def _power(text: str) -> str | None:
    flat = _OPENED_POWER.sub("^", text)
    if any(_exponent(tower) > _MAX_EXPONENT for tower in _TOWER.findall(flat)):
        return f"has an exponent above {_MAX_EXPONENT}"
    if _nested_powers(text) > 3 or _POWER_FACTORIAL.search(text) or _PRODUCT_POWER.search(text):
        return "has a tower of powers"
    # (9^999)^999: the exponents of one chain multiply.
    powers = 1
    for digits in re.findall(r"[)}]\^\{?(\d{2,})", text):
        powers *= min(int(digits[:9]), _MAX_EXPONENT + 1)
    return f"has exponents above {_MAX_EXPONENT} together" if powers > _MAX_EXPONENT * 100 else None


def _nested_powers(text: str) -> int:
    """How many powers stand in the exponents of one another."""
    opened: list[bool] = []
    deepest = 0
    for position, character in enumerate(text):
        if character in "{(":
            opened.append(text[:position].rstrip().endswith("^"))
            deepest = max(deepest, sum(opened))
        elif character in "})" and opened:
            opened.pop()
    return deepest


def _exponent(tower: str) -> int:
    """The exponent that `^3^2` puts on what stands before it, or something above the limit."""
    value = 1
    for level in reversed(tower[1:].split("^")):
        base = int(level[:9])
        value = _MAX_EXPONENT + 1 if value > 32 and base > 1 else min(base**value, _MAX_EXPONENT + 1)
    return value


def _combinatorial(text: str) -> str | None:
    if _FACTORIALS.search(text) or any(int(n[:9]) > _MAX_FACTORIAL for n in _FACTORIAL.findall(text)):
        return "has a huge factorial"
    for match in _BINOMIAL.finditer(text):
        upper = match[1].strip()
        if (upper.isdigit() and int(upper[:9]) > _MAX_FACTORIAL) or re.search(r"\^|!|\\binom", match[1]):
            return "has a huge binomial"
    if len(_SERIES.findall(text)) > 1:
        return "has a sum or product inside another"
    for braced, digit in _LONG_SERIES.findall(text):
        bound = (braced or digit).strip()
        if "^" in bound or "!" in bound or (bound.isdigit() and int(bound[:9]) > _MAX_TERMS):
            return f"has a sum or product of more than {_MAX_TERMS} terms"
    return "has an infinite product" if _PRODUCT_OF_MANY.search(text) else None


def _analytic(text: str) -> str | None:
    if len(_INTEGRAL.findall(text)) > 1 or r"\iint" in text or r"\iiint" in text:
        return "has an integral inside another"
    if any(int(order[:9]) > _MAX_ORDER for order in _ORDER.findall(text)):
        return f"has a derivative of an order above {_MAX_ORDER}"
    if len(_FUNCTION.findall(text)) > _MAX_FUNCTIONS:
        return f"has more than {_MAX_FUNCTIONS} functions"
    return None
