"""A conversation as token ids, and on which of them a loss may stand: those that the model wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tir_agent.preferences.appended import appended
from tir_agent.preferences.calls import forbid_vanishing_calls
from tir_agent.preferences.conversation import Conversation
from tir_agent.preferences.layout import Layout
from tir_agent.preferences.renderer import Renderer
from tir_agent.preferences.skeleton import skeleton
from tir_agent.preferences.slots import Chat
from tir_agent.preferences.tokens import Piece, SpecialTokens, Tokenizer, TokenPieces
from tir_agent.preferences.writers import came_to_its_end, plain, raw_pieces

__all__ = ["Encoded", "decoded_loss", "encode"]


@dataclass(frozen=True)
class Encoded:
    """Token ids of a conversation, and its loss mask."""

    input_ids: list[int]
    loss_mask: list[int]
    """For each token 1 where a loss may stand on it, otherwise 0."""
    opening: int
    """So many tokens are what is given: the opening's messages, and the header of the first reply."""


def encode(conversation: Conversation, tokenizer: Tokenizer, *, template: str | None = None) -> Encoded:
    """Encode a conversation as `template` writes it, or the tokenizer's own template.

    A loss stands on what the model wrote behind the opening: its text, its calls of tools, and the end of
    its turn where it came to one. No token goes across the border to what others wrote. `docs/masks.md`
    says how that is made certain.

    Raises:
        MaskError: it cannot be made certain.
    """
    conversation = plain(conversation)
    writer = TokenPieces(tokenizer)
    if conversation.raw:
        pieces = list(raw_pieces(conversation))
    else:
        pieces = list(_templated(conversation, tokenizer, template, writer.special))
    ids: list[int] = []
    mask: list[int] = []
    opening = 0
    if conversation.raw and (first := _beginning(tokenizer)) is not None:
        ids, mask, opening = [first], [0], 1
    joined = _joined(pieces)
    for piece, tokens in zip(joined, writer.encode(joined), strict=True):
        ids += tokens
        mask += [int(piece.loss)] * len(tokens)
        opening += len(tokens) if piece.given else 0
    last = len(conversation.messages) - 1
    if conversation.raw and tokenizer.eos_token_id is not None and came_to_its_end(conversation, last):
        ids.append(tokenizer.eos_token_id)
        mask.append(1)
    return Encoded(ids, mask, opening)


def decoded_loss(encoded: Encoded, tokenizer: Tokenizer) -> list[str]:
    """The text of each run of tokens on which a loss stands, for logs and for eyes."""
    runs: list[list[int]] = []
    before = 0
    for one, learnt in zip(encoded.input_ids, encoded.loss_mask, strict=True):
        if learnt and not before:
            runs.append([])
        if learnt:
            runs[-1].append(one)
        before = learnt
    pieces = TokenPieces(tokenizer)
    return [pieces.text(run) for run in runs]


def _templated(
    conversation: Conversation, tokenizer: Tokenizer, template: str | None, special: SpecialTokens
) -> Iterator[Piece]:
    if not conversation.messages:
        return
    chat = Chat(conversation)
    renderer = Renderer(tokenizer, template, chat.tools)
    forbid_vanishing_calls(chat, renderer, special)
    bones = skeleton(chat, renderer)
    if bones is None:
        yield from appended(chat, renderer, special)
    else:
        yield from Layout(bones, chat, renderer, special).pieces()


def _beginning(tokenizer: Tokenizer) -> int | None:
    """The token that the tokenizer begins every text with, if it does."""
    encoded = tokenizer(["a"], add_special_tokens=True, split_special_tokens=False, verbose=False)
    first = int(encoded["input_ids"][0][0])
    return first if first == tokenizer.bos_token_id else None


def _joined(pieces: list[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        both = joined[-1].joined(piece) if joined else None
        if both is None:
            joined.append(piece)
        else:
            joined[-1] = both
    return joined
