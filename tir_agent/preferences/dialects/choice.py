"""Which writer a dialect and a kind have."""

from __future__ import annotations

from tir_agent.errors import UsageError
from tir_agent.preferences.dialects.trl import TrlWriter
from tir_agent.preferences.dialects.writer import Render, Writer
from tir_agent.settings import Dialect, ExportKind

__all__ = ["dialect_for"]


def dialect_for(
    dialect: Dialect, kind: ExportKind, *, argument: str | None, render: Render | None = None
) -> Writer:
    """The form of a set's rows.

    `argument` is the name of the one argument of the function that is called in the set, None where nothing
    is called (`argument_of` tells); `render` lays a chat template around messages, for plain text.

    Raises:
        UsageError: the dialect has no form for this kind.
    """
    match dialect:
        case Dialect.TRL:
            return TrlWriter(kind, argument)
        case _:
            raise UsageError(f"{dialect.value} has no form for {kind.value}")
