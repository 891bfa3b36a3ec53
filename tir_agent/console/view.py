"""A run on a terminal: prose as it comes, code highlighted, output beneath it, errors in red.

The same renderer draws a recorded run, by playing its turns. Where standard output is not a terminal
the layout is the same and no control code is written. Whatever a model or its code wrote is stripped
of control characters first: it must not be able to move the cursor.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from rich.console import Console
from rich.status import Status
from rich.syntax import Syntax
from rich.text import Text

from tir_agent.agent import Observer
from tir_agent.observation import strip_ansi
from tir_agent.protocols import Action
from tir_agent.trajectory import (
    Cell,
    ExecutionStatus,
    Feedback,
    Grade,
    Message,
    Origin,
    StopReason,
    Verdict,
)

__all__ = ["RunView", "printable", "seconds_text"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BAR = "  │ "
_SHOWN_LINES = 40
"""Lines of one output on the screen; the record keeps all of it."""

_STOPPED = {
    StopReason.TURN_LIMIT: "no answer within the limit of turns",
    StopReason.TOKEN_LIMIT: "no answer within the limit of tokens",
    StopReason.TIME_LIMIT: "no answer within the limit of time",
    StopReason.ERROR_LIMIT: "no answer: too many programs failed in a row",
    StopReason.CONTEXT_FULL: "no answer: the conversation no longer fits the model's context",
    StopReason.NO_ACTION: "no answer: the model neither ran code nor gave one",
    StopReason.REPETITION: "no answer: the model ran the same program again and again",
    StopReason.INTERRUPTED: "stopped by you",
    StopReason.ERROR: "stopped by a failure around the model",
}
_ASKED = {
    Feedback.NUDGE: "neither code nor an answer: the model was asked to go on",
    Feedback.CODE_FIRST: "the answer does not count before code has run: the model was asked to run some",
    Feedback.VERIFY: "the model was asked to check its answer",
    Feedback.FORCED: "no answer: the model was made to end the sentence that gives one",
}
_VERDICTS = {
    Verdict.CORRECT: ("✓ correct", "green"),
    Verdict.WRONG: ("✗ wrong", "red"),
    Verdict.UNGRADABLE: ("? could not be graded", "yellow"),
    Verdict.TIMEOUT: ("? grading took too long", "yellow"),
}


def printable(text: str) -> str:
    """Without terminal control codes and characters that no terminal can show."""
    return _CONTROL.sub("", strip_ansi(text.replace("\r\n", "\n")))


class RunView(Observer):
    """Draws one run while it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line = ""
        """The part of the current line that is not on the screen yet."""
        self._partial = False
        """Whether the cursor stands behind a piece of a line."""
        self._fence = ""
        """The fence that is open, or nothing."""
        self._calls = False
        """Whether the newest reply's code stands in tool calls."""
        self._status: Status | None = None
        self._interrupt: Callable[[], Awaitable[None]] | None = None

    @property
    def interrupt_cell(self) -> Callable[[], Awaitable[None]] | None:
        """Raises KeyboardInterrupt in the code that runs now; None while none does."""
        return self._interrupt

    def problem(self, text: str) -> None:
        """The problem stands above all."""
        self._console.print(Text(printable(text), style="bold"))
        self._console.print()

    def waiting(self, what: str) -> None:
        """Turn a spinner until something is drawn; nothing where there is no terminal."""
        self._settle()
        if self._console.is_terminal:
            self._status = self._console.status(Text(what, style="dim"))
            self._status.start()

    def quiet(self) -> None:
        """Stop the spinner, so that something else can be printed."""
        self._settle()

    def note(self, text: str, style: str = "dim") -> None:
        """A remark of the program's own."""
        self._end_line()
        self._console.print(Text(printable(text), style=style))

    def reply_started(self, turn: int) -> None:
        self._fence = ""
        self.waiting("thinking")

    def text(self, piece: str) -> None:
        self._settle()
        self._line += printable(piece)
        *lines, self._line = self._line.split("\n")
        for line in lines:
            self._whole_line(line)
        # Prose appears as it comes; code, and what may become a fence, line by line.
        if self._line and not self._fence and not self._line.lstrip(" ").startswith("`"):
            self._console.print(Text(self._line), end="", soft_wrap=True)
            self._partial = True
            self._line = ""

    def restart(self, reason: str) -> None:
        self._end_line()
        self._fence = ""
        self.note(f"The reply broke off ({reason}); asking again", "yellow")

    def reply_ended(self, action: Action) -> None:
        self.end_reply()
        self._calls = any(block.call_id is not None for block in action.blocks)

    def end_reply(self) -> None:
        """What is still held back of a reply's last line is drawn."""
        self._end_line()
        self._fence = ""

    def cell_started(self, code: str, interrupt: Callable[[], Awaitable[None]]) -> None:
        self._interrupt = interrupt
        if self._calls:
            self.code(code)
        self.waiting("running")

    def code(self, code: str) -> None:
        """Code that stands in a tool call, and not in the reply's text."""
        self._end_line()
        for line in printable(code).splitlines():
            self._code_line(line)

    def cell_ended(self, cell: Cell) -> None:
        self._interrupt = None
        self._settle()
        execution = cell.execution
        if self._calls and execution.status is ExecutionStatus.REFUSED:
            self.code(cell.code)
        failed = execution.status is not ExecutionStatus.OK
        self._console.print(Text(f"  └─ {seconds_text(execution.duration)}", style="dim"))
        lines = printable(cell.shown).splitlines()
        hidden = len(lines) - _SHOWN_LINES
        if hidden > 0:
            half = _SHOWN_LINES // 2
            lines = [*lines[:half], f"... [{hidden} lines not shown here] ...", *lines[-half:]]
        style = "red" if failed else "green"
        self._console.print(Text("\n".join(f"  {line}" for line in lines), style=style), soft_wrap=True)
        self._console.print()

    def told(self, message: Message, kinds: Sequence[Feedback]) -> None:
        """Of what the agent says a critic's words are new to a reader, and that it asked for something."""
        self.asked(kinds)
        for text, origin in message.pieces:
            if origin is Origin.CRITIC:
                self.note(f"A critic: {text}", "magenta")

    def started_again(self) -> None:
        self.note("(given up, since no code was run; the model starts again)")

    def asked(self, kinds: Sequence[Feedback]) -> None:
        """What the model was asked for, where that explains why it goes on."""
        for kind in kinds:
            if kind in _ASKED:
                self.note(f"({_ASKED[kind]})")

    def stopped(self, reason: StopReason, answer: str | None) -> None:
        self._interrupt = None
        self._end_line()
        if reason is StopReason.ANSWERED:
            line = Text("Answer: ", style="bold")
            line.append(printable(answer or ""), style="bold green")
        else:
            line = Text(_STOPPED[reason].capitalize(), style="bold yellow")
        self._console.print()
        self._console.print(line, soft_wrap=True)

    def graded(self, grade: Grade) -> None:
        self._end_line()
        text, style = _VERDICTS[grade.verdict]
        self._console.print(Text.assemble((text, style), (f"  ({printable(grade.reason)})", "dim")))

    def _whole_line(self, line: str) -> None:
        opening = re.match(r" {0,3}(`{3,})\s*(\w*)", line)
        if self._fence and opening and not opening[2] and len(opening[1]) >= len(self._fence):
            self._fence = ""
        elif self._fence:
            self._code_line(line)
        elif opening and not self._partial:
            self._fence = opening[1]
        else:
            self._console.print(Text(line), soft_wrap=True)
            self._partial = False

    def _code_line(self, line: str) -> None:
        self._console.print(Text(_BAR, style="dim"), end="")
        self._console.print(_highlighted(line), soft_wrap=True)

    def _end_line(self) -> None:
        self._settle()
        if self._line:
            self._whole_line(self._line)
            self._line = ""
        if self._partial:
            self._console.print()
            self._partial = False

    def _settle(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def _highlighted(line: str) -> Text:
    text = Syntax("", "python", theme="ansi_dark").highlight(line)
    text.rstrip()
    return text


def seconds_text(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
