"""SFT on labels that are there already: `SFTTrainer` neither tokenises nor masks nor truncates them."""

from __future__ import annotations

from typing import Any

from trl import SFTTrainer

from tir_agent.training.masking import require_columns

__all__ = ["MaskedSFTTrainer"]


class MaskedSFTTrainer(SFTTrainer):  # type: ignore[misc]
    """`SFTTrainer` for data sets of `prepare`; `max_length` of its configuration is not used.

    Raises:
        UsageError: a data set has no labels.
    """

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return require_columns(dataset, ("input_ids", "labels"))
