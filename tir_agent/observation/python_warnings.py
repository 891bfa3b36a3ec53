"""Python's warnings, as `warnings.formatwarning` writes them to standard error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["collapse_syntax_warnings", "drop_warnings"]

# A file of Python's or Cython's, a cell or other text that was compiled, or "sys" where none is known.
_HEADER: Final = re.compile(
    r"(?P<file><[^<>]*+>|sys|\S[^:]*+(?<=\.py)|\S[^:]*+(?<=\.pyx)):(?P<line>\d++): "
    r"(?P<category>[A-Za-z_]\w*+(?<=Warning)): ?(?P<text>.*+)"
)
_SOURCELESS: Final = frozenset({"<>", "<string>", "<stdin>", "<unknown>", "sys"})
"""Files of which Python has no line to show."""
_SYMPY_END: Final = "will be removed in a future version of SymPy."
_MOST_LINES: Final = 60
"""Of one warning of SymPy's or SciPy's."""


@dataclass(frozen=True)
class _Piece:
    """A warning with its source line, or a line of something else."""

    lines: tuple[str, ...]
    warning: re.Match[str] | None = None

    @property
    def syntax(self) -> tuple[str, str] | None:
        """What tells one SyntaxWarning from another: line and text."""
        match = self.warning
        return (match["line"], match["text"]) if match and match["category"] == "SyntaxWarning" else None


def drop_warnings(stderr: str) -> str:
    """Leave out warnings, with the source line below each. All else of `stderr` stays.

    Of a message of several lines the further ones stay too, since nothing tells them from what the
    program wrote; but those of SymPy's deprecations and SciPy's integration are known, and go.

    >>> drop_warnings("<cell 1>:2: UserWarning: hm\\n  warn('hm')\\nstep 1\\n")
    'step 1\\n'
    """
    return "\n".join(line for piece in _pieces(stderr) if piece.warning is None for line in piece.lines)


def collapse_syntax_warnings(stderr: str) -> str:
    """Show a SyntaxWarning once: IPython compiles a cell up to three times, and each time warns.

    The last one stays, which names the cell and shows the line.

    >>> collapse_syntax_warnings("<>:2: SyntaxWarning: no\\n<cell 1>:2: SyntaxWarning: no\\n  x is 1\\n")
    '<cell 1>:2: SyntaxWarning: no\\n  x is 1\\n'
    """
    if "SyntaxWarning" not in stderr:
        return stderr
    shown: list[_Piece] = []
    later: set[tuple[str, tuple[str, str]]] = set()
    named: set[tuple[str, str]] = set()
    for piece in reversed([*_pieces(stderr)]):
        if piece.warning and (syntax := piece.syntax):
            file = piece.warning["file"]
            if (file, syntax) in later or (file == "<>" and syntax in named):
                continue
            later.add((file, syntax))
            named.add(syntax)
        shown.append(piece)
    return "\n".join(line for piece in reversed(shown) for line in piece.lines)


def _pieces(stderr: str) -> Iterator[_Piece]:
    lines = stderr.split("\n")
    at = 0
    while at < len(lines):
        header = _HEADER.fullmatch(lines[at])
        end = _end(lines, at + 1, header) if header else at + 1
        yield _Piece(tuple(lines[at:end]), header)
        at = end


def _end(lines: list[str], at: int, header: re.Match[str]) -> int:
    """Behind the last line of the warning whose message goes on at `at`."""
    limit = min(at + _MOST_LINES, len(lines))
    if header["category"] == "IntegrationWarning":
        while at < limit and lines[at].startswith("  "):
            at += 1
        return at
    if header["category"] == "SymPyDeprecationWarning" and not header["text"].strip():
        closing = next((index for index in range(at, limit) if lines[index] == _SYMPY_END), None)
        if closing is not None:
            at = closing + 2 if closing + 1 < len(lines) and not lines[closing + 1] else closing + 1
    has_source = header["file"] not in _SOURCELESS and not header["file"].endswith(".pyx")
    return at + 1 if has_source and at < len(lines) and _is_source(lines[at]) else at


def _is_source(line: str) -> bool:
    """Python indents the line by two spaces, after taking its own indentation off."""
    return line.startswith("  ") and line[2:3].strip() != ""
