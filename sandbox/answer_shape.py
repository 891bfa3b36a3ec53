r"""What an answer is made of, told from its text: a list, a tuple, a set, intervals, an equation, a matrix.

Only what stands outside all brackets divides. `(1, 2)` may be a pair and an open interval: it is a tuple
here, and whoever compares it with a region knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from answer_numbers import number_of
from answer_text import split, wraps


class Order(Enum):
    """How the parts of a collection belong together."""

    LIST = "list"
    """`1, 2`: in any order."""
    PARTS = "parts"
    """`1; 2`: answers to several questions, in their order."""
    TUPLE = "tuple"
    SET = "set"


@dataclass(frozen=True)
class Leaf:
    """One expression, or words."""

    text: str


@dataclass(frozen=True)
class Many:
    """A collection."""

    order: Order
    parts: tuple[Shape, ...]


@dataclass(frozen=True)
class Piece:
    """An interval; the ends are expressions."""

    low: str
    high: str
    low_open: bool
    high_open: bool


@dataclass(frozen=True)
class Region:
    """A union of intervals of the real line, and the name of what lies in it, where it has one."""

    name: str | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Equation:
    """`a = b`; of a chain, the first and the last side."""

    left: str
    right: str

    @property
    def name(self) -> str | None:
        """What is defined, where the left side is a name: `x`, `S_n`, `f(x)`, `Total`."""
        return _squeezed(self.left) if _NAME.fullmatch(self.left.strip()) else None


@dataclass(frozen=True)
class Matrix:
    """Rows of cells."""

    rows: tuple[tuple[Shape, ...], ...]


Shape = Leaf | Many | Region | Equation | Matrix

_INFINITY = r"\infty"
_MATRIX = re.compile(r"\\begin\{([pbB]?matrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\{\1\}", re.DOTALL)
_BARE_NAME = (
    r"(?:\\?[A-Za-z]+|\\(?:overline|overrightarrow|vec) ?\{?[A-Za-z]+\}?|\\frac\{d[a-z]\}\{d[a-z]\}"
    r"|\\angle ?[A-Z]+|[\u4e00-\u9fff]{1,8})"
)
_NAME = re.compile(
    rf"(?!\\(?:pi|infty|sqrt)(?![A-Za-z])){_BARE_NAME}'?(?:_\{{?\w+\}}?)?(?:\^\{{?-1\}}?)?"
    r"(?:\([A-Za-z, ]*\))?(?: [A-Za-z]+){0,5}"
)
_SYMBOL = re.compile(r"\\?[A-Za-z]+(?:_\{?\w+\}?)?")
_ABSOLUTE = re.compile(r"\|([A-Za-z])\|")
_RELATION = r"\\le(?![A-Za-z])|\\ge(?![A-Za-z])|\\ne(?![A-Za-z])|<|>"
_EQUALS = r"(?<![<>!\\])=(?!=)|\\equiv(?![A-Za-z])"
_JOINED = (
    r"\bor\b|或|\\lor(?![A-Za-z])|\\vee(?![A-Za-z])|\band\b|且|和|与|\\land(?![A-Za-z])|\\wedge(?![A-Za-z])"
)
_BOTH = re.compile(r"\band\b|且|\\land|\\wedge")
_IN = re.compile(r"(\\?[A-Za-z]+) ?\\in(?![A-Za-z]) ?(.+)")
_BUILDER = re.compile(r"(\\?[A-Za-z]+)(?:\\in[^|:]*)? ?(?:\\mid(?![A-Za-z])|\||:) ?(.+)")
_CUP = r"\\cup(?![A-Za-z])|(?<=[)\]]) ?U ?(?=[(\[])"
_REALS = re.compile(r"\\mathbb ?\{?R\}?|\\R|all real numbers|all reals")
_PM = re.compile(r"\\pm(?![A-Za-z]) ?")
_MP = re.compile(r"\\mp(?![A-Za-z]) ?")


def shape(text: str, depth: int = 0) -> Shape:
    """What the text, in one spelling (`answer_text.plain`), is made of."""
    text = text.strip()
    if depth > 20 or not text:
        return Leaf(text)
    if match := _MATRIX.fullmatch(text):
        return _matrix(match[2], depth)
    for separator, order in ((";", Order.PARTS), (_JOINED, Order.LIST), (",", Order.LIST)):
        parts = [part.strip() for part in split(text, separator)]
        if len(parts) > 1 and all(parts):
            if (
                separator is _JOINED
                and all(re.fullmatch(r"[A-Za-z' .!?]+", part) for part in parts)
                and any(len(part) > 12 for part in parts)
            ):
                continue
            joint = _BOTH.search(text) is not None if separator is _JOINED else False
            return _collection(order, [shape(part, depth + 1) for part in parts], joint)
    if match := _IN.fullmatch(text):
        inner = shape(match[2], depth + 1)
        region = _as_region(inner)
        return Region(match[1], region.pieces) if region else inner
    if len(split(text, _CUP)) > 1:
        regions = [_as_region(shape(part, depth + 1)) for part in split(text, _CUP)]
        if all(regions):
            return Region(None, tuple(piece for region in regions if region for piece in region.pieces))
    if len(sides := split(text, _EQUALS)) > 1 and all(map(str.strip, sides)):
        return _equation(sides[0].strip(), sides[-1].strip(), depth)
    if region := _inequality(text):
        return region
    if _REALS.fullmatch(text):
        return Region(None, (Piece("-" + _INFINITY, _INFINITY, True, True),))
    return _bracketed(text, depth)


def _collection(order: Order, parts: list[Shape], joint: bool) -> Shape:
    flat: list[Shape] = []
    for part in parts:
        flat += part.parts if isinstance(part, Many) and part.order is order is Order.LIST else [part]
    regions = [part for part in flat if isinstance(part, Region)]
    names = {region.name for region in regions}
    if len(regions) == len(flat) and len(names) == 1 and None not in names:
        if joint and len(flat) == 2 and (both := _intersection(flat[0], flat[1])):  # type: ignore[arg-type]
            return both
        return Region(names.pop(), tuple(piece for region in regions for piece in region.pieces))
    return Many(order, tuple(flat))


def _intersection(a: Region, b: Region) -> Region | None:
    """Of a ray to the right and a ray to the left."""
    (one,), (other,) = (a.pieces[:1], b.pieces[:1])
    if len(a.pieces) + len(b.pieces) != 2:
        return None
    low, high = (one, other) if one.high == _INFINITY else (other, one)
    if low.high != _INFINITY or high.low != "-" + _INFINITY:
        return None
    return Region(a.name, (Piece(low.low, high.high, low.low_open, high.high_open),))


def _equation(left: str, right: str, depth: int) -> Shape:
    """`(x, y) = (1, 2)` is `x = 1, y = 2`."""
    if wraps(left) and wraps(right):
        names, values = split(left[1:-1], ","), split(right[1:-1], ",")
        if len(names) == len(values) > 1 and all(_NAME.fullmatch(name.strip()) for name in names):
            pairs = zip(names, values, strict=True)
            return Many(Order.LIST, tuple(Equation(name.strip(), value.strip()) for name, value in pairs))
    right_region = _as_region(shape(right, depth + 1)) if _NAME.fullmatch(left) else None
    return Region(None, right_region.pieces) if right_region else Equation(left, right)


def _inequality(text: str) -> Region | None:
    """Bounds of one symbol: `x > 2`, `1 \\le x < 5`, `3 \\ne x`."""
    sides = [side.strip() for side in split(text, _RELATION)]
    if len(sides) not in (2, 3) or not all(sides):
        return None
    found = re.findall(_RELATION, text)
    if len(found) != len(sides) - 1:
        return None
    if len(sides) == 2:
        if not _SYMBOL.fullmatch(sides[0]) and not _ABSOLUTE.fullmatch(sides[0]):
            sides, found = sides[::-1], [_turned(found[0])]
        name, bound, relation = sides[0], sides[1], found[0]
        if (match := _ABSOLUTE.fullmatch(name)) and number_of(bound):
            return _distance(match[1], bound, relation)
        if not _SYMBOL.fullmatch(name) or _uses(bound, name):
            return None
        return Region(name, _pieces(relation, bound))
    low, name, high = sides
    if not _SYMBOL.fullmatch(name) or _uses(low, name) or _uses(high, name) or r"\ne" in found:
        return None
    if found[0] in (">", r"\ge"):
        low, high, found = high, low, [_turned(one) for one in reversed(found)]
    if any(one not in ("<", r"\le") for one in found):
        return None
    return Region(name, (Piece(low, high, found[0] == "<", found[1] == "<"),))


def _distance(name: str, bound: str, relation: str) -> Region | None:
    """`|x| < 3`; the bound is a positive number."""
    if bound.startswith("-") or relation == r"\ne":
        return None
    if relation in ("<", r"\le"):
        return Region(name, (Piece(f"-{bound}", bound, relation == "<", relation == "<"),))
    return Region(name, (*_pieces(_turned(relation), f"-{bound}"), *_pieces(relation, bound)))


def _pieces(relation: str, bound: str) -> tuple[Piece, ...]:
    below = Piece("-" + _INFINITY, bound, True, relation != r"\le")
    above = Piece(bound, _INFINITY, relation != r"\ge", True)
    if relation == r"\ne":
        return below, above
    return (below,) if relation in ("<", r"\le") else (above,)


def _turned(relation: str) -> str:
    return {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}.get(relation, relation)


def _uses(text: str, name: str) -> bool:
    return re.search(rf"(?<![A-Za-z\\]){re.escape(name)}(?![A-Za-z])", text) is not None


def _bracketed(text: str, depth: int) -> Shape:
    if text in (r"\emptyset", r"\{\}", "{}"):
        return Many(Order.SET, ())
    if text.startswith(r"\{") and text.endswith(r"\}") and wraps(text[1:-2] + "}"):
        return _set(text[2:-2], depth)
    if len(_PM.findall(text)) == 1:
        both = (_MP.sub(minus, _PM.sub(plus, text)) for plus, minus in (("+", "-"), ("-", "+")))
        return Many(Order.LIST, tuple(Leaf(one) for one in both))
    if not wraps(text):
        return Leaf(text)
    inner = [part.strip() for part in split(text[1:-1], ",|;")]
    if not all(inner):
        return Leaf(text)
    if len(inner) == 1:
        return shape(inner[0], depth + 1) if text[0] + text[-1] in ("()", "[]", "{}") else Leaf(text)
    ends = text[0] + text[-1]
    if len(inner) == 2 and ends in ("[]", "[)", "(]"):
        return Region(None, (Piece(inner[0], inner[1], text[0] == "(", text[-1] == ")"),))
    parts = tuple(shape(part, depth + 1) for part in inner)
    if ends == "{}":
        return shape(text[1:-1], depth + 1)
    return Many(Order.TUPLE if ends == "()" else Order.LIST, parts)


def _set(inside: str, depth: int) -> Shape:
    if match := _BUILDER.fullmatch(inside.strip()):
        built = shape(match[2], depth + 1)
        if isinstance(built, Region):
            return built
    if not inside.strip():
        return Many(Order.SET, ())
    found = shape(inside, depth + 1)
    parts = found.parts if isinstance(found, Many) and found.order in (Order.LIST, Order.PARTS) else (found,)
    return Many(Order.SET, parts)


def _matrix(body: str, depth: int) -> Matrix:
    rows = [row.strip() for row in re.split(r"\\\\(?:\[[^\]]*\])?", body.replace(r"\hline", ""))]
    return Matrix(tuple(tuple(shape(cell, depth + 1) for cell in split(row, "&")) for row in rows if row))


def _as_region(found: Shape) -> Region | None:
    """Also a pair in round brackets, where only a region makes sense."""
    if isinstance(found, Region):
        return found
    if isinstance(found, Many) and found.order is Order.TUPLE and len(found.parts) == 2:
        ends = [part.text for part in found.parts if isinstance(part, Leaf)]
        if len(ends) == 2:
            return Region(None, (Piece(ends[0], ends[1], True, True),))
    return None


def as_interval(found: Shape) -> Region | None:
    """The open interval that a pair can be."""
    return _as_region(found)


def _squeezed(text: str) -> str:
    return re.sub(r"[\s{}\\]", "", text)
