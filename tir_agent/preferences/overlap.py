r"""Whether a problem is too much like one of a benchmark: n words in a row that both have.

Words are compared without case, accents of layout and punctuation. A number is a word, so that two short
problems that differ in numbers alone do not overlap; so is a sign of arithmetic; Chinese and Japanese are
compared character by character. LaTeX's spacing and sizes are no words (`\,`, `\left`, `\text`), and other
commands are (`\frac`).

Where one of the two texts has fewer than n words, it must stand in the other one as a whole; where it has
fewer than five, the two must be equal, since "Compute 7 + 5" stands in many problems.

The index holds hashes and no text: about 100 bytes for each word of the benchmarks. Two different runs of
words with the same 64-bit hash are taken for the same; with a million indexed and a hundred million looked
up this comes once in 100,000 exports.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Hit", "NgramIndex", "words_of"]

_HEAD: Final = 5
"""Words by which short texts are found; what is shorter still must be equal."""
_WORD_BYTES: Final = 8

_CHARACTER: Final = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_NO_WORD: Final = re.compile(
    r"\\(?:[,;:!> ]|q?quad\b|(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits|text(?:bf|it|rm)?"
    r"|mathrm|mathbf|operatorname)(?![a-zA-Z]))"
)
_SAME: Final = (
    (re.compile(r"\\[dtc]frac(?![a-z])"), r"\\frac"),
    (re.compile(r"\\(?:times|cdot)(?![a-z])|[×·⋅∙]"), "*"),
    (re.compile(r"\\div(?![a-z])|÷"), "/"),
    (re.compile(r"\\leq?(?![a-z])|≤"), "<="),
    (re.compile(r"\\geq?(?![a-z])|≥"), ">="),
    (re.compile(r"\\neq?(?![a-z])|≠"), "!="),
)
_THOUSANDS: Final = re.compile(r"(?<=\d)(?:,|\{,\})(?=\d{3}(?!\d))")
_WORD: Final = re.compile(
    rf"\d+(?:\.\d+)?|[{_CHARACTER}]|[^\W\d_{_CHARACTER}]+|[+*/^=<>]|!=|(?<=[\d)])!|(?<=[\d)}}])\s*-|-(?=\s*[\d(\\])"
)


@dataclass(frozen=True)
class Hit:
    """A benchmark's problem that a text is too much like."""

    benchmark: str
    line: str
    """Where it stands there, in the words of who added it."""
    shared: str
    """The words that both have, with spaces between."""


@dataclass(frozen=True)
class _Entry:
    benchmark: str
    line: str
    words: bytes
    """The hash of each, eight bytes long."""


class NgramIndex:
    """The benchmarks' problems."""

    def __init__(self, n: int) -> None:
        """`n` is how many words in a row two texts must share.

        Raises:
            ValueError: it is less than 1.
        """
        if n < 1:
            raise ValueError("an n-gram has at least one word")
        self._n = n
        self._entries: list[_Entry] = []
        self._grams: dict[int, int] = {}
        """From n words to the first entry that has them."""
        self._heads: dict[int, list[int]] = {}
        """From the first words of short texts to their entries."""
        self._inside: dict[int, int | list[int]] = {}
        """From as many words anywhere to the entries that have them."""
        self._whole: dict[int, int] = {}
        """From all words of a text to its entry."""

    def add(self, text: str, benchmark: str, line: str) -> None:
        """A benchmark's problem. A text without words overlaps with nothing."""
        words = _hashes(words_of(text))
        if not words:
            return
        number = len(self._entries)
        self._entries.append(_Entry(benchmark, line, words.tobytes()))
        self._whole.setdefault(hash(tuple(words)), number)
        for gram in _windows(words, self._n):
            self._grams.setdefault(gram, number)
        if self._n <= _HEAD:
            return
        heads = list(_windows(words, _HEAD))
        if heads and len(words) < self._n:
            self._heads.setdefault(heads[0], []).append(number)
        for head in dict.fromkeys(heads):
            self._note(head, number)

    def find(self, text: str) -> Hit | None:
        """The problem that `text` is too much like, or None. Of several, one that was added early."""
        words = words_of(text)
        hashes = _hashes(words)
        if not hashes:
            return None
        if (same := self._whole.get(hash(tuple(hashes)))) is not None:
            return self._hit(same, words)
        for start, gram in _known(hashes, self._n, self._grams):
            return self._longest(self._grams[gram], words, hashes, start)
        if self._n <= _HEAD:
            return None
        for _, head in _known(hashes, _HEAD, self._heads):
            for number in self._heads[head]:
                if (at := _place(self._entries[number].words, hashes.tobytes())) is not None:
                    length = len(self._entries[number].words) // _WORD_BYTES
                    return self._hit(number, words[at : at + length])
        return self._around(words, hashes) if _HEAD <= len(hashes) < self._n else None

    def _around(self, words: Sequence[str], hashes: array[int]) -> Hit | None:
        """An entry in which all of a short text stands."""
        rarest: list[int] | None = None
        for head in _windows(hashes, _HEAD):
            having = self._inside.get(head)
            if having is None:
                return None
            numbers = [having] if isinstance(having, int) else having
            if rarest is None or len(numbers) < len(rarest):
                rarest = numbers
        sought = hashes.tobytes()
        found = (number for number in rarest or () if _place(sought, self._entries[number].words) is not None)
        number = next(found, None)
        return None if number is None else self._hit(number, words)

    def _note(self, head: int, number: int) -> None:
        # Nearly all stand in one entry alone, and a list takes more room than a number.
        having = self._inside.get(head)
        if having is None:
            self._inside[head] = number
        elif isinstance(having, int):
            self._inside[head] = [having, number]
        else:
            having.append(number)

    def _longest(self, number: int, words: Sequence[str], hashes: array[int], start: int) -> Hit:
        """The hit, with all words behind the first n that both go on with."""
        theirs = self._entries[number].words
        end = start + self._n
        at = _place(hashes[start:end].tobytes(), theirs)
        if at is not None:
            other = array("q", theirs)
            shared = zip(hashes[start:], other[at:], strict=False)
            end = start + next(
                (length for length, (one, two) in enumerate(shared) if one != two),
                min(len(hashes) - start, len(other) - at),
            )
        return self._hit(number, words[start:end])

    def _hit(self, number: int, shared: Sequence[str]) -> Hit:
        entry = self._entries[number]
        return Hit(entry.benchmark, entry.line, " ".join(shared))


def words_of(text: str) -> list[str]:
    r"""The words that are compared.

    >>> words_of(r"Janet's 1,000 ducks: $\dfrac{1}{2}\times 3$?")
    ['janets', '1000', 'ducks', 'frac', '1', '2', '*', '3']
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("\u2019", "'").replace("\u2212", "-")
    if "\\" in text:
        text = _NO_WORD.sub("", text)
    for pattern, same in _SAME:
        text = pattern.sub(same, text)
    text = _THOUSANDS.sub("", text.replace("'", "").lower())
    return [word.strip() for word in _WORD.findall(text)]


def _hashes(words: Iterable[str]) -> array[int]:
    return array("q", map(hash, words))


def _windows(hashes: array[int], length: int) -> Iterator[int]:
    """The hash of each so many words in a row."""
    return map(hash, zip(*(hashes[skip:] for skip in range(length)), strict=False))


def _known(
    hashes: array[int], length: int, known: dict[int, int] | dict[int, list[int]]
) -> Iterator[tuple[int, int]]:
    """Where words in a row begin that are known, and their hash."""
    if known.keys().isdisjoint(_windows(hashes, length)):
        return
    yield from ((start, gram) for start, gram in enumerate(_windows(hashes, length)) if gram in known)


def _place(part: bytes, whole: bytes) -> int | None:
    """The number of the word of `whole` with which `part` begins."""
    at = whole.find(part)
    while at >= 0:
        if at % _WORD_BYTES == 0:
            return at // _WORD_BYTES
        at = whole.find(part, at + 1)
    return None
