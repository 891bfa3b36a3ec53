"""Columns that say what an example is, whatever form its messages take."""

from __future__ import annotations

from tir_agent.preferences.dialects.columns import Column, Scalar
from tir_agent.preferences.dialects.parts import of_kind, side_names
from tir_agent.preferences.dialects.writer import Row
from tir_agent.preferences.examples import Candidate, Example, Pair
from tir_agent.settings import ExportKind

__all__ = ["fact_columns", "facts"]

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
    Column("model_tokens", Scalar.INTEGER),
    Column("reward", Scalar.NUMBER),
)
_PAIR = (Column("margin", Scalar.NUMBER), Column("prefix_turns", Scalar.INTEGER))


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
        "model_tokens": side.model_tokens,
        "reward": side.reward,
    }
