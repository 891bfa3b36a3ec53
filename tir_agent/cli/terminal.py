"""Standard error: what the program itself has to say."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from tir_agent.console import printable
from tir_agent.errors import TirError, UsageError

__all__ = ["EXIT_INTERRUPTED", "EXIT_MACHINERY", "EXIT_NO_ANSWER", "EXIT_USAGE", "Progress", "fail", "say"]

EXIT_MACHINERY = 1
"""The model server, the sandbox or the disk failed."""
EXIT_USAGE = 2
"""What was asked for cannot be done as asked."""
EXIT_NO_ANSWER = 3
"""The run ended without an answer."""
EXIT_INTERRUPTED = 130
"""Ctrl-C."""


def say(text: str, style: str = "dim") -> None:
    """One line on standard error."""
    Console(stderr=True, soft_wrap=True).print(Text(printable(text), style=style), soft_wrap=True)


def fail(error: TirError) -> int:
    """Say what went wrong and what to do about it; returns the exit status."""
    console = Console(stderr=True, soft_wrap=True)
    console.print(Text.assemble(("error: ", "bold red"), printable(error.message)), soft_wrap=True)
    if error.hint:
        console.print(Text.assemble(("hint: ", "bold cyan"), printable(error.hint)), soft_wrap=True)
    return EXIT_USAGE if isinstance(error, UsageError) else EXIT_MACHINERY


class Progress:
    """Slow work under way: on a terminal its newest line beside a spinner, elsewhere every line."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, soft_wrap=True)
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def line(self, line: str) -> None:
        """Safe to call from any thread."""
        text = Text(printable(line), style="dim", no_wrap=True, overflow="ellipsis")
        if not self._console.is_terminal:
            self._console.print(text, soft_wrap=True)
        elif self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._status.update(text)
