"""DPO with a mask for each token (multi-turn DPO, arXiv:2409.02392).

TRL's own trainer has a loss on everything behind the prompt, outputs of the interpreter included. This one
takes rows that `tir_agent.training.rows` encoded, and hands their masks to TRL's loss. It stands on hooks
that TRL keeps for itself, hence the pinned version; tests compare the loss with one computed by hand.
"""

from __future__ import annotations

from typing import Any

from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from tir_agent.training.masking import loss_mask, pad_token_id, require_columns

__all__ = ["MaskedDPOTrainer", "PairCollator"]

_MASKS = ("chosen_mask", "rejected_mask")


class PairCollator(DataCollatorForPreference):  # type: ignore[misc]
    """TRL's batches, with `completion_mask` zero wherever the rows' masks are."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        # The first half of a batch is the chosen sides, the second the rejected ones.
        masks = [(row["prompt_ids"], row[name]) for name in _MASKS for row in examples]
        batch["completion_mask"] = batch["completion_mask"] * loss_mask(masks, batch["completion_mask"])
        return batch


class MaskedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """`DPOTrainer` for data sets of `prepare`; `max_length` of its configuration is not used.

    Raises:
        UsageError: a data set has no masks.
    """

    _signature_columns: list[str]

    def __init__(self, model: Any, args: DPOConfig, processing_class: Any, **others: Any) -> None:
        collator = PairCollator(pad_token_id=pad_token_id(processing_class))
        super().__init__(
            model=model, args=args, processing_class=processing_class, data_collator=collator, **others
        )

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return require_columns(dataset, ("prompt_ids", "chosen_ids", "rejected_ids", *_MASKS))

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns = list(dict.fromkeys([*self._signature_columns, *_MASKS]))
