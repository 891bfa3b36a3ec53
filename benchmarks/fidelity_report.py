"""Counts of verdicts as a table, a page with examples, and a plot."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from fidelity_judge import SAME, Judged
from fidelity_reasons import NOT_EXPLAINED, REASONS, UNEXPLAINED, not_recorded
from fidelity_run import FILES, HANG
from fidelity_text import Shown

_EXAMPLES = 3
_EXAMPLE_CHARS = 200
_COLORS = dict(zip(NOT_EXPLAINED, ("black", "firebrick", "lightcoral"), strict=True))
_LEFT_OUT = not_recorded.__name__
NAMES = (SAME, *(named.__name__ for named in REASONS if named is not not_recorded), UNEXPLAINED)


@dataclass(frozen=True)
class Count:
    """The verdicts on the cells of one file."""

    reasons: dict[str, int]
    proofs: dict[str, int]
    hangs: int

    @property
    def compared(self) -> int:
        """Cells with something to compare with: shares are of these."""
        return sum(number for name, number in self.reasons.items() if name != _LEFT_OUT)

    @property
    def explained(self) -> int:
        return self.compared - sum(self.reasons.get(name, 0) for name in NOT_EXPLAINED)

    def share(self, number: int) -> str:
        return f"{100 * number / max(self.compared, 1):.2f} %"


def counts(judged: list[Judged]) -> dict[str, Count]:
    """One count for each file that has cells."""
    found = {}
    for file in FILES:
        own = [one for one in judged if one.file == file]
        if own:
            found[file] = Count(
                dict(Counter(one.reason for one in own)),
                dict(Counter(one.proof for one in own if one.proof)),
                sum(one.status == HANG for one in own),
            )
    return found


def lines(counted: dict[str, Count]) -> list[tuple[str, list[str]]]:
    """The table: a name, and a figure for each file."""

    def line(name: str, figure: Any) -> tuple[str, list[str]]:
        return name, [figure(count) for count in counted.values()]

    def with_share(number: int, count: Count) -> str:
        return f"{number:,} ({count.share(number)})"

    found = [
        line("cells run", lambda count: f"{sum(count.reasons.values()):,}"),
        line("not recorded", lambda count: f"{count.reasons.get(_LEFT_OUT, 0):,}"),
        line("cells compared", lambda count: f"{count.compared:,}"),
    ]
    for name in NAMES:
        found.append(line(name, lambda count, name=name: with_share(count.reasons.get(name, 0), count)))
    proofs = sorted({proof for count in counted.values() for proof in count.proofs})
    for proof in proofs:
        at = next(i for i, (name, _) in enumerate(found) if name == "missing_package")
        shown = line(
            f"  by {proof}", lambda count, proof=proof: with_share(count.proofs.get(proof, 0), count)
        )
        found.insert(at, shown)
    found.append(line("identical or explained", lambda count: with_share(count.explained, count)))
    found.append(line("hangs", lambda count: str(count.hangs)))
    return found


def table(counted: dict[str, Count]) -> Table:
    """For the terminal."""
    shown = Table("", *counted, title="recorded cells, played again")
    for name, figures in lines(counted):
        shown.add_row(name, *figures)
    shown.columns[0].no_wrap = True
    for column in shown.columns[1:]:
        column.justify = "right"
    return shown


def write(folder: Path, judged: list[Judged], made: dict[str, Any]) -> None:
    """`fidelity.json`, `fidelity.md` and, where matplotlib is installed, `fidelity.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    counted = counts(judged)
    summary = {
        "made": made,
        "files": {
            file: {
                "cells": count.compared,
                "reasons": count.reasons,
                "proofs": count.proofs,
                "hangs": count.hangs,
            }
            for file, count in counted.items()
        },
        "unexplained": [[one.file, one.line, one.cell] for one in judged if one.reason in NOT_EXPLAINED],
    }
    (folder / "fidelity.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    (folder / "fidelity.md").write_text(page(judged, made), encoding="utf-8")
    plot(folder / "fidelity.png", counted)


def page(judged: list[Judged], made: dict[str, Any]) -> str:
    """The table and examples, as Markdown."""
    counted = counts(judged)
    text = ["# Recorded cells, played again", "", *(f"- {key}: {value}" for key, value in made.items()), ""]
    text += ["| |" + "|".join(counted) + "|", "|---|" + "---:|" * len(counted)]
    text += [f"|{name}|" + "|".join(figures) + "|" for name, figures in lines(counted)]
    for named in REASONS:
        text += ["", f"## {named.__name__}", "", " ".join((named.__doc__ or "").split())]
        text += _examples([one for one in judged if one.reason == named.__name__])
    text += ["", f"## {UNEXPLAINED}", *_examples([one for one in judged if one.reason == UNEXPLAINED])]
    return "\n".join(text) + "\n"


def _examples(judged: list[Judged]) -> list[str]:
    """A few, each of another trajectory and, where there are, another proof."""
    chosen: dict[tuple[str, str], Judged] = {}
    for one in judged:
        chosen.setdefault((one.proof, one.file), one)
    for one in judged:
        chosen.setdefault((one.file, str(one.line)), one)
    text = []
    for one in list(dict.fromkeys(chosen.values()))[:_EXAMPLES]:
        text += ["", f"{one.file}, line {one.line}, cell {one.cell + 1} {one.proof}".rstrip() + ":", ""]
        for name, shown in (("code", one.code), ("recorded", said(one.there)), ("here", said(one.here))):
            text += [f"    {line}".rstrip() for line in [f"{name}:", *_shortened(shown).splitlines()]]
    return text


def said(shown: Shown) -> str:
    """In one piece of text."""
    error = f"{shown.error}: {shown.message}" if shown.error else ""
    end = "(timed out)" if shown.timed_out else "(not recorded)" if shown.absent else ""
    return "\n".join(part for part in (shown.text, error, end) if part)


def _shortened(text: str) -> str:
    text = text.strip("\n").rstrip()
    return text if len(text) <= _EXAMPLE_CHARS else f"{text[: _EXAMPLE_CHARS - 4]} ..."


def plot(path: Path, counted: dict[str, Count]) -> None:
    """For each file a bar of the cells that differ, stacked by reason; the identical ones are a number."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.8 * len(counted)), layout="constrained")
    names = [
        name for name in NAMES if name != SAME and any(count.reasons.get(name) for count in counted.values())
    ]
    labels = [
        f"{file}\n{count.share(count.reasons.get(SAME, 0))} identical" for file, count in counted.items()
    ]
    left = [0.0] * len(counted)
    for number, name in enumerate(names):
        shares = [100 * count.reasons.get(name, 0) / max(count.compared, 1) for count in counted.values()]
        color = _COLORS.get(name) or plt.get_cmap("tab20")(number % 20)
        axes.barh(labels, shares, left=left, label=name.replace("_", " "), color=color)
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("cells that differ, in % of those compared")
    figure.legend(loc="outside right upper", fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)
