"""What a protocol finds in a reply."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from enum import StrEnum

from tir_agent.trajectory import Completion

__all__ = ["Action", "CodeBlock", "Malformed", "Protocol"]


class Malformed(StrEnum):
    """Why a piece of code cannot be run."""

    CUT_OFF = "cut_off"
    """The reply came to its token limit inside it."""
    EMPTY = "empty"


@dataclass(frozen=True)
class CodeBlock:
    """Code to run, and where it stands: characters `start` to `end` of the reply."""

    code: str
    start: int
    end: int


@dataclass(frozen=True)
class Action:
    """What a reply asks for."""

    kept: int
    """Characters of the reply that stay in the conversation; the rest was invented output."""
    blocks: tuple[CodeBlock, ...]
    """Code to run, in order."""
    prose: str
    """What was kept, without the code: where an answer is looked for."""
    malformed: Malformed | None = None
    """Why a piece of code cannot be run, where one cannot."""


class Protocol(typing.Protocol):
    """Reads replies. Pure: the same reply always gives the same action."""

    @property
    def executes(self) -> bool:
        """Whether replies can ask for code to be run at all."""

    def parse(self, completion: Completion) -> Action:
        """Find the code in a reply. Never raises: whatever a model writes is some action."""
