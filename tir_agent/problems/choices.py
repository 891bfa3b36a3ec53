"""Multiple choice: a row's choices, how they stand in the problem's text, and the gold one's letter.

Data sets write choices as a list, as a mapping from letters, as `{"text": [...], "label": [...]}`, as a
list of such pairs, as one text (`a ) 38 , b ) 27`), or in a field for each letter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tir_agent.problems.values import text_of

__all__ = ["LETTERS", "Choices", "choices_in", "laid_out", "letter_of"]

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_MARK: Final = re.compile(r"\s*(?:\(([A-Za-z])\)|([A-Za-z])\s?[).:：．、])\s*")
_IN_TEXT: Final = re.compile(r"(?:^|[\s,;\[])\(?([A-Za-z])\s?\)\s?")
_LETTER: Final = re.compile(r"\(?([A-Za-z])(?:[).:].*)?", re.DOTALL)
_LETTERS: Final = re.compile(r"[A-Z](?:\s*[,;]?\s*[A-Z])+")

_LONGEST: Final = 1000
"""Characters of a gold answer that may begin with its letter."""


@dataclass(frozen=True)
class Choices:
    """Choices in order."""

    contents: tuple[str, ...]
    labels: tuple[str, ...]
    """What the data set calls them; `A`, `B`, ... where it says nothing."""


def choices_in(values: Sequence[object]) -> Choices | None:
    """The choices in a field, or in one field for each; None where there are fewer than two."""
    pairs = _pairs(values[0]) if len(values) == 1 else [("", value) for value in values]
    found = [(label, text) for label, value in pairs if (text := text_of(value)) is not None]
    if not 2 <= len(found) <= len(LETTERS) or len(found) < len(pairs):
        return None
    labels = [label for label, _ in found]
    contents = _unmarked([text for _, text in found])
    return Choices(contents, tuple(labels) if all(labels) else tuple(LETTERS[: len(found)]))


def _pairs(value: object) -> list[tuple[str, object]]:
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, Mapping):
        texts, labels = value.get("text"), value.get("label")
        if isinstance(texts, list) and isinstance(labels, list) and len(texts) == len(labels):
            return [(text_of(label) or "", text) for label, text in zip(labels, texts, strict=True)]
        present = [(key, text) for key, text in value.items() if text is not None]
        return present if all(len(key) == 1 for key, _ in present) else []
    if isinstance(value, list):
        return [_pair(item) for item in value]
    return []


def _pair(item: object) -> tuple[str, object]:
    if not isinstance(item, Mapping):
        return "", item
    label = text_of(item.get("label", item.get("key"))) or ""
    return label, item.get("text", item.get("content", item.get("value")))


def _cut(text: str) -> list[tuple[str, object]]:
    """Choices in one text, cut at A, B, C, ... in order."""
    marks: list[re.Match[str]] = []
    for mark in _IN_TEXT.finditer(text):
        if len(marks) < len(LETTERS) and mark[1].upper() == LETTERS[len(marks)]:
            marks.append(mark)
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        (mark[1].upper(), text[mark.end() : end].strip(" ,;\n[]'"))
        for mark, end in zip(marks, ends, strict=True)
    ]


def _unmarked(contents: Sequence[str]) -> tuple[str, ...]:
    """Without the letters before them, where each has its own."""
    marks = [_MARK.match(content) for content in contents]
    for mark, letter in zip(marks, LETTERS, strict=False):
        if mark is None or (mark[1] or mark[2]).upper() != letter:
            return tuple(contents)
    cut = tuple(content[mark.end() :].strip() for content, mark in zip(contents, marks, strict=True) if mark)
    return cut if all(cut) else tuple(contents)


def laid_out(text: str, choices: Choices) -> str:
    """The problem with its choices as `(A) ...` lines, unless they already stand in it with their letters."""
    position = 0
    for letter, content in zip(LETTERS, choices.contents, strict=False):
        mark = re.compile(rf"(?<![A-Za-z]){letter}\s?[).:：．、}}]").search(text, position)
        place = text.find(content, mark.end()) if mark else -1
        if place == -1:
            break
        position = place + len(content)
    else:
        return text
    lines = (f"({letter}) {content}" for letter, content in zip(LETTERS, choices.contents, strict=False))
    return "\n".join([text, *lines])


def letter_of(value: object, choices: Choices, first: int | None) -> str | None:
    """The letter of the gold choice, several as `A, C`; None where the value names none.

    Args:
        value: a label or letter, a content, or a number.
        choices: among which it is.
        first: what number stands for A; None where numbers are contents.
    """
    if isinstance(value, list | tuple):
        letters = [letter_of(part, choices, first) for part in value]
        return ", ".join(letter for letter in letters if letter) if letters and all(letters) else None
    text = text_of(value)
    if text is None:
        return None
    labels = [label.upper() for label in choices.labels]
    if text.upper() in labels:
        return LETTERS[labels.index(text.upper())]
    if first is not None and text.isascii() and text.isdigit() and len(text) < 3:
        index = int(text) - first
        return LETTERS[index] if 0 <= index < len(choices.contents) else None
    if choices.contents.count(text) == 1:
        return LETTERS[choices.contents.index(text)]
    if len(text) > _LONGEST:
        return None
    if (letter := _LETTER.fullmatch(text)) and letter[1].upper() in LETTERS[: len(choices.contents)]:
        return letter[1].upper()
    if _LETTERS.fullmatch(text):
        several = [letter for letter in text if letter in LETTERS]
        if all(letter in LETTERS[: len(choices.contents)] for letter in several):
            return ", ".join(several)
    return None
