"""Code without its wording: equal for programs that differ in comments, layout and quotes alone.

Names are kept: a program with other names is another one. The normal form is Python's own unparsing of
the syntax tree, so digests compare within one version of Python and not beyond.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

__all__ = ["digest", "has_statement", "normalised_code"]

_LONGEST: Final = 50_000
"""Characters of code that is parsed; what is longer is data, or hostile."""
_MAGIC: Final = re.compile(r"^([ \t]*)([%!].*)$", re.MULTILINE)
_MAY_HAVE_DOCSTRING: Final = re.compile(r"\b(?:def|class)\b")
_MAGIC_CALL: Final = "__magic__"


def normalised_code(cells: Sequence[str]) -> str:
    """The cells' code as one program, without comments, docstrings, blank lines and formatting.

    IPython's magics are kept as they stand. A cell that is no Python loses blank lines, lines that are
    comments, and all spaces but one. Never raises.

    >>> normalised_code(["x = 'a'  # a name", 'print( x )'])
    "x = 'a'\\nprint(x)"
    """
    return "\n".join(text for cell in cells if (text := _normalised(cell)))


def digest(text: str) -> str:
    """16 hexadecimal digits, equal for equal texts."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def has_statement(cell: str) -> bool:
    """Whether there is anything in it but comments and blank lines."""
    return any(line and not line.startswith("#") for line in map(str.strip, cell.splitlines()))


@lru_cache(maxsize=256)  # A trajectory's cells are asked for one by one, and then all together.
def _normalised(cell: str) -> str:
    if len(cell) <= _LONGEST:
        for source in (cell, _MAGIC.sub(_as_call, cell)):
            text = _unparsed(source)
            if text is not None:
                return text
    lines = (" ".join(line.split()) for line in cell.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def _as_call(magic: re.Match[str]) -> str:
    return f"{magic[1]}{_MAGIC_CALL}({magic[2].strip()!r})"


def _unparsed(source: str) -> str | None:
    """None where it is no Python, or deeper than the interpreter walks."""
    try:
        with warnings.catch_warnings():
            # What is odd about a model's string literals is not the caller's concern.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        if _MAY_HAVE_DOCSTRING.search(source):
            _drop_docstrings(tree)
        # Blank lines stand around functions, but not where cells meet.
        return "\n".join(line for line in ast.unparse(tree).split("\n") if line)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and _has_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]


def _has_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    first = node.body[0]
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
