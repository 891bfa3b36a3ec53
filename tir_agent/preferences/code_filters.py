"""Filters that look at what became of a trajectory's code.

Code that was refused did not run: a cell before it had failed. Nor did one that holds comments alone:
models write their guess into such a cell, and it never fails. An answer is looked for where it is
recorded, in the turns; whose marks it stood between makes no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, TypeAlias

from tir_agent.preferences.code import digest, has_statement, normalised_code
from tir_agent.trajectory import Cell, Execution, ExecutionStatus, Trajectory, Turn

__all__ = [
    "answer_before_code",
    "code_and_answer",
    "guess_after_error",
    "last_error",
    "no_code",
    "repeated_code",
    "verification_only",
]

Outcome: TypeAlias = tuple[ExecutionStatus, str, str | None, tuple[str, str] | None]

_THOUSANDS: Final = re.compile(r"(?<=\d)(?:,|\{,\}|,\\!)(?=\d{3}(?!\d))")
# What stands before a value that was found, but not before the numbers of a list or of a step.
_CONCLUDES: Final = re.compile(
    r"(?:=|\u2248|\\approx|\\boxed\{|\\fbox\{|\b(?:is|are|equals|gives|get)|[\u662f\u4e3a\u5f97])"
    r"(?: (?:about|approximately|equal to|indeed|therefore|thus))?[\s:*({\[\\$]*$"
)
_CALCULATES_ON: Final = re.compile(r"\s*(?:[-+*/^\u00d7\u00b7]|\\(?:times|cdot|div)\b)")
_BOLD: Final = re.compile(r"(?<!\w)\*\*|\*\*(?!\w)")
_CHINESE: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_BEFORE: Final = 40
"""Characters before a value in which its conclusion is looked for."""


def guess_after_error(trajectory: Trajectory) -> bool:
    """A cell failed, and the model answered without a later one that ran without an error."""
    answering = _answering(trajectory)
    if answering is None:
        return False
    seen = [cell for turn in trajectory.turns[:answering] for cell in _run(turn)]
    return bool(seen) and _failed(seen[-1])


def answer_before_code(trajectory: Trajectory) -> bool:
    """A reply without code answered before any had run, and code ran after it.

    Where none ran at all, this is `no_code`'s to say.
    """
    answered = False
    for turn in trajectory.turns:
        if any(True for _ in _run(turn)):
            return answered
        answered = answered or (turn.answer is not None and not _has_code(turn))
    return False


def no_code(trajectory: Trajectory) -> bool:
    """No cell was executed, but for such as hold comments alone."""
    return not any(True for turn in trajectory.turns for _ in _run(turn))


def code_and_answer(trajectory: Trajectory) -> bool:
    """A reply with code has an answer too, which was given before the output was seen."""
    return any(turn.answer is not None and _has_code(turn) for turn in trajectory.turns)


def repeated_code(trajectory: Trajectory) -> bool:
    """The same code ran twice, its formatting and comments aside, and came to the same both times.

    With another outcome it was worth it: what it needs had been defined meanwhile, or defined otherwise.
    Where the kernel's state was lost in between, running code once more is what restores it, but for the
    cell that lost it.
    """
    ran: set[tuple[str, Outcome]] = set()
    cells = [cell for turn in trajectory.turns for cell in _run(turn)]
    for cell in cells if len(cells) > 1 else ():
        came_to = digest(normalised_code([cell.code])), _outcome(cell.execution)
        if came_to in ran:
            return True
        if cell.execution.state_lost:
            ran.clear()
        ran.add(came_to)
    return False


def last_error(trajectory: Trajectory) -> bool:
    """The last cell that was executed did not run to its end."""
    ran = [cell for turn in trajectory.turns for cell in _run(turn)]
    return bool(ran) and _failed(ran[-1])


def verification_only(trajectory: Trajectory) -> bool:
    """The final answer is concluded in what the model wrote before its first program.

    Concluded is what follows a sign of equality or a word like "is", or stands in a box. An answer that the
    problem's own text holds may stand there for many reasons, and is none of this.
    """
    answer = _plain(trajectory.answer or "")
    if not answer or no_code(trajectory) or _stands_in(answer, _plain(trajectory.problem.text)):
        return False
    text = _plain(_prose_before_code(trajectory))
    return any(
        _CONCLUDES.search(text[max(at - _BEFORE, 0) : at])
        and not _CALCULATES_ON.match(text, at + len(answer))
        for at in _places(answer, text)
    )


def _run(turn: Turn) -> Iterator[Cell]:
    """The cells that were executed and had something to execute."""
    ran = (cell for cell in turn.cells if cell.execution.status is not ExecutionStatus.REFUSED)
    return (cell for cell in ran if has_statement(cell.code))


def _outcome(execution: Execution) -> Outcome:
    error = (execution.error.name, execution.error.message) if execution.error else None
    return execution.status, execution.stdout, execution.result, error


def _failed(cell: Cell) -> bool:
    return cell.execution.status is not ExecutionStatus.OK


def _has_code(turn: Turn) -> bool:
    # A call that could not be followed has no cell.
    return bool(turn.cells or turn.completion.tool_calls)


def _answering(trajectory: Trajectory) -> int | None:
    """Number of the reply whose answer counts."""
    if trajectory.answer is None:
        return None
    answers = [number for number, turn in enumerate(trajectory.turns) if turn.answer is not None]
    return answers[-1] if answers else None


def _prose_before_code(trajectory: Trajectory) -> str:
    said: list[str] = []
    for turn in trajectory.turns:
        text = turn.completion.text[: turn.kept]
        first = next(_run(turn), None)
        if first is not None:
            said.append(text if first.call_id is not None else text[: first.start])
            break
        said.append(text)
    return "\n".join(said)


def _plain(text: str) -> str:
    text = _BOLD.sub(" ", unicodedata.normalize("NFKC", text).replace("$", " "))
    return _THOUSANDS.sub("", text).strip()


def _stands_in(answer: str, text: str) -> bool:
    return next(_places(answer, text), None) is not None


def _places(answer: str, text: str) -> Iterator[int]:
    """Where `answer` stands in `text` as a whole, and not inside a longer number or word."""
    at = text.find(answer)
    while at >= 0:
        if _apart(text, at, at + len(answer)):
            yield at
        at = text.find(answer, at + 1)


def _apart(text: str, start: int, end: int) -> bool:
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    first, last = text[start], text[end - 1]
    if first.isalnum() and (_joins(before[-1:]) or before[-1:] == "\\"):
        return False
    if first.isdigit() and (before[-1:] == "-" or (before[-1:] in {".", ","} and before[:1].isdigit())):
        return False
    if last.isalnum() and _joins(after[:1]):
        return False
    return not (last.isdigit() and after[:1] in {".", ","} and after[1:].isdigit())


def _joins(character: str) -> bool:
    """Whether it makes a longer word or number of what it stands beside. Chinese has no spaces."""
    return character == "_" or (character.isalnum() and not _CHINESE.match(character))
