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
from tir_agent.settings import Fences
from tir_agent.trajectory import Completion

__all__ = ["FencesProtocol"]

_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<ticks>`{3,})(?P<info>[^`\n]*)$", re.MULTILINE)
# What matters for telling whether a position is inside a triple-quoted string, in order of precedence.
_TOKEN = re.compile(
    r"""(?P<triple>\"{3}|'{3})"""
    r"""|(?P<string>\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?)"""
    r"""|(?P<comment>\#[^\n]*)""",
    re.DOTALL,
)


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
        text = completion.text
        kept, code, prose = len(text), [], []
        malformed: Malformed | None = None
        position = 0
        for block in self._blocks(text):
            if block.info == self._output:
                kept = block.start
                break
            if block.info not in self._languages:
                continue
            prose.append(text[position : block.start])
            position = block.after
            source = text[block.body : block.end]
            if not block.closed and completion.cut_off:
                malformed = Malformed.CUT_OFF
            elif not source.strip():
                malformed = Malformed.EMPTY
            else:
                code.append(CodeBlock(source, block.body, block.end))
        prose.append(text[position:kept])
        return Action(kept=kept, blocks=tuple(code), prose="\n".join(prose), malformed=malformed)

    def _blocks(self, text: str) -> Iterator[_Block]:
        position = 0
        while opening := _FENCE.search(text, position):
            block = self._block(text, opening, _language(opening))
            yield block
            position = block.after

    def _block(self, text: str, opening: re.Match[str], info: str) -> _Block:
        body = min(opening.end() + 1, len(text))
        position = body
        is_code = info in self._languages
        strings = _TripleQuotes(text, body)
        inside: tuple[int, int] | None = None
        while fence := _FENCE.search(text, position):
            position = fence.end()
            plain = not fence["info"].strip() and len(fence["ticks"]) >= len(opening["ticks"])
            begins_output = is_code and _language(fence) == self._output
            if not plain and not begins_output:
                continue
            if is_code and strings.open_at(fence.start()):
                # Perhaps the string is never closed and the fence was meant: remember the first such.
                inside = inside or (fence.start(), fence.end() if plain else fence.start())
                continue
            after = fence.end() if plain else fence.start()
            return _Block(info, opening.start(), body, _trim(text, body, fence.start()), after, closed=True)
        if inside is not None and strings.open_at(len(text)):
            return _Block(info, opening.start(), body, _trim(text, body, inside[0]), inside[1], closed=True)
        return _Block(info, opening.start(), body, len(text), len(text), closed=False)


def _language(fence: re.Match[str]) -> str:
    """The first word of the info string: what follows it (`python title="x"`) does not matter."""
    words = fence["info"].split(maxsplit=1)
    return words[0].lower() if words else ""


def _trim(text: str, start: int, end: int) -> int:
    """Where a body ends, the line break before its closing fence left out."""
    return end - 1 if end > start and text[end - 1] == "\n" else end


class _TripleQuotes:
    """Tells whether a position of Python source is inside a triple-quoted string.

    Positions must be asked in ascending order, so that one pass over the text answers all.
    """

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._start = start
        self._position = start
        self._quote: str | None = None

    def open_at(self, end: int) -> bool:
        while self._position < end:
            if self._quote is not None:
                closing = self._closing(self._quote, end)
                if closing < 0:
                    # Two characters back, since the quotes may straddle `end`.
                    self._position = max(self._position, end - 2)
                    break
                self._position = closing + 3
                self._quote = None
                continue
            token = _TOKEN.search(self._text, self._position, end)
            if token is None:
                self._position = end
            else:
                self._position = token.end()
                self._quote = token["triple"]
        return self._quote is not None

    def _closing(self, quote: str, end: int) -> int:
        position = self._position
        while (found := self._text.find(quote, position, end)) >= 0:
            before = self._text[self._start : found]
            slashes = len(before) - len(before.rstrip("\\"))
            if slashes % 2 == 0:
                return found
            position = found + 1
        return -1
