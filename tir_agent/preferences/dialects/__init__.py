"""Rows for trainers: one form for each dialect, and the way back from ours."""

from tir_agent.preferences.dialects.chat import argument_of
from tir_agent.preferences.dialects.choice import dialect_for
from tir_agent.preferences.dialects.columns import (
    Column,
    ListOf,
    Scalar,
    Shape,
    Struct,
    arrow_schema,
    hub_features,
)
from tir_agent.preferences.dialects.rows import conversations_of
from tir_agent.preferences.dialects.writer import DialectError, Misfit, Render, Row, Writer

__all__ = [
    "Column",
    "DialectError",
    "ListOf",
    "Misfit",
    "Render",
    "Row",
    "Scalar",
    "Shape",
    "Struct",
    "Writer",
    "argument_of",
    "arrow_schema",
    "conversations_of",
    "dialect_for",
    "hub_features",
]
