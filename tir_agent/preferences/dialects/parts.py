"""The sides of an example, and what makes it fit for messages."""

from __future__ import annotations

from typing import assert_never

from tir_agent.preferences.conversation import Conversation
from tir_agent.preferences.dialects.writer import DialectError, Misfit
from tir_agent.preferences.examples import Candidate, Example, Labelled, Pair, Solution
from tir_agent.settings import ExportKind

__all__ = ["chats", "of_kind", "shared_opening", "side_names"]


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


def chats(example: Example, kind: ExportKind) -> tuple[tuple[str, Conversation], ...]:
    """The example's conversations under their names; each is of messages, and has some that were given and
    some to learn. Those of a pair were given the same.

    Raises:
        DialectError: the example is not like that.
        ValueError: it is of another kind.
    """
    found = tuple((name, side.conversation) for name, side in of_kind(example, kind))
    for _, conversation in found:
        if conversation.raw:
            raise DialectError(Misfit.RAW, example.id)
        if not conversation.given:
            raise DialectError(Misfit.NOTHING_GIVEN, example.id)
        if not conversation.learnt:
            raise DialectError(Misfit.NOTHING_LEARNT, example.id)
    shared_opening(example)
    return found


def shared_opening(example: Example) -> None:
    """Make sure that both sides of a pair were given the same messages and tools.

    Raises:
        DialectError: they were not.
    """
    if isinstance(example, Pair):
        chosen, rejected = example.chosen.conversation, example.rejected.conversation
        if (chosen.given, chosen.tools) != (rejected.given, rejected.tools):
            raise DialectError(Misfit.GIVEN_DIFFERS, example.id)
