"""A decomposition, a program for each subtask, and a final summary: DotaMath's form.

    Subtask 1: find the product
    ```python
    product = 6 * 7
    print(product)
    ```
    Final answer: $\\boxed{42}$

After Li et al., "DotaMath: Decomposition of Thought with Code Assistance and Self-correction for
Mathematical Reasoning" (2024). All programs run in one kernel, in their order. An answer counts only in the
final summary: behind its heading and behind the last program, or in a reply that has neither headings nor
programs.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tir_agent.messages import Tool
from tir_agent.protocols.base import Action, CodeBlock
from tir_agent.protocols.fences import FencesProtocol, Reading
from tir_agent.protocols.headings import Heading, HeadingFinder
from tir_agent.settings import Subtasks
from tir_agent.trajectory import Completion

__all__ = ["SubtasksProtocol"]

_COMMENT = re.compile(r"[ \t]*\#+[ \t]*", re.MULTILINE)


class SubtasksProtocol:
    """Code in fences under the headings of subtasks, and the answer in the summary alone."""

    executes = True
    tools: tuple[Tool, ...] = ()

    def __init__(self, choice: Subtasks) -> None:
        self._fences = FencesProtocol(choice.fences)
        self._headings = HeadingFinder(subtask=choice.subtask, final=choice.final)

    def parse(self, completion: Completion) -> Action:
        text = completion.text
        reading = self._fences.read(completion)
        headings = list(self._headings.find(text, reading.gaps))
        return Action(
            kept=reading.kept,
            blocks=self._titled(reading, headings),
            prose=_summary(text, reading, headings),
            malformed=reading.malformed,
        )

    def _titled(self, reading: Reading, headings: list[Heading]) -> tuple[CodeBlock, ...]:
        subtasks = [heading for heading in headings if heading.kind == "subtask"]
        blocks = []
        behind = 0
        index = 0
        for block in reading.blocks:
            above = []
            while index < len(subtasks) and subtasks[index].start < block.start:
                if subtasks[index].start >= behind:
                    above.append(subtasks[index])
                index += 1
            behind = block.end
            blocks.append(replace(block, title=self._title(block, above)))
        return tuple(blocks)

    def _title(self, block: CodeBlock, above: list[Heading]) -> str | None:
        """From the program's first comment, else from the one heading above it.

        Several headings above are the decomposition: a list, of which none is the program's own.
        """
        first = block.code.lstrip("\n").partition("\n")[0]
        if comment := _COMMENT.match(first):
            for heading in self._headings.find(first[comment.end() :], [(0, len(first) - comment.end())]):
                if heading.kind == "subtask":
                    return _words(heading)
        return _words(above[0]) if len(above) == 1 else None


def _words(heading: Heading) -> str | None:
    return heading.title or (str(heading.number) if heading.number is not None else None)


def _summary(text: str, reading: Reading, headings: list[Heading]) -> str:
    start, end = reading.gaps[-1]
    if not headings and not reading.blocks and reading.malformed is None:
        return text[start:end]
    part = ""
    for heading in headings:
        if heading.start >= start:
            part = text[heading.body : end] if heading.kind == "final" else ""
    return part
