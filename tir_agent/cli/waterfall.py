"""What became of everything that was read: a table, with bars on a terminal."""

from __future__ import annotations

from typing import Final

from tir_agent.cli.grid import Grid
from tir_agent.export.manifest import Unit, Waterfall

__all__ = ["bar", "waterfall_grid"]

_BAR: Final = 24
"""Columns."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def waterfall_grid(waterfall: Waterfall, *, bars: bool = False) -> Grid:
    """Each stage with what it dropped and what it left; of problems, those that may still give a pair."""
    most = {Unit.TRAJECTORIES: waterfall.read, Unit.EXAMPLES: 0}
    for stage in waterfall.stages:
        most[stage.unit] = max(most[stage.unit], stage.left + stage.dropped)
    rows = [("read", Unit.TRAJECTORIES.value, "", "", f"{waterfall.read:,}", "")]
    drawn = [bar(waterfall.read, waterfall.read)]
    for stage in waterfall.stages:
        dropped = f"{stage.dropped:,}" if stage.dropped else "-"
        right = f"{stage.right:,}" if stage.right else "-"
        both = "" if stage.both is None else f"{stage.both:,}"
        rows.append((stage.name, stage.unit.value, dropped, right, f"{stage.left:,}", both))
        drawn.append(bar(stage.left, most[stage.unit]))
    headings = ("stage", "of", "dropped", "of these right", "left", "problems with both")
    return Grid(
        "What became of everything",
        (*headings, "") if bars else headings,
        tuple((*row, one) for row, one in zip(rows, drawn, strict=True)) if bars else tuple(rows),
        figures=2,
        note=f"{waterfall.right:,} of those read were right; the first stage that drops one counts it",
    )


def bar(value: int, most: int) -> str:
    """A bar of a width in proportion, in eighths of a column; filled up to the right with middle dots.

    >>> bar(1, 2)[:13]
    '████████████·'
    """
    eighths = round(8 * _BAR * value / most) if most else 0
    whole, part = divmod(eighths, 8)
    drawn = "█" * whole + (_EIGHTHS[part] if part else "")
    # Columns of figures are set to the right; so that bars begin at the same place, all are as wide.
    return drawn + "·" * (_BAR - len(drawn))
