"""From an export's rows to columns of token ids, each with a mask that says where a loss may stand.

Nothing is truncated: the answer stands at the end of a trajectory, and cut off at a limit it would teach
the opposite of what was graded. What is too long is left out, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tir_agent.errors import MaskError, UsageError
from tir_agent.preferences.conversation import Conversation
from tir_agent.preferences.dialects import conversations_of
from tir_agent.preferences.masks import Encoded, encode
from tir_agent.settings.export import ExportKind
from tir_agent.training.exports import Row

__all__ = ["IGNORED", "Account", "Prepared", "labelled_columns", "pair_columns", "prepare", "sft_columns"]

IGNORED: Final = -100
"""The label of a token without a loss, as PyTorch's cross entropy and TRL know it."""

Columns: TypeAlias = dict[str, list[int] | bool]


@dataclass
class Account:
    """What became of the rows of a split."""

    read: int = 0
    used: int = 0
    too_long: int = 0
    """Rows of which a side has more tokens than are allowed."""
    without_loss: int = 0
    """Rows of which a side has no token that is the model's own."""
    refused: Counter[str] = field(default_factory=Counter)
    """Rows that the chat template does not lay out faithfully, by the reason."""
    tokens: int = 0
    """Of the rows that are used, both sides of a pair."""
    loss_tokens: int = 0
    """Those on which the loss stands."""
    longest: int = 0
    """Tokens of the longest side that is used."""

    def __str__(self) -> str:
        dropped = [("too long", self.too_long), ("without a token of the model's", self.without_loss)]
        dropped += sorted(self.refused.items())
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped if count) or "none"
        share = self.loss_tokens / self.tokens if self.tokens else 0.0
        return (
            f"{self.used} of {self.read} rows, dropped: {reasons}; {self.tokens} tokens, {self.loss_tokens} "
            f"({share:.0%}) with loss, longest {self.longest}"
        )


class Prepared:
    """A split in token ids, and the way back from a sequence to the conversation that it was made of."""

    def __init__(self, rows: Sequence[Row], account: Account) -> None:
        self._rows = rows
        self._columns: list[Columns] = []
        self._origins: dict[int, tuple[int, int]] = {}
        self.account = account

    def add(self, row: int, columns: Columns, sides: Sequence[Encoded]) -> None:
        """Take in a row by its number."""
        self._columns.append(columns)
        for side, encoded in enumerate(sides):
            self._origins[hash(tuple(encoded.input_ids))] = (row, side)

    def conversation(self, ids: Sequence[int]) -> Conversation | None:
        """The conversation that became these tokens; None where none did."""
        origin = self._origins.get(hash(tuple(ids)))
        if origin is None:
            return None
        row, side = origin
        return conversations_of(self._rows[row])[side]

    def __len__(self) -> int:
        return len(self._columns)

    def dataset(self) -> Any:
        """A `datasets.Dataset`, for the trainers of this package."""
        from datasets import Dataset

        return Dataset.from_list(self._columns)


def pair_columns(chosen: Encoded, rejected: Encoded) -> Columns:
    """Of DPO. What both begin with is the prompt, as far as neither has a loss.

    A token may span the end of what was given; then the prompt ends before it.
    """
    given = min(chosen.opening, rejected.opening)
    pairs = zip(chosen.input_ids[:given], rejected.input_ids[:given], strict=True)
    shared = next((at for at, (one, other) in enumerate(pairs) if one != other), given)
    return {
        "prompt_ids": list(chosen.input_ids[:shared]),
        "chosen_ids": list(chosen.input_ids[shared:]),
        "rejected_ids": list(rejected.input_ids[shared:]),
        "chosen_mask": [int(loss) for loss in chosen.loss_mask[shared:]],
        "rejected_mask": [int(loss) for loss in rejected.loss_mask[shared:]],
    }


def labelled_columns(side: Encoded, label: bool) -> Columns:
    """Of KTO; `label` is true for desirable."""
    return {
        "prompt_ids": list(side.input_ids[: side.opening]),
        "completion_ids": list(side.input_ids[side.opening :]),
        "completion_mask": [int(loss) for loss in side.loss_mask[side.opening :]],
        "label": label,
    }


def sft_columns(side: Encoded) -> Columns:
    """Of SFT: labels that are the tokens themselves where a loss stands."""
    ids, mask = side.input_ids, side.loss_mask
    labels = [token if loss else IGNORED for token, loss in zip(ids, mask, strict=True)]
    return {"input_ids": list(ids), "labels": labels}


def prepare(rows: Sequence[Row], kind: ExportKind, tokenizer: Any, *, max_length: int) -> Prepared:
    """Encode the rows of a split; those that do not fit are left out and counted.

    `max_length` is in tokens, for each side of a row with what was given to it.

    Raises:
        DataError: a row is not one of TRL's dialect.
        UsageError: there are rows, and none is left.
    """
    account = Account(read=len(rows))
    prepared = Prepared(rows, account)
    columns_of = _columns_of(kind)
    for number, row in enumerate(rows):
        try:
            sides = [encode(conversation, tokenizer) for conversation in conversations_of(row)]
        except MaskError as error:
            account.refused[error.refusal.value] += 1
            continue
        if any(len(side.input_ids) > max_length for side in sides):
            account.too_long += 1
            continue
        if not all(any(side.loss_mask) for side in sides):
            account.without_loss += 1
            continue
        prepared.add(number, columns_of(sides, row), sides)
        _count(account, sides)
    if rows and not account.used:
        raise UsageError(f"No row is left to train on: {account}", hint="--max-length N allows longer ones")
    return prepared


def _columns_of(kind: ExportKind) -> Callable[[Sequence[Encoded], Mapping[str, Any]], Columns]:
    match kind:
        case ExportKind.DPO | ExportKind.STEPS:
            return lambda sides, row: pair_columns(sides[0], sides[1])
        case ExportKind.KTO:
            return lambda sides, row: labelled_columns(sides[0], bool(row["label"]))
        case ExportKind.SFT:
            return lambda sides, row: sft_columns(sides[0])


def _count(account: Account, sides: Iterable[Encoded]) -> None:
    account.used += 1
    for side in sides:
        account.tokens += len(side.input_ids)
        account.loss_tokens += sum(map(bool, side.loss_mask))
        account.longest = max(account.longest, len(side.input_ids))
