"""Columns that say what an example is, whatever form its messages take."""

from __future__ import annotations

from typing import assert_never

from tir_agent.preferences.dialects.columns import Column, Scalar
from tir_agent.preferences.dialects.writer import Row
from tir_agent.preferences.examples import Candidate, Example, Labelled, Pair, Solution
from tir_agent.settings import ExportKind

__all__ = ["fact_columns", "facts", "of_kind", "side_names"]

_EXAMPLE = (
    Column("id", Scalar.TEXT),
    Column("problem_id", Scalar.TEXT),
    Column("problem", Scalar.TEXT),
    Column("gold", Scalar.TEXT),
)
_SIDE = (
    Column("trajectory", Scalar.TEXT),
    Column("arm", Scalar.TEXT),
    Column("answer", Scalar.TEXT),
    Column("verdict", Scalar.TEXT),
    Column("stop", Scalar.TEXT),
    Column("cells", Scalar.INTEGER),
    Column("errors", Scalar.INTEGER),
    Column("tokens", Scalar.INTEGER),
    Column("reward", Scalar.NUMBER),
)
_PAIR = (Column("margin", Scalar.NUMBER), Column("prefix_turns", Scalar.INTEGER))


def side_names(kind: ExportKind) -> tuple[str, ...]:
    """What the model's parts are called: `completion`, or `chosen` and `rejected`."""
    match kind:
        case ExportKind.SFT | ExportKind.KTO:
            return ("completion",)
        case ExportKind.DPO | ExportKind.STEPS:
            return ("chosen", "rejected")
        case _:
            assert_never(kind)


def of_kind(example: Example, kind: ExportKind) -> tuple[tuple[str, Candidate], ...]:
    """The example's sides under their names.

    Raises:
        ValueError: it is an example of another kind.
    """
    if example.kind != kind.value:
        raise ValueError(f"an example of kind {example.kind!r} among those of kind {kind.value!r}")
    match example:
        case Solution(side=side) | Labelled(side=side):
            return (("completion", side),)
        case Pair(chosen=chosen, rejected=rejected):
            return (("chosen", chosen), ("rejected", rejected))
        case _:
            assert_never(example)


def fact_columns(kind: ExportKind) -> tuple[Column, ...]:
    """What `facts` gives. Sides of a pair have their names before those of their columns."""
    names = side_names(kind)
    if len(names) == 1:
        return (*_EXAMPLE, *_SIDE)
    sides = (Column(f"{name}_{column.name}", column.shape) for name in names for column in _SIDE)
    return (*_EXAMPLE, *sides, *_PAIR)


def facts(example: Example, kind: ExportKind) -> Row:
    """Which problem, whose trajectory, how it was graded, how long it is."""
    problem = example.problem
    row: Row = {"id": example.id, "problem_id": problem.id, "problem": problem.text, "gold": problem.gold}
    for name, side in of_kind(example, kind):
        prefix = f"{name}_" if isinstance(example, Pair) else ""
        row |= {prefix + key: value for key, value in _side(side).items()}
    if isinstance(example, Pair):
        row |= {"margin": example.margin, "prefix_turns": example.prefix_turns}
    return row


def _side(side: Candidate) -> Row:
    return {
        "trajectory": side.trajectory,
        "arm": side.arm,
        "answer": side.answer,
        "verdict": side.verdict.value,
        "stop": side.stop.value,
        "cells": side.cells,
        "errors": side.errors,
        "tokens": side.tokens,
        "reward": side.reward,
    }
