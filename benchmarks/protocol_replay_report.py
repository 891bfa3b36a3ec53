"""What `protocol_replay.py` counts, and the table that it prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Difference:
    """Something that was not read as it was recorded."""

    line: int
    what: str
    """The cell, or "answer"."""
    reason: str


@dataclass
class Tally:
    """What was asked of one file, and how often it was as recorded."""

    trajectories: int = 0
    cells: int = 0
    same_cells: int = 0
    whole_cells: int = 0
    same_whole_cells: int = 0
    verbatim_cells: int = 0
    """Cells of replies that are recorded as they were written, and not put together here."""
    same_verbatim_cells: int = 0
    answers: int = 0
    same_answers: int = 0
    differences: list[Difference] = field(default_factory=list)


def total_of(tallies: dict[str, Tally]) -> Tally:
    """All files as one."""
    total = Tally()
    for tally in tallies.values():
        for name, value in vars(tally).items():
            setattr(total, name, getattr(total, name) + value)
    return total


def rows(tallies: dict[str, Tally]) -> Iterator[tuple[str, list[str]]]:
    """The table, line by line."""
    all_of = list(tallies.values())
    yield "trajectories", [f"{tally.trajectories:,}" for tally in all_of]
    yield "cells", [f"{tally.cells:,}" for tally in all_of]
    yield "code as recorded, reply by reply", [_share(t.same_cells, t.cells) for t in all_of]
    yield "code as recorded, in one text", [_share(t.same_whole_cells, t.whole_cells) for t in all_of]
    yield (
        "code as recorded, verbatim replies",
        [_share(t.same_verbatim_cells, t.verbatim_cells) for t in all_of],
    )
    yield "answers as recorded", [_share(tally.same_answers, tally.answers) for tally in all_of]


def _share(same: int, asked: int) -> str:
    return f"{same:,} of {asked:,} ({100 * same / asked:.2f} %)" if asked else "-"


def markdown(tallies: dict[str, Tally]) -> str:
    """The page that is kept in `docs/benchmarks/`."""
    columns = {**tallies, "all": total_of(tallies)}
    lines = ["# Recorded replies, read by their own protocol", "", "| |" + "|".join(columns) + "|"]
    lines.append("|---|" + "---:|" * len(columns))
    lines += [f"|{name}|{'|'.join(values)}|" for name, values in rows(columns)]
    lines += ["", "What differs:", ""]
    for source, tally in tallies.items():
        reasons: dict[str, list[int]] = {}
        for difference in tally.differences:
            kind = re.sub(r" \d+", "", difference.what)
            shown = re.sub(r"(?:['\"]).*['\"]", "...", difference.reason)
            reasons.setdefault(f"{kind}: {shown}", []).append(difference.line)
        lines += [
            f"- {source}, {reason} ({len(found)}): line{'s' if len(found) > 1 else ''} "
            + ", ".join(map(str, found[:12]))
            + (", ..." if len(found) > 12 else "")
            for reason, found in reasons.items()
        ]
    lines += ["", "Written by `python benchmarks/protocol_replay.py --out FILE`.", ""]
    return "\n".join(lines)
