"""What the three recipes have in common as programs: their help, and how they end."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections.abc import Callable

from transformers.utils.logging import disable_progress_bar

from tir_agent.errors import TirError
from tir_agent.training.progress import METRICS

__all__ = ["Help", "run_recipe"]


class Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """The description as it is written, and each option with its default where it has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def run_recipe(main: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> None:
    """Run a recipe with plain lines for its progress.

    A mistake ends it with a sentence and status 1, an interruption with status 130 and what is in
    `options.out`; never a traceback for either.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    disable_progress_bar()
    # The new name is not known to all versions of transformers that are allowed, and TRL has the old one too.
    warnings.filterwarnings(
        "ignore", message="`(is_)?gradient_checkpointing` is deprecated", category=FutureWarning
    )
    try:
        main(options)
    except TirError as error:
        sys.exit(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
    except KeyboardInterrupt:
        # The figures are written last: with them, the model is whole.
        saved = (options.out / METRICS).is_file()
        logging.info("Interrupted: %s", f"{options.out} holds the model" if saved else "nothing was saved")
        sys.exit(130)
