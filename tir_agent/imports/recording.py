"""One trajectory of another system, read and not yet a part of a run. Plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tir_agent.messages import Message
from tir_agent.problems import problem_from_text
from tir_agent.problems.golds import form_of, gold_in
from tir_agent.problems.values import text_of
from tir_agent.trajectory import Problem, StopReason, Turn

__all__ = ["Recording", "Refusal", "content_digest", "problem_of"]

_DIGEST_CHARS: Final = 32


class Refusal(Exception):
    """A row cannot be imported: `reason` is one of a few, `detail` says what it is in this row."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        """Without a full stop, and the same for all rows that it is said of."""
        self.detail = detail


@dataclass(frozen=True)
class Recording:
    """What a row says, in our words."""

    system: str
    """The one that made it: `MathCoder`."""
    model: str | None
    """Null where the row does not name it."""
    problem: Problem
    own_id: str | None
    """The row's own id."""
    digest: str
    """Of the row's content, and of the layout as which it was read."""
    messages: tuple[Message, ...]
    turns: tuple[Turn, ...]
    stop: StopReason
    answer: str | None
    label: bool | None = None
    """The source's own verdict."""
    said: str = ""
    """The source's verdict in its own words: `label is true`."""
    notes: tuple[str, ...] = ()
    """What was guessed, a sentence each."""


def problem_of(text: object, gold: object, where: str) -> Problem:
    """The problem with the id that `load_problems` makes of the same text.

    Raises:
        Refusal: it has no text.
        ProblemError: the text is empty or too long.
    """
    if not isinstance(text, str) or not text.strip():
        raise Refusal("it has no problem", "the problem's text is missing or empty")
    if isinstance(gold, list) and len(gold) > 1:
        gold = f"[{text_of(gold)}]"
    form, _ = form_of([gold])
    return problem_from_text(text).model_copy(update={"gold": gold_in(gold, form), "source": where})


def content_digest(fields: Mapping[str, object], layout: str) -> str:
    """32 hexadecimal digits, the same for the same row wherever it stands."""
    content = json.dumps([layout, fields], sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGEST_CHARS]
