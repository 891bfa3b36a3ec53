"""What carries the loss in the first batch, to be read by whoever starts a training, and checked."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from tir_agent.messages import Origin
from tir_agent.preferences.conversation import Conversation
from tir_agent.training.rows import IGNORED, Prepared

__all__ = ["MaskBroken", "Stretch", "check_first_batch", "stretches"]

_LOG: Final = logging.getLogger(__name__)
_SHOWN_ROWS: Final = 4
_SHOWN_CHARS: Final = 160
_TELLING_CHARS: Final = 8
"""An output of fewer characters may be a part of anything."""
_HALF: Final = "\ufffd"
"""What a decoder puts for a part of a character."""


class MaskBroken(AssertionError):
    """A batch has a loss on something that the model did not write."""


class Stretch(NamedTuple):
    """Tokens in a row that all have a loss, or that all have none."""

    loss: bool
    ids: tuple[int, ...]


def stretches(ids: Sequence[int], mask: Sequence[bool]) -> Iterator[Stretch]:
    """Cut a sequence where the mask changes.

    >>> [(loss, ids) for loss, ids in stretches([5, 6, 7], [False, True, True])]
    [(False, (5,)), (True, (6, 7))]
    """
    start = 0
    for end in range(1, len(ids) + 1):
        if end == len(ids) or mask[end] != mask[start]:
            yield Stretch(mask[start], tuple(ids[start:end]))
            start = end


def check_first_batch(trainer: Any, prepared: Prepared) -> None:
    """Log what the trainer's first batch has a loss on, decoded, and make sure that the model wrote it.

    The batch is taken behind everything that the trainer does to its data. Each stretch of tokens with a
    loss must stand in the pieces that the model wrote, in their order; so no character of the interpreter's
    is among them. (Where tools are called, which each template writes in a way of its own, no output may be
    in it.) Completions of KTO's KL term must have the masks that they have with their own prompt.

    Raises:
        MaskBroken: that is not so.
    """
    batch = next(iter(trainer.get_train_dataloader()))
    tokenizer = trainer.processing_class
    rows = list(_rows(batch, ""))
    tokens, with_loss = sum(len(ids) for ids, _ in rows), sum(sum(mask) for _, mask in rows)
    _LOG.info("First batch: %d sequences, %d tokens, %d with loss", len(rows), tokens, with_loss)
    for number, (ids, mask) in enumerate(rows):
        cut = list(stretches(ids, mask))
        if number < _SHOWN_ROWS:
            _LOG.info("Sequence %d", number + 1)
            for stretch in cut:
                sign = "loss   " if stretch.loss else "no loss"
                _LOG.info("  %s %s", sign, _excerpt(tokenizer.decode(stretch.ids)))
        conversation = prepared.conversation(ids)
        if conversation is None:
            raise MaskBroken(f"sequence {number + 1} of the first batch is of no row: the trainer changed it")
        _check(cut, conversation, tokenizer)
    _check_rotated(batch, rows)


def _rows(batch: Any, prefix: str) -> Iterator[tuple[list[int], list[bool]]]:
    """Token ids and mask of each sequence, without the padding."""
    ids = batch[f"{prefix}input_ids"]
    mask = batch["labels"] != IGNORED if "labels" in batch else batch[f"{prefix}completion_mask"] == 1
    lengths = batch[f"{prefix}attention_mask"].sum(dim=1).tolist()
    for row, losses, length in zip(ids.tolist(), mask.tolist(), lengths, strict=True):
        if any(losses[length:]):
            raise MaskBroken("the padding of the first batch has a loss")
        yield row[:length], losses[:length]


def _check(cut: Sequence[Stretch], conversation: Conversation, tokenizer: Any) -> None:
    # Half a character, which only a sampled text can have, is written as a question mark.
    wrote = [text.encode("utf-8", "replace").decode() for text in conversation.model_text()]
    ends = set(tokenizer.all_special_ids)
    learnt = [
        tokenizer.decode([token for token in stretch.ids if token not in ends]).strip(_HALF).strip()
        for stretch in cut
        if stretch.loss
    ]
    if any(message.tool_calls for message in conversation.learnt):
        _check_calls(learnt, wrote, conversation)
        return
    piece, at = 0, 0
    for text in learnt:
        while piece < len(wrote) and (found := wrote[piece].find(text, at)) < 0:
            piece, at = piece + 1, 0
        if piece == len(wrote):
            raise MaskBroken(f"a loss stands on text that the model did not write there: {_excerpt(text)}")
        at = found + len(text)


def _check_calls(learnt: Sequence[str], wrote: Sequence[str], conversation: Conversation) -> None:
    """Templates write the arguments of a call each in a way of its own: look for outputs alone."""
    for message in conversation.learnt:
        for text, origin in message.pieces:
            output = text.strip()
            if origin is not Origin.INTERPRETER or len(output) < _TELLING_CHARS:
                continue
            if sum(run.count(output) for run in learnt) > sum(piece.count(output) for piece in wrote):
                raise MaskBroken(f"a loss stands on what the interpreter wrote: {_excerpt(output)}")


def _check_rotated(batch: Any, rows: Sequence[tuple[list[int], list[bool]]]) -> None:
    if "KL_input_ids" not in batch:
        return
    for number, (ids, mask) in enumerate(_rows(batch, "KL_")):
        before = rows[number - 1]
        learnt = [token for token, loss in zip(ids, mask, strict=True) if loss]
        if learnt != [token for token, loss in zip(*before, strict=True) if loss]:
            raise MaskBroken(f"the KL term's sequence {number + 1} has not the mask of its completion")


def _excerpt(text: str) -> str:
    half = _SHOWN_CHARS // 2
    if len(text) > _SHOWN_CHARS:
        text = f"{text[:half]} … {text[-half:]}"
    return repr(text)
