"""Rows of recorded trajectories: what each one looks like, and what is made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from tir_agent.errors import DataError, ProblemError
from tir_agent.imports.messages import read_messages
from tir_agent.imports.recording import Recording, Refusal
from tir_agent.imports.replay import MATHCODER, MINT, TORA, read_replay
from tir_agent.problems.reading import read_rows
from tir_agent.problems.rows import Fault, Fields
from tir_agent.settings import ProblemSource

__all__ = ["Layout", "Refused", "file_digest", "looks_like", "read_file"]


class Layout(StrEnum):
    """How trajectories are written down."""

    MATHCODER = "mathcoder"
    MINT = "mint"
    TORA = "tora"
    MESSAGES = "messages"
    """Messages of a chat: OpenAI's, or ShareGPT's."""
    AUTO = "auto"
    """Found out from each row."""


_SYSTEMS: Final = MappingProxyType({Layout.MATHCODER: MATHCODER, Layout.MINT: MINT, Layout.TORA: TORA})
_BLOCK: Final = 2**20
_NOT_A_ROW: Final = "it is no JSON object"


class Refused(NamedTuple):
    """A row, or a line that is none, of which no trajectory can be made."""

    where: str
    """`file.jsonl:17`."""
    reason: str
    """The same for all that it is said of; without a full stop."""
    detail: str = ""


def read_file(path: Path, layout: Layout) -> Iterator[Recording | Refused]:
    """Each row of a file in order.

    Raises:
        DataError: it is not there, or cannot be read; also while it is read.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise DataError(f"{path} {what}", hint="Give the files that hold the trajectories")
    for row in read_rows(ProblemSource(path=str(path))):
        if isinstance(row, Fault):
            yield Refused(row.where, _NOT_A_ROW, row.sentence)
            continue
        try:
            yield _recording(row.fields, row.where, layout)
        except Refusal as refusal:
            yield Refused(row.where, refusal.reason, refusal.detail)
        except ProblemError as error:
            yield Refused(row.where, "its problem is none", error.message)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        DataError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}") from None
    return digest.hexdigest()


def looks_like(fields: Fields) -> tuple[Layout | None, str]:
    """The layout of a row, and what it looks like in words."""
    if isinstance(fields.get("messages"), list) or isinstance(fields.get("conversations"), list):
        return Layout.MESSAGES, "a log of messages"
    if fields.get("format") == "tir-agent/trajectory":
        return None, "a trajectory of tir-agent's own, which needs no import"
    if isinstance(fields.get("turns"), list):
        system = fields.get("source")
        for layout, name in _SYSTEMS.items():
            if isinstance(system, str) and system.casefold() == name.casefold():
                return layout, f"a trajectory of {name}'s"
        return None, "a trajectory with turns that does not say which system's it is"
    if "chosen" in fields or "rejected" in fields:
        return None, "a pair of preference data"
    if "problem" in fields or "question" in fields:
        return None, "a problem without a trajectory"
    return None, f"an object with {', '.join(map(repr, list(fields)[:5])) or 'nothing in it'}"


def _recording(fields: Fields, where: str, layout: Layout) -> Recording:
    found, words = looks_like(fields)
    wanted = found if layout is Layout.AUTO else layout
    if wanted is None:
        raise Refusal(f"it looks like {words}")
    # A row that does not say whose it is may be whose the user says.
    said = isinstance(fields.get("source"), str) or not isinstance(fields.get("turns"), list)
    if found is not wanted and (found is not None or said):
        raise Refusal(f"it looks like {words}")
    if wanted is Layout.MESSAGES:
        return read_messages(fields, where)
    return read_replay(fields, where, _SYSTEMS[wanted])
