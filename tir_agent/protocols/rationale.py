"""ToRA's form: a rationale in prose, then a program, then its output.

    Let us compute it.
    ```python
    print(6 * 7)
    ```
    ```output
    42
    ```
    The answer is $\\boxed{42}$.

The lines are read by the rule of ToRA's own evaluation (`extract_program` in its `parser.py`; Gou et al.,
"ToRA: A Tool-Integrated Reasoning Agent for Mathematical Problem Solving", 2023): one that begins with
```python opens a program, any other that begins with ``` closes it, and every line of a program ends in a
line break, the last one too. Of several programs in one reply the last one runs. Unlike there an output
ends the reply, since only the interpreter may write it.
"""

from __future__ import annotations

import re

from tir_agent.messages import Tool
from tir_agent.protocols.base import Action, CodeBlock, Malformed
from tir_agent.settings import Rationale
from tir_agent.trajectory import Completion

__all__ = ["RationaleProtocol"]

_FENCE = re.compile(r"^```(?P<info>[^\n]*)(?:\n|\Z)", re.MULTILINE)


class RationaleProtocol:
    """Prose and the last program of each reply."""

    executes = True
    tools: tuple[Tool, ...] = ()

    def __init__(self, choice: Rationale) -> None:
        self._choice = choice

    def parse(self, completion: Completion) -> Action:
        text = completion.text
        kept = len(text)
        prose: list[str] = []
        position = 0
        body: int | None = None
        program: tuple[int, int] | None = None
        for fence in _FENCE.finditer(text):
            if body is not None:
                program = (body, fence.start())
            else:
                prose.append(text[position : fence.start()])
            position, body = fence.end(), None
            if fence["info"].startswith(self._choice.output):
                kept = position = fence.start()
                break
            if fence["info"].startswith(self._choice.language):
                body = fence.end()
        cut_off = body is not None and completion.cut_off
        if body is not None:
            program = (body, len(text))
        else:
            prose.append(text[position:kept])
        blocks, malformed = self._block(text, program, cut_off=cut_off)
        return Action(kept=kept, blocks=blocks, prose="\n".join(prose), malformed=malformed)

    def _block(
        self, text: str, program: tuple[int, int] | None, *, cut_off: bool
    ) -> tuple[tuple[CodeBlock, ...], Malformed | None]:
        if program is None:
            return (), None
        if cut_off:
            return (), Malformed.CUT_OFF
        start, end = program
        code = text[start:end]
        if not code.strip():
            return (), Malformed.EMPTY
        return (CodeBlock(code if code.endswith("\n") else f"{code}\n", start, end),), None
