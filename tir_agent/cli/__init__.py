"""The command `tir`. The only place that reads environment variables and prints."""

from __future__ import annotations

import os
import sys

from tir_agent.errors import TirError

__all__ = ["main"]


def main() -> None:
    """Run the command line; a mistake of the user's ends in one sentence and status 2, never a traceback."""
    try:
        from tir_agent.cli.app import app
        from tir_agent.cli.terminal import fail
    except KeyboardInterrupt:
        # Nothing has begun.
        sys.exit(130)
    try:
        app()
    except TirError as error:
        sys.exit(fail(error))
    except BrokenPipeError:
        # The reader went away (`tir show | head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
