"""A tokenizer for tests: simple, deterministic, and exact.

Pieces are words of up to three characters with the space before them, runs of up to four spaces or line
breaks, single signs, and marks such as `<|im_start|>`, which are one token each. An id is a hash of its
piece, so that it is the same in every process; what an id stands for is remembered by the tokenizer that
gave it.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["END", "Token", "Tokenizer", "UnknownToken", "count"]

END: Final = 2
"""The id of the token that ends a reply; its text is empty."""
_FIRST: Final = 16
_SIZE: Final = 2**31 - _FIRST
_PIECE: Final = re.compile(r"<\|\w+\|>| ?\w{1,3}|\n{1,4}|[^\S\n]{1,4}|[^\w\s]")


class UnknownToken(ValueError):
    """An id that this tokenizer never gave."""


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token."""

    id: int
    text: str
    logprob: float


class Tokenizer:
    """Text to ids and back; `decode(encode(text)) == text` for every text."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._pieces: dict[int, str] = {END: ""}

    def tokens(self, text: str) -> list[Token]:
        """The tokens of `text`, with the logprobs that a model would have given them."""
        known = self._tokens
        return [known.get(piece) or self._new(piece) for piece in _PIECE.findall(text)]

    def encode(self, text: str) -> list[int]:
        """The ids of `text`."""
        return [token.id for token in self.tokens(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`.

        Raises:
            UnknownToken: one of them was never given.
        """
        try:
            return "".join([self._pieces[number] for number in ids])
        except KeyError as error:
            raise UnknownToken(f"no token has the id {error.args[0]}") from None

    def alternatives(self, token: Token, number: int) -> Sequence[Token]:
        """The `number` likeliest tokens in the place of `token`, itself among them, best first."""
        others = [
            Token(_FIRST + (token.id + step) % _SIZE, f"{token.text}{'~' * step}", token.logprob - step)
            for step in range(1, number)
        ]
        return [token, *others] if number else []

    def _new(self, piece: str) -> Token:
        hashed = zlib.crc32(piece.encode("utf-8", "surrogatepass"))
        number = _FIRST + hashed % _SIZE
        while number in self._pieces:
            number += 1
        token = self._tokens[piece] = Token(number, piece, -(hashed % 4096) / 2048)
        self._pieces[number] = piece
        return token


@functools.lru_cache(maxsize=8192)
def count(text: str) -> int:
    """How many tokens `text` has. Remembered, because a conversation is counted anew at every turn."""
    return len(_PIECE.findall(text))
