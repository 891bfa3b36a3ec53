r"""Where a reply says its answer: the last box.

Covered: `\boxed{...}` and `\fbox{...}` with nested and escaped braces, and boxes without braces. Not
covered: answers outside a box ("The answer is 7"), since a prompt that wants a box should get one.

Everything here is linear in the text: models write what they like, also 200 kB of opening braces.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["extract_answer"]

_BOXES: Final = frozenset({"boxed", "fbox"})
# A run of backslashes with the word or brace behind it, or a bare brace. The parts exclude one another,
# so the search never goes back. Models that think of a Python string write `\\boxed`; it counts.
_TOKEN: Final = re.compile(r"(?P<slashes>\\+)(?P<what>[A-Za-z]+|[{}])?|[{}]")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)*")
_LETTER: Final = re.compile(r"[A-Za-z](?!\s*[A-Za-z])")
_COMMAND: Final = re.compile(r"\\([A-Za-z]+)")
_ARGUMENTS: Final = {"frac": 2, "dfrac": 2, "tfrac": 2, "cfrac": 2, "binom": 2, "sqrt": 1}
# Commands that open something which ends elsewhere: what LaTeX would box is no answer.
_OPENERS: Final = frozenset({"left", "begin"})
_WRAPPERS: Final = (r"\text{", r"\textbf{")
_LAYERS: Final = 4
"""How many wrappers are taken off an answer; nobody writes more, and each costs a pass."""


def extract_answer(text: str) -> str | None:
    r"""The content of the last complete box in `text`, or None where there is none.

    "Last" is the box that opens last, so that of nested boxes the inner one counts. A box that is never
    closed is passed over, and so is an empty one (and what encloses it): replies repeat the instruction
    "in \boxed{}" after the answer. Without braces a box holds what LaTeX would take, a command with its
    arguments (`\boxed\frac12`) or one letter; a number is taken whole, though LaTeX would box its first
    digit, and a letter that begins a phrase ("use \boxed for it") is none.

    White space around the content is removed, and so are wrappers that hold all of it: `$...$`,
    `\(...\)`, `\text{...}` and `\textbf{...}`. Nothing inside is touched.

    >>> extract_answer(r"so $x = \boxed{\frac{1}{2}}$.")
    '\\frac{1}{2}'
    """
    closings = _closings(text)
    empty = -1
    for box in reversed(_boxes(text)):
        span = _content(text, box, closings)
        if span is None or span[0] <= empty < span[1]:
            continue
        if answer := _unwrapped(text[slice(*span)]):
            return answer
        empty = box
    return None


def _boxes(text: str) -> list[int]:
    """Where the box commands end."""
    return [token.end() for token in _TOKEN.finditer(text) if token["what"] in _BOXES]


def _closings(text: str) -> dict[int, int]:
    """From each opening brace to the one that closes it; escaped and unmatched braces are left out."""
    closings: dict[int, int] = {}
    opened: list[int] = []
    for token in _TOKEN.finditer(text):
        # Two backslashes are a line break, and leave the brace behind them its meaning.
        if token["slashes"] and len(token["slashes"]) % 2:
            continue
        brace = token.end() - 1
        if text[brace] == "{":
            opened.append(brace)
        elif text[brace] == "}" and opened:
            closings[opened.pop()] = brace
    return closings


def _content(text: str, position: int, closings: dict[int, int]) -> tuple[int, int] | None:
    """What the box whose command ends at `position` holds."""
    start = _behind_spaces(text, position)
    if text.startswith("{", start):
        return (start + 1, closings[start]) if start in closings else None
    if plain := _NUMBER.match(text, start) or _LETTER.match(text, start):
        return plain.span()
    if (command := _COMMAND.match(text, start)) and command[1] not in _BOXES | _OPENERS:
        end = _behind_arguments(text, command.end(), _ARGUMENTS.get(command[1], 0), closings)
        return None if end is None else (start, end)
    return None


def _behind_arguments(text: str, position: int, wanted: int, closings: dict[int, int]) -> int | None:
    """The end of a command's arguments: groups, or single characters while `wanted` are not there."""
    if wanted and text.startswith("[", position):
        position = text.find("]", position, position + 20) + 1 or position
    while True:
        start = _behind_spaces(text, position) if wanted > 0 else position
        if text.startswith("{", start):
            if start not in closings:
                return None
            position = closings[start] + 1
        elif wanted > 0:
            if not text[start : start + 1].isalnum():
                return None
            position = start + 1
        else:
            return position
        wanted -= 1


def _behind_spaces(text: str, position: int) -> int:
    while text[position : position + 1].isspace():
        position += 1
    return position


def _unwrapped(content: str) -> str:
    for _ in range(_LAYERS):
        content = content.strip()
        inner = _inside(content)
        if inner is None:
            break
        content = inner
    return content.strip()


def _inside(content: str) -> str | None:
    """What a wrapper around all of `content` holds; None where there is no such wrapper."""
    if content.startswith("$") and content.endswith("$"):
        inner = content.strip("$")
        return inner if "$" not in inner and not inner.endswith("\\") else None
    if content.startswith(r"\(") and content.endswith(r"\)"):
        inner = content[2:-2]
        return inner if r"\(" not in inner else None
    for wrapper in _WRAPPERS:
        if content.startswith(wrapper) and _closings(content).get(len(wrapper) - 1) == len(content) - 1:
            return content[len(wrapper) : -1]
    return None
