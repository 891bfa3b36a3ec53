"""Which writer a dialect and a kind have."""

from __future__ import annotations

from typing import assert_never

from tir_agent.errors import UsageError
from tir_agent.preferences.dialects.atif import AtifWriter
from tir_agent.preferences.dialects.llama_factory import LlamaFactoryWriter
from tir_agent.preferences.dialects.messages import MessagesWriter
from tir_agent.preferences.dialects.openrlhf import OpenRlhfWriter
from tir_agent.preferences.dialects.text import TextWriter
from tir_agent.preferences.dialects.trl import TrlWriter
from tir_agent.preferences.dialects.verl import VerlWriter
from tir_agent.preferences.dialects.writer import Render, Writer
from tir_agent.settings import Dialect, ExportKind

__all__ = ["dialect_for"]


def dialect_for(
    dialect: Dialect, kind: ExportKind, *, argument: str | None = None, render: Render | None = None
) -> Writer:
    """The form of a set's rows.

    `argument` is the name of the one argument of the function that is called in the set, None where nothing
    is called (`argument_of` tells). `render` lays a chat template around messages; `trl-text` alone needs
    it, and without it has rows only of conversations that are one text.

    Raises:
        UsageError: the dialect has no form for this kind, or for calls.
    """
    match dialect:
        case Dialect.TRL:
            return TrlWriter(kind, argument)
        case Dialect.TRL_TEXT:
            return TextWriter(kind, argument, render)
        case Dialect.LLAMA_FACTORY:
            return LlamaFactoryWriter(kind, argument)
        case Dialect.OPENRLHF:
            return _openrlhf(kind, argument)
        case Dialect.VERL:
            return _verl(kind, argument)
        case Dialect.MESSAGES:
            return MessagesWriter(kind, argument)
        case Dialect.ATIF:
            return AtifWriter(kind, argument)
        case _:
            assert_never(dialect)


def _openrlhf(kind: ExportKind, argument: str | None) -> Writer:
    if kind is ExportKind.KTO:
        raise UsageError(
            "OpenRLHF has no KTO: the dialect openrlhf has no form for it",
            hint="--format dpo, or another dialect",
        )
    if argument is not None:
        raise UsageError(
            "OpenRLHF gives a chat template no tools: the dialect openrlhf has no form for calls of them",
            hint="--dialect trl, llama-factory, verl or messages",
        )
    return OpenRlhfWriter(kind)


def _verl(kind: ExportKind, argument: str | None) -> Writer:
    if kind not in (ExportKind.SFT, ExportKind.DPO):
        raise UsageError(
            f"the dialect verl has no form for {kind.value}: it is for solutions, or the problems of pairs",
            hint="--format sft or dpo, or another dialect",
        )
    return VerlWriter(kind, argument)
