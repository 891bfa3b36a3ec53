"""What `tir import` has to say at its end."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from tir_agent.cli.grid import Grid
from tir_agent.console.amounts import count_text
from tir_agent.imports import Ledger

__all__ = ["as_json", "grids", "notes"]


def grids(ledger: Ledger) -> Iterator[Grid]:
    """The account: every row that was read stands in one line of the first table."""
    rows = [(f"imported, of {system}", count_text(count)) for system, count in ledger.systems.most_common()]
    rows += [(f"refused: {reason}", count_text(count)) for reason, count in ledger.refused.most_common()]
    yield Grid("What was read", ("", "rows"), (*rows, ("together", count_text(ledger.read))))
    yield Grid(
        "What was imported",
        ("", "count"),
        (
            ("problems", count_text(ledger.problems)),
            ("trajectories", count_text(ledger.accepted)),
            ("labelled right", count_text(ledger.right)),
            ("labelled wrong", count_text(ledger.wrong)),
            ("without a label", count_text(ledger.unlabelled)),
            ("problems with right and wrong ones", count_text(ledger.with_both)),
            ("replies", count_text(ledger.replies)),
            *((f"cells: {status}", count_text(count)) for status, count in ledger.cells.most_common()),
        ),
    )


def notes(ledger: Ledger, there: int) -> Iterator[str]:
    """What must be known to read the tables rightly, a sentence each."""
    if there:
        yield f"{count_text(there)} were there already"
    for one in ledger.examples:
        yield f"{one.where}: {one.reason}{f' ({one.detail})' if one.detail else ''}"
    refused = ledger.refused.total()
    if refused > len(ledger.examples):
        yield f"and {count_text(refused - len(ledger.examples))} more were refused"
    yield from ledger.conflicts
    if ledger.conflicting > len(ledger.conflicts):
        yield f"and {count_text(ledger.conflicting - len(ledger.conflicts))} more gold answers differ"
    if ledger.noted:
        yield f"{count_text(ledger.noted)} have a note of what was guessed: tir show says it"


def as_json(ledger: Ledger, written: int, there: int) -> JsonValue:
    """The same for programs."""
    return {
        "read": ledger.read,
        "imported": ledger.accepted,
        "written": written,
        "there": there,
        "systems": dict(ledger.systems),
        "refused": dict(ledger.refused),
        "examples": [one._asdict() for one in ledger.examples],
        "problems": ledger.problems,
        "right": ledger.right,
        "wrong": ledger.wrong,
        "unlabelled": ledger.unlabelled,
        "with_both": ledger.with_both,
        "replies": ledger.replies,
        "cells": dict(ledger.cells),
        "noted": ledger.noted,
        "conflicting": ledger.conflicting,
        "conflicts": list(ledger.conflicts),
    }
