"""The benchmark of masks sees what is in the wrong place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tir_agent.preferences import Conversation, Encoded, encode

import masks
from encoders import hostile_conversation, template, tokenizer


def all_learnt(conversation: Conversation, tokenizer: Any, *, template: str | None) -> Encoded:
    encoded = encode(conversation, tokenizer, template=template)
    return replace(encoded, loss_mask=[1] * len(encoded.input_ids))


def none_learnt(conversation: Conversation, tokenizer: Any, *, template: str | None) -> Encoded:
    encoded = encode(conversation, tokenizer, template=template)
    return replace(encoded, loss_mask=[0] * len(encoded.input_ids))


@pytest.mark.parametrize("name", ["chatml", "chatml_generation", "gemma"])
def test_right_masks_are_right(name: str) -> None:
    conversations = [hostile_conversation(seed) for seed in range(80)]
    row = masks.measure(masks.Row("bytes", name), conversations, tokenizer("bytes"), template(name))
    assert row.right
    assert row.conversations == 80
    assert row.model > 1000
    assert not row.refused


def test_a_loss_on_everything_or_nothing_is_seen() -> None:
    conversations = [hostile_conversation(seed) for seed in range(5)]
    for make in (all_learnt, none_learnt):
        row = masks.Row("bytes", "chatml")
        masks.measure(row, conversations, tokenizer("bytes"), template("chatml"), make)
        assert not row.right


def test_refusals_are_counted_by_reason() -> None:
    row = masks.Row("words", "chatml")
    masks.measure(row, [hostile_conversation(1)], tokenizer("words"), template("chatml"))
    assert sum(row.refused.values()) == row.conversations == 1
    assert "tokenizer: 1" in masks.report([row])[-1]
