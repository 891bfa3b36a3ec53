"""Code between marks: the form of MARIO and AlphaMath, ReTool, MINT and MathCoder.

    <code>
    print(6 * 7)
    </code>
    <output>
    42
    </output>

A closing mark inside a Python string does not close the code. Code that is still open where the model
ended its turn is closed there, since the closing mark is what most of these models are stopped at. A
Markdown fence around all of the code is taken off. An output, which only the interpreter may write, ends
the reply wherever it begins. A mark that stands in backticks is spoken of, and not used.

The line break behind the opening mark is not code; the one before the closing mark is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tir_agent.messages import Tool
from tir_agent.protocols.base import Action, CodeBlock, Malformed
from tir_agent.protocols.literals import Literals, Quotes
from tir_agent.protocols.wrapping import without_fence
from tir_agent.settings import Tags
from tir_agent.trajectory import Completion

__all__ = ["TagsProtocol"]

_LINE_BREAK = re.compile(r"\r?\n")
_BOX = re.compile(r"\\(?:boxed|fbox)\b")


@dataclass
class _Draft:
    """What has been found so far."""

    kept: int
    blocks: list[CodeBlock] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    answer: str | None = None
    """Between both marks."""
    open_answer: str | None = None
    """Behind an opening mark that the reply ends after."""
    malformed: Malformed | None = None


class TagsProtocol:
    """Code between an opening and a closing mark."""

    executes = True
    tools: tuple[Tool, ...] = ()

    def __init__(self, choice: Tags) -> None:
        self._choice = choice
        self._openings = _alternatives(
            output=[choice.output.open],
            code=[choice.code.open],
            answer=[choice.answer.open] if choice.answer else [],
            wrapper=[choice.text.open, choice.text.close] if choice.text else [],
        )
        self._ends_of_code = _alternatives(close=[choice.code.close], output=[choice.output.open])
        self._ends_of_answer = _alternatives(
            close=[choice.answer.close] if choice.answer else [],
            output=[choice.output.open],
            other=[choice.code.open, *([choice.answer.open] if choice.answer else [])],
        )

    def parse(self, completion: Completion) -> Action:
        draft = self._read(completion)
        answer = draft.answer or draft.open_answer
        if answer is not None and _BOX.search(answer):
            # The box inside the marks is the answer, and no other.
            return Action(draft.kept, tuple(draft.blocks), answer, None, draft.malformed)
        prose = "\n".join(draft.prose)
        return Action(draft.kept, tuple(draft.blocks), prose, answer, draft.malformed)

    def _read(self, completion: Completion) -> _Draft:
        text = completion.text
        draft = _Draft(kept=len(text))
        quotes = Quotes(text)
        position = 0
        search = 0
        while mark := self._openings.search(text, search):
            search = mark.end()
            if _is_spoken_of(text, mark):
                continue
            draft.prose.append(text[position : mark.start()])
            position = mark.end()
            if mark.lastgroup == "output":
                draft.kept = position = mark.start()
                break
            if mark.lastgroup == "code":
                position = self._read_code(completion, mark.end(), quotes, draft)
            elif mark.lastgroup == "answer":
                position = self._read_answer(completion, mark.end(), draft)
            search = position
        draft.prose.append(text[position : draft.kept])
        return draft

    def _read_code(self, completion: Completion, start: int, quotes: Quotes, draft: _Draft) -> int:
        text = completion.text
        end = self._end_of_code(text, start, quotes)
        closed = end is not None
        start = _behind_line_break(text, start)
        body = without_fence(text, start, max(start, end.start() if end else len(text)))
        code = text[slice(*body)]
        if not closed and completion.cut_off:
            draft.malformed = Malformed.CUT_OFF
        elif not code.strip():
            draft.malformed = Malformed.EMPTY
        else:
            draft.blocks.append(CodeBlock(code, *body))
        if end is None:
            return len(text)
        return end.start() if end.lastgroup == "output" else end.end()

    def _end_of_code(self, text: str, start: int, quotes: Quotes) -> re.Match[str] | None:
        literals = Literals(text, start, quotes)
        position = start
        while end := self._ends_of_code.search(text, position):
            literal = literals.around(end.start())
            # Where the string is never closed the mark was meant.
            if literal is None or not literal.closed:
                return end
            position = max(end.end(), literal.end)
        return None

    def _read_answer(self, completion: Completion, start: int, draft: _Draft) -> int:
        text = completion.text
        end = self._ends_of_answer.search(text, start)
        content = text[start : end.start() if end else len(text)]
        draft.prose.append(content)
        if end is not None and end.lastgroup == "close":
            draft.answer = content.strip() or draft.answer
            return end.end()
        # Most of these models are stopped at the closing mark. Where another mark begins before it, this one
        # was spoken of, or given up.
        if end.lastgroup == "output" if end else not completion.cut_off:
            draft.open_answer = content.strip() or None
        return end.start() if end else len(text)


def _alternatives(**kinds: list[str]) -> re.Pattern[str]:
    """One pattern for all marks, with a group for each kind; of two that begin alike the longer counts."""
    longest = sorted(kinds.items(), key=lambda kind: -max(map(len, kind[1]), default=0))
    return re.compile(
        "|".join(f"(?P<{name}>{'|'.join(map(re.escape, marks))})" for name, marks in longest if marks)
    )


def _behind_line_break(text: str, position: int) -> int:
    line_break = _LINE_BREAK.match(text, position)
    return line_break.end() if line_break else position


def _is_spoken_of(text: str, mark: re.Match[str]) -> bool:
    """Whether a single backtick stands on either side."""
    before = text[max(mark.start() - 2, 0) : mark.start()]
    after = text[mark.end() : mark.end() + 2]
    return before.endswith("`") and before != "``" and after.startswith("`") and after != "``"
