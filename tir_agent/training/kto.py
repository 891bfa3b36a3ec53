"""KTO with a mask for each token (arXiv:2402.01306; multi-turn, arXiv:2409.02392).

As `tir_agent.training.dpo`. The KL term is estimated from completions that were given to other prompts of the
same batch; they keep their masks on the way.
"""

from __future__ import annotations

from typing import Any

from trl import KTOConfig, KTOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from tir_agent.training.masking import loss_mask, pad_token_id, require_columns

__all__ = ["LabelledCollator", "MaskedKTOTrainer"]

_IDS, _MASK = "completion_ids", "completion_mask"
_KL_IDS, _KL_MASK = "KL_completion_ids", "KL_completion_mask"


class LabelledCollator(DataCollatorForUnpairedPreference):  # type: ignore[misc]
    """TRL's batches, with both completion masks zero wherever the rows' masks are."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        for name in (_MASK, _KL_MASK):
            if name in batch:
                masks = [(row["prompt_ids"], row[name]) for row in examples]
                batch[name] = batch[name] * loss_mask(masks, batch[name])
        return batch


class MaskedKTOTrainer(KTOTrainer):  # type: ignore[misc]
    """`KTOTrainer` for data sets of `prepare`; `max_length` of its configuration is not used.

    Rows for training are shuffled, by the seed: trainings read them in order, and neighbours of one problem
    would not do for the KL term, which wants completions of others.

    Raises:
        UsageError: a data set has no masks.
    """

    _signature_columns: list[str]

    def __init__(self, model: Any, args: KTOConfig, processing_class: Any, **others: Any) -> None:
        collator = LabelledCollator(pad_token_id=pad_token_id(processing_class))
        super().__init__(
            model=model, args=args, processing_class=processing_class, data_collator=collator, **others
        )

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        require_columns(dataset, ("prompt_ids", _IDS, _MASK, "label"))
        if dataset_name == "train":
            dataset = dataset.shuffle(seed=args.seed if args.data_seed is None else args.data_seed)
        if not self.calculate_KL:
            return dataset
        return dataset.map(_rotated, batched=True, batch_size=args.per_device_train_batch_size)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns = list(dict.fromkeys([*self._signature_columns, _MASK, _KL_MASK]))


def _rotated(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The completion of the row before, for each row of a batch; the last one's for the first."""
    return {
        _KL_IDS: [batch[_IDS][-1], *batch[_IDS][:-1]],
        _KL_MASK: [batch[_MASK][-1], *batch[_MASK][:-1]],
    }
