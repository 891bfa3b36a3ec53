"""Markdown fences: the form of Qwen2.5-Math, ToRA and DeepSeekMath.

    ```python
    print(6 * 7)
    ```
    ```output
    42
    ```

The rules are CommonMark's (a fence is a line that begins with three or more backticks, and is closed
by a line of at least as many and nothing else) with three exceptions that models need: a fence that
stands inside a Python string does not close its block; a block that is still open where the model
ended its turn is closed there; and an output block, which only the interpreter may write, ends the
reply wherever it begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tir_agent.messages import Tool
from tir_agent.protocols.base import Action, CodeBlock, Malformed
from tir_agent.protocols.literals import Literals, Quotes
from tir_agent.settings import Fences
from tir_agent.trajectory import Completion

__all__ = ["FencesProtocol", "Reading"]

_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<ticks>`{3,})(?P<info>[^`\n]*)$", re.MULTILINE)


@dataclass(frozen=True)
class Reading:
    """What stands in fences, and what stands between them."""

    kept: int
    blocks: tuple[CodeBlock, ...]
    gaps: tuple[tuple[int, int], ...]
    """Where the text without the code stands: each from a character to another, in order."""
    malformed: Malformed | None


@dataclass(frozen=True)
class _Block:
    info: str
    start: int
    """Of the opening fence."""
    body: int
    end: int
    """Of the body."""
    after: int
    """The closing fence included."""
    closed: bool


class FencesProtocol:
    """Code in fenced blocks with one of the chosen languages."""

    executes = True
    tools: tuple[Tool, ...] = ()

    def __init__(self, choice: Fences) -> None:
        self._languages = frozenset(language.lower() for language in choice.languages)
        self._output = choice.output.lower()

    def parse(self, completion: Completion) -> Action:
        reading = self.read(completion)
        prose = "\n".join(completion.text[start:end] for start, end in reading.gaps)
        return Action(kept=reading.kept, blocks=reading.blocks, prose=prose, malformed=reading.malformed)

    def read(self, completion: Completion) -> Reading:
        """Where code and prose stand, for protocols that have a form of their own around the fences."""
        text = completion.text
        kept, code, gaps = len(text), [], []
        malformed: Malformed | None = None
        position = 0
        for block in self._blocks(text):
            if block.info == self._output:
                kept = block.start
                break
            if block.info not in self._languages:
                continue
            gaps.append((position, block.start))
            position = block.after
            source = text[block.body : block.end]
            if not block.closed and completion.cut_off:
                malformed = Malformed.CUT_OFF
            elif not source.strip():
                malformed = Malformed.EMPTY
            else:
                code.append(CodeBlock(source, block.body, block.end))
        gaps.append((position, kept))
        return Reading(kept, tuple(code), tuple(gaps), malformed)

    def _blocks(self, text: str) -> Iterator[_Block]:
        quotes = Quotes(text)
        position = 0
        while opening := _FENCE.search(text, position):
            block = self._block(text, opening, _language(opening), quotes)
            yield block
            position = block.after

    def _block(self, text: str, opening: re.Match[str], info: str, quotes: Quotes) -> _Block:
        body = min(opening.end() + 1, len(text))
        position = body
        is_code = info in self._languages
        literals = Literals(text, body, quotes)
        while fence := _FENCE.search(text, position):
            position = fence.end()
            plain = not fence["info"].strip() and len(fence["ticks"]) >= len(opening["ticks"])
            begins_output = is_code and _language(fence) == self._output
            if not plain and not begins_output:
                continue
            # A fence inside a string is text, but where the string is never closed it was meant.
            if is_code and (literal := literals.around(fence.start())) and literal.closed:
                position = max(position, literal.end)
                continue
            after = fence.end() if plain else fence.start()
            return _Block(info, opening.start(), body, _trim(text, body, fence.start()), after, closed=True)
        return _Block(info, opening.start(), body, len(text), len(text), closed=False)


def _language(fence: re.Match[str]) -> str:
    """The first word of the info string: what follows it (`python title="x"`) does not matter."""
    words = fence["info"].split(maxsplit=1)
    return words[0].lower() if words else ""


def _trim(text: str, start: int, end: int) -> int:
    """Where a body ends, the line break before its closing fence left out."""
    return end - 1 if end > start and text[end - 1] == "\n" else end
