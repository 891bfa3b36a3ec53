"""What a protocol finds in a reply."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from enum import StrEnum

from tir_agent.messages import Tool
from tir_agent.trajectory import Completion

__all__ = ["Action", "BadCall", "CodeBlock", "Malformed", "Protocol"]


class Malformed(StrEnum):
    """Why a piece of code cannot be run."""

    CUT_OFF = "cut_off"
    """The reply came to its token limit inside it."""
    EMPTY = "empty"
    BAD_ARGUMENTS = "bad_arguments"
    """A tool call's arguments are not JSON, or not what the tool takes."""
    UNKNOWN_TOOL = "unknown_tool"


@dataclass(frozen=True)
class CodeBlock:
    """Code to run, and where it stands: characters `start` to `end` of the reply."""

    code: str
    start: int
    end: int
    call_id: str | None = None
    """The tool call that holds it; `start` and `end` are 0 then."""
    title: str | None = None
    """What it is for, where the reply names the subtask."""


@dataclass(frozen=True)
class BadCall:
    """A tool call that cannot be followed."""

    call_id: str
    why: Malformed
    detail: str
    """What is wrong with it: the unknown tool's name, or what the JSON parser says."""


@dataclass(frozen=True)
class Action:
    """What a reply asks for."""

    kept: int
    """Characters of the reply that stay in the conversation; the rest was invented output."""
    blocks: tuple[CodeBlock, ...]
    """Code to run, in order."""
    prose: str
    """Where an answer is looked for: what was kept, without the code, and without what by the protocol's
    own rules cannot hold the answer."""
    answer: str | None = None
    """The answer that the protocol's own marks name (`<answer>`, say); a box in `prose` comes second."""
    malformed: Malformed | None = None
    """Why a piece of code in the text cannot be run, where one cannot."""
    bad_calls: tuple[BadCall, ...] = ()
    """Tool calls that cannot be followed, empty and cut-off ones included; each must be answered all the
    same."""


class Protocol(typing.Protocol):
    """Reads replies. Pure: the same reply always gives the same action."""

    @property
    def executes(self) -> bool:
        """Whether replies can ask for code to be run at all."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The functions that the model is offered; none where code stands in the reply's text."""

    def parse(self, completion: Completion) -> Action:
        """Find the code in a reply. Never raises: whatever a model writes is some action."""
