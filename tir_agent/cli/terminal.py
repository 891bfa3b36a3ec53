"""Standard error: what the program itself has to say."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from tir_agent.console import printable
from tir_agent.errors import TirError, UsageError

__all__ = ["EXIT_INTERRUPTED", "EXIT_MACHINERY", "EXIT_NO_ANSWER", "EXIT_USAGE", "fail", "say"]

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
    Console(stderr=True).print(Text(printable(text), style=style), soft_wrap=True)


def fail(error: TirError) -> int:
    """Say what went wrong and what to do about it; returns the exit status."""
    console = Console(stderr=True)
    console.print(Text.assemble(("error: ", "bold red"), printable(error.message)), soft_wrap=True)
    if error.hint:
        console.print(Text.assemble(("hint: ", "bold cyan"), printable(error.hint)), soft_wrap=True)
    return EXIT_USAGE if isinstance(error, UsageError) else EXIT_MACHINERY
