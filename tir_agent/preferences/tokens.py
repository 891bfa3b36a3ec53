"""Pieces of text to token ids, each on its own, so that no token belongs to two pieces."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tir_agent.errors import MaskError, MaskRefusal

__all__ = ["Piece", "SpecialTokens", "TokenPieces", "Tokenizer"]

_ANCHORS: Final = ("\x01", "\x02", "\n", "|", "a")
"""Texts to stand before a piece where a tokenizer begins every text with a space of its own."""
_STATE = threading.Lock()
"""Whether special tokens are recognised is a state of the tokenizer, not of a call."""


class AddedToken(Protocol):
    """A token that is recognised in a text before it is split."""

    content: str
    special: bool
    rstrip: bool


class Tokenizer(Protocol):
    """The part of `transformers.PreTrainedTokenizerFast` that is used here."""

    bos_token_id: int | None
    eos_token_id: int | None

    @property
    def all_special_ids(self) -> list[int]: ...
    @property
    def added_tokens_decoder(self) -> dict[int, Any]: ...
    @property
    def special_tokens_map(self) -> dict[str, Any]: ...
    def __len__(self) -> int: ...
    def __call__(
        self, text: list[str], *, add_special_tokens: bool, split_special_tokens: bool, verbose: bool
    ) -> Mapping[str, Any]: ...
    def decode(self, token_ids: list[int], *, skip_special_tokens: bool) -> Any: ...
    def get_chat_template(self, chat_template: str | None, tools: list[Any] | None) -> str: ...
    def apply_chat_template(
        self,
        conversation: list[Any],
        *,
        tools: list[Any] | None,
        chat_template: str | None,
        add_generation_prompt: bool,
        tokenize: bool,
    ) -> Any: ...


@dataclass(frozen=True)
class Piece:
    """A stretch of the text that becomes tokens of its own."""

    text: str
    loss: bool
    given: bool
    """It stands before the first thing that is to be learnt."""
    template: bool
    """Written by the template: special tokens are recognised in it, as they are in no other text."""
    ids: tuple[int, ...] | None = None
    """As they were sampled. They are taken if they are this text."""

    def joined(self, other: Piece) -> Piece | None:
        """Both as one piece, where nothing demands a border between them."""
        if self.ids is not None or other.ids is not None:
            return None
        if (self.loss, self.given, self.template) != (other.loss, other.given, other.template):
            return None
        return Piece(self.text + other.text, self.loss, self.given, self.template)


class SpecialTokens:
    """The tokens of a tokenizer that are no ordinary text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        added = tokenizer.added_tokens_decoder
        self.ids = frozenset(tokenizer.all_special_ids) | {n for n, token in added.items() if token.special}
        self._special = tuple(added[n].content for n in self.ids if n in added)
        # Gemma's table has runs of line breaks among its added tokens: they end nothing.
        shown = [token for token in added.values() if token.content.strip()]
        self._endings = {token.content: bool(token.rstrip) for token in shown}
        self._longest = max(map(len, self._endings), default=0)

    def beginning(self, text: str) -> str:
        """The special or added token that `text` begins with, and the white space that it swallows."""
        for length in range(min(self._longest, len(text)), 0, -1):
            swallows = self._endings.get(text[:length])
            if swallows is not None:
                after = text[length:]
                return text[: length + len(after) - len(after.lstrip())] if swallows else text[:length]
        return ""

    def count(self, text: str) -> int:
        """How often a special token's text occurs."""
        return sum(text.count(token) for token in self._special)

    def last(self, text: str) -> int:
        """Where the special token begins that ends `text`, white space aside; -1 where none does."""
        bare = text.rstrip()
        return max((len(bare) - len(one) for one in self._special if bare.endswith(one)), default=-1)


class TokenPieces:
    """Encodes pieces, and proves of each that its tokens say what it says."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._special = SpecialTokens(tokenizer).ids
        self._anchor = self._needed_anchor()

    def encode(self, pieces: Sequence[Piece]) -> list[list[int]]:
        """The token ids of each piece.

        Raises:
            MaskError: a piece's tokens are not its text.
        """
        found: dict[int, list[int]] = {}
        for number, piece in enumerate(pieces):
            if piece.ids is not None and (sampled := self._sampled(piece.text, piece.ids)) is not None:
                found[number] = sampled
        for template in (True, False):
            chosen = [n for n, piece in enumerate(pieces) if piece.template is template and n not in found]
            # The very first piece is where the tokenizer's own beginning of a text belongs.
            anchors = [self._anchor if n else "" for n in chosen]
            texts = [anchor + pieces[n].text for n, anchor in zip(chosen, anchors, strict=True)]
            for n, anchor, text, ids in zip(chosen, anchors, texts, self._ids(texts, template), strict=True):
                found[n] = self._proven(anchor, text, ids, template)
        return [found[number] for number in range(len(pieces))]

    def _ids(self, texts: list[str], template: bool) -> list[list[int]]:
        if not texts:
            return []
        with _STATE:
            try:
                encoded = self._tokenizer(
                    texts, add_special_tokens=False, split_special_tokens=not template, verbose=False
                )
            finally:
                backend = getattr(self._tokenizer, "backend_tokenizer", None)
                if backend is not None:
                    backend.encode_special_tokens = getattr(self._tokenizer, "split_special_tokens", False)
        return [list(ids) for ids in encoded["input_ids"]]

    def _decoded(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))

    def _proven(self, anchor: str, text: str, ids: list[int], template: bool) -> list[int]:
        before = self._ids([anchor], template)[0] if anchor else []
        decoded = self._decoded(ids)
        # Special tokens may swallow the white space around them; that is the template's, and no one else's.
        same = decoded == text or (template and "".join(decoded.split()) == "".join(text.split()))
        if not same or ids[: len(before)] != before:
            raise MaskError(
                f"The tokenizer cannot write {_shown(text[len(anchor) :], decoded[len(anchor) :])} "
                "so that it reads the same again",
                refusal=MaskRefusal.TOKENIZER,
                hint="Use a tokenizer that keeps text as it is: byte-level, or one with byte fallback",
            )
        return ids[len(before) :]

    def _needed_anchor(self) -> str:
        """Empty, unless the tokenizer begins every text with a space: pieces must not have one each."""
        ids = self._ids(["a"], False)[0]
        if self._decoded(ids + ids) == "aa":
            return ""
        for anchor in _ANCHORS:
            alone, more = self._ids([anchor, anchor + "a b"], False)
            if more[: len(alone)] == alone and self._decoded(more) == anchor + "a b":
                return anchor
        raise MaskError(
            "The tokenizer begins each piece of a text with a space, and nothing can be put before it",
            refusal=MaskRefusal.TOKENIZER,
            hint="Load it with add_prefix_space=False",
        )

    def _sampled(self, text: str, ids: tuple[int, ...]) -> list[int] | None:
        """The recorded ids without what ended them; None where they are not this text."""
        kept = list(ids)
        if not all(0 <= one < len(self._tokenizer) for one in kept):
            return None
        before = self._ids([self._anchor], False)[0] if self._anchor else []
        while True:
            if self._decoded(before + kept) == self._anchor + text:
                return kept
            if not kept or kept[-1] not in self._special:
                return None
            kept.pop()


def _shown(text: str, decoded: str) -> str:
    at = next((n for n, (a, b) in enumerate(zip(text, decoded, strict=False)) if a != b), len(decoded))
    return repr(text[at : at + 20])
