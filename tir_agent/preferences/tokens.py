"""Pieces of text to token ids, each on its own, so that no token belongs to two pieces."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

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
    unk_token_id: int | None

    @property
    def is_fast(self) -> bool: ...
    @property
    def all_special_ids(self) -> list[int]: ...
    @property
    def added_tokens_decoder(self) -> dict[int, Any]: ...
    @property
    def special_tokens_map(self) -> dict[str, Any]: ...
    def __len__(self) -> int: ...
    def __call__(
        self,
        text: list[str],
        *,
        add_special_tokens: bool,
        split_special_tokens: bool,
        return_offsets_mapping: bool = False,
        verbose: bool,
    ) -> Mapping[str, Any]: ...
    def decode(
        self, token_ids: list[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool
    ) -> Any: ...
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

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> SpecialTokens:
        """Those of `tokenizer`, asked for once: a large one takes a tenth of a second to tell them."""
        state = (len(tokenizer), *tokenizer.all_special_ids)
        known = _KNOWN.get(tokenizer)
        if known is None or known[0] != state:
            known = _KNOWN[tokenizer] = (state, cls(tokenizer))
        return known[1]

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


_KNOWN: Final[WeakKeyDictionary[Tokenizer, tuple[tuple[int, ...], SpecialTokens]]] = WeakKeyDictionary()


class TokenPieces:
    """Encodes pieces, and proves of each that its tokens say what it says."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.special = SpecialTokens.of(tokenizer)
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

    def text(self, ids: list[int]) -> str:
        """The text of `ids`, as it is in the middle of a text."""
        if not self._anchor:
            return self._decoded(ids)
        return self._decoded(self._ids([self._anchor], False)[0] + ids)[len(self._anchor) :]

    def _ids(self, texts: list[str], template: bool) -> list[list[int]]:
        return [list(ids) for ids in self._encoded(texts, template)["input_ids"]] if texts else []

    def _encoded(self, texts: list[str], template: bool, *, offsets: bool = False) -> Mapping[str, Any]:
        with _STATE:
            try:
                return self._tokenizer(
                    texts,
                    add_special_tokens=False,
                    split_special_tokens=not template,
                    return_offsets_mapping=offsets,
                    verbose=False,
                )
            finally:
                backend = getattr(self._tokenizer, "backend_tokenizer", None)
                if backend is not None:
                    backend.encode_special_tokens = getattr(self._tokenizer, "split_special_tokens", False)

    def _decoded(self, ids: list[int]) -> str:
        text = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(text)

    def _proven(self, anchor: str, text: str, ids: list[int], template: bool) -> list[int]:
        before = self._ids([anchor], template)[0] if anchor else []
        says = self._decoded(ids)
        # Special tokens may swallow the white space around them; that is the template's, and no one else's.
        same = says == text or (template and "".join(says.split()) == "".join(text.split()))
        if ids[: len(before)] != before or not (same or self._covers(text, ids, template)):
            raise MaskError(
                f"The tokenizer loses a part of {_shown(text[len(anchor) :], says[len(anchor) :])}",
                refusal=MaskRefusal.TOKENIZER,
                hint="Use a tokenizer that can write any text: byte-level, or one with byte fallback",
            )
        return ids[len(before) :]

    def _covers(self, text: str, ids: list[int], template: bool) -> bool:
        """Whether the tokens stand for every character, though they decode to others.

        Gemma's tokenizer reads U+2581 as a space, others put all in composed form; the model that they
        belong to saw the text like this too.
        """
        if not self._tokenizer.is_fast or self._tokenizer.unk_token_id in ids:
            return False
        (places,) = self._encoded([text], template, offsets=True)["offset_mapping"]
        reached = 0
        for start, end in places:
            if start > reached:
                return False
            reached = max(reached, end)
        return reached == len(text)

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
        while True:
            if self.text(kept) == text:
                return kept
            if not kept or kept[-1] not in self.special.ids:
                return None
            kept.pop()


def _shown(text: str, decoded: str) -> str:
    at = next((n for n, (a, b) in enumerate(zip(text, decoded, strict=False)) if a != b), len(decoded))
    return repr(text[at : at + 20])
