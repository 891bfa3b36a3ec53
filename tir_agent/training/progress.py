"""A training's progress in plain lines, and its figures in a file beside the model."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from transformers import PrinterCallback, TrainerCallback

from tir_agent.training.rows import Account

__all__ = ["METRICS", "Narrator", "narrate", "save", "train_and_save"]

METRICS: Final = "training.json"
_LOG: Final = logging.getLogger(__name__)
_SHOWN: Final = {
    "loss": "loss",
    "eval_loss": "validation loss",
    "rewards/margins": "margin",
    "eval_rewards/margins": "validation margin",
    "rewards/accuracies": "accuracy",
    "eval_rewards/accuracies": "validation accuracy",
    "kl": "kl",
    "grad_norm": "gradient",
}
_PACKAGES: Final = ("tir-agent", "torch", "transformers", "trl")


class Narrator(TrainerCallback):  # type: ignore[misc]
    """One line for each entry of the trainer's log."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **_: Any) -> None:
        figures = [f"{name} {float(logs[key]):.4g}" for key, name in _SHOWN.items() if key in logs]
        if figures:
            seconds = time.monotonic() - self._started
            _LOG.info(
                "Step %d of %d: %s (%.0f s)", state.global_step, state.max_steps, ", ".join(figures), seconds
            )


def narrate(trainer: Any) -> None:
    """Put the lines in the place of the trainer's own printing."""
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Narrator())


def train_and_save(
    trainer: Any, folder: Path, settings: Mapping[str, Any], splits: Mapping[str, Account]
) -> None:
    """Train, save, and only then validate, if the trainer has rows for it: stopping that loses no weights.

    Raises:
        KeyboardInterrupt: it was stopped; the model of the steps that were done, if any, is saved.
    """
    try:
        trainer.train()
    except KeyboardInterrupt:
        if trainer.state.global_step:
            _LOG.info("Stopped after step %d of %d", trainer.state.global_step, trainer.state.max_steps)
            save(trainer, folder, settings, splits)
        raise
    save(trainer, folder, settings, splits)
    if trainer.eval_dataset is not None:
        _LOG.info("Validating on %d rows (--no-validate leaves it out)", len(trainer.eval_dataset))
        trainer.evaluate()
        _write_figures(trainer, folder, settings, splits)


def save(trainer: Any, folder: Path, settings: Mapping[str, Any], splits: Mapping[str, Account]) -> None:
    """Save the model with its tokenizer, and beside it `training.json`.

    That holds the settings, what became of the rows of each split, the trainer's log (loss by step), how
    many seconds it took and the versions of what made it.
    """
    trainer.save_model(str(folder))
    _write_figures(trainer, folder, settings, splits)
    _LOG.info("%s holds the model, %s the figures", folder, METRICS)


def _write_figures(
    trainer: Any, folder: Path, settings: Mapping[str, Any], splits: Mapping[str, Account]
) -> None:
    log = trainer.state.log_history
    figures = {
        "settings": {
            name: str(value) if isinstance(value, Path) else value for name, value in settings.items()
        },
        "rows": {name: asdict(account) for name, account in splits.items()},
        "steps": trainer.state.global_step,
        "steps_planned": trainer.state.max_steps,
        "seconds": next((entry["train_runtime"] for entry in log if "train_runtime" in entry), None),
        "log": log,
        "versions": {package: version(package) for package in _PACKAGES},
    }
    (folder / METRICS).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
