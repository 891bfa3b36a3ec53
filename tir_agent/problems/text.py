"""One problem from what a user gives: text on the command line, a file, standard input."""

from __future__ import annotations

from pathlib import Path

from tir_agent.errors import ProblemError
from tir_agent.problems.ids import hashed_id
from tir_agent.trajectory import Problem

__all__ = ["MAX_CHARS", "problem_from_bytes", "problem_from_file", "problem_from_text"]

MAX_CHARS = 1_000_000
"""Longest problem in characters: far above any context window, far below what hurts."""


def problem_from_text(text: str, *, gold: str | None = None) -> Problem:
    """A problem with an id made of its text, so that the same problem always has the same one.

    Raises:
        ProblemError: the text is empty, longer than `MAX_CHARS`, or holds control characters.
    """
    text = text.strip()
    if not text:
        raise ProblemError("The problem is empty", hint='Give its text: tir solve "What is 2 + 2?"')
    if len(text) > MAX_CHARS:
        raise ProblemError(f"The problem has {len(text):,} characters; {MAX_CHARS:,} is the most")
    if "\x00" in text:
        raise ProblemError("The problem holds zero bytes: this is not a text")
    return Problem(id=hashed_id(text), text=text, gold=gold)


def problem_from_bytes(data: bytes, *, source: str, gold: str | None = None) -> Problem:
    """A problem from UTF-8 bytes; `source` names them in messages.

    Raises:
        ProblemError: they are not UTF-8 text, or see `problem_from_text`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProblemError(
            f"{source} is not UTF-8 text (byte {error.start})", hint="Save it as UTF-8, or give another file"
        ) from None
    return problem_from_text(text, gold=gold)


def problem_from_file(path: Path, *, gold: str | None = None) -> Problem:
    """A problem from a text file.

    Raises:
        ProblemError: the file cannot be read, or see `problem_from_bytes`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProblemError(f"Cannot read {path}: {error.strerror}") from None
    return problem_from_bytes(data, source=str(path), gold=gold)
