"""A table of text that can be shown on a terminal, printed to a pipe and written as Markdown."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tir_agent.console import printable

__all__ = ["Grid", "draw", "markdown"]

_WIDE = 10_000
"""Columns where no terminal sets a limit: a line of a table stays a line."""


_WIDEST = 40
"""Columns of a terminal that a name keeps."""


@dataclass(frozen=True)
class Grid:
    """Rows under headings. The columns from number `figures` on hold figures, and are set to the right."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: int = 1
    note: str = ""
    """A sentence below it."""


def draw(grids: Sequence[Grid], notes: Sequence[str]) -> None:
    """On standard output: drawn on a terminal, else aligned text that is the same every time."""
    if sys.stdout.isatty():
        _draw(Console(highlight=False), grids, notes)
        return
    text = io.StringIO()
    _draw(Console(file=text, width=_WIDE, highlight=False, color_system=None), grids, notes)
    for line in text.getvalue().splitlines():
        print(line.rstrip())  # noqa: T201 - the command line's own output


def _draw(console: Console, grids: Sequence[Grid], notes: Sequence[str]) -> None:
    for grid in grids:
        console.print(Text(_one_line(grid.title), style="bold"))
        table = Table(box=None, pad_edge=False, header_style="dim")
        for number, heading in enumerate(grid.headings):
            cells = [cell_len(_one_line(row[number])) for row in grid.rows]
            # Where a terminal is narrow, headings break and figures do not.
            table.add_column(
                Text(printable(heading)),
                justify="right" if number >= grid.figures else "left",
                min_width=min(max(cells, default=0), _WIDEST),
            )
        for row in grid.rows:
            table.add_row(*(Text(_one_line(cell)) for cell in row))
        console.print(table)
        if grid.note:
            console.print(Text(_one_line(grid.note), style="dim"))
        console.print()
    for note in notes:
        console.print(Text(printable(note), style="yellow"))


def markdown(title: str, grids: Sequence[Grid], notes: Sequence[str]) -> str:
    """The same as a page."""
    lines = [f"# {title}", ""]
    for note in notes:
        lines.append(f"- {_escaped(note)}")
    for grid in grids:
        lines += ["", f"## {grid.title}", "", _line(grid.headings)]
        lines.append(_line(["---:" if n >= grid.figures else "---" for n in range(len(grid.headings))]))
        lines += [_line(row) for row in grid.rows]
        lines += ["", grid.note] if grid.note else []
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(cell: str) -> str:
    return _one_line(cell).replace("|", "\\|")


def _one_line(cell: str) -> str:
    """Names come from files: a line break in one must not break the table."""
    return " ".join(printable(cell).split())
