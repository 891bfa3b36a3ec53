"""What the trainers share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from tir_agent.errors import UsageError

__all__ = ["loss_mask", "pad_token_id", "require_columns"]


def loss_mask(rows: Iterable[tuple[Sequence[int], Sequence[int]]], like: Any) -> Any:
    """A tensor shaped as `like`: in each row zeros for the prompt's ids, then its mask, then zeros."""
    mask = torch.zeros_like(like)
    for number, (prompt, completion) in enumerate(rows):
        start = len(prompt)
        mask[number, start : start + len(completion)] = torch.tensor(completion, dtype=mask.dtype)
    return mask


def pad_token_id(tokenizer: Any) -> int:
    """Of a tokenizer; one without a padding token pads with the end of a text, which no mask lets through."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return int(tokenizer.pad_token_id)


def require_columns(dataset: Any, columns: Iterable[str]) -> Any:
    """The data set itself.

    Raises:
        UsageError: one of the columns is not there.
    """
    missing = [name for name in columns if name not in dataset.column_names]
    if missing:
        raise UsageError(
            f"The data set has no {' and no '.join(missing)}",
            hint="tir_agent.training.rows.prepare makes one of an export's rows",
        )
    return dataset
