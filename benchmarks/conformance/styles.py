"""The ways in which models write programs, as data, and one function that writes a step in any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from conformance.problems import Problem

__all__ = ["STYLES", "Layout", "Style", "answer_text", "step_text"]


class Layout(Enum):
    """How the parts of a solution follow one another."""

    STEPS = auto()
    """A sentence and a program, again and again."""
    RATIONALE = auto()
    """A paragraph of reasoning, then a program."""
    ROUNDS = auto()
    """A program; when its output is there, a program that verifies it; then a conclusion."""
    SUBTASKS = auto()
    """A list of sub-tasks first, then a program under the heading of each."""


@dataclass(frozen=True)
class Style:
    """The marks around what a model writes."""

    name: str
    code_open: str
    code_close: str
    output_open: str
    output_close: str
    text_open: str = ""
    text_close: str = "\n"
    stop: str = ""
    """What a client of this style stops at, so that no output is invented."""
    layout: Layout = Layout.STEPS
    by_call: bool = False
    """Programs are calls of a tool, and no marks are written."""


_FENCES: Final = Style(
    name="fences",
    code_open="```python\n",
    code_close="\n```\n",
    output_open="```output\n",
    output_close="\n```\n",
    stop="```output",
)

STYLES: Final[Mapping[str, Style]] = {
    style.name: style
    for style in (
        _FENCES,
        Style("tags", "<code>\n", "\n</code>\n", "<output>\n", "\n</output>\n", stop="<output>"),
        Style(
            "interpreter_tags",
            "<code>\n",
            "\n</code>\n",
            "<interpreter>\n",
            "\n</interpreter>\n",
            stop="</code>",
        ),
        Style(
            "mathcoder",
            "<|code|>",
            "<|endofblock|>",
            "<|execution|>",
            "<|endofblock|>",
            text_open="<|text|>",
            text_close="<|endofblock|>",
            stop="<|execution|>",
        ),
        replace(_FENCES, name="tools", by_call=True),
        replace(_FENCES, name="rationale", layout=Layout.RATIONALE),
        replace(_FENCES, name="rounds", layout=Layout.ROUNDS),
        replace(_FENCES, name="subtasks", layout=Layout.SUBTASKS),
    )
}


def step_text(style: Style, problem: Problem, number: int) -> str:
    """The reply with program `number` of `problem`, up to the end of the program."""
    program = problem.programs[number]
    prose = _prose(style, problem, number)
    return (
        f"{style.text_open}{prose}{style.text_close}{style.code_open}{program}{style.code_close}"
        if prose
        else f"{style.code_open}{program}{style.code_close}"
    )


def answer_text(style: Style, answer: str) -> str:
    """The last reply."""
    before = "Conclusion: " if style.layout is Layout.ROUNDS else ""
    end = style.text_close if style.text_open else ""
    return f"{style.text_open}{before}The answer is $\\boxed{{{answer}}}$.{end}"


def _prose(style: Style, problem: Problem, number: int) -> str:
    reason = problem.reasons[number]
    match style.layout:
        case Layout.STEPS:
            return reason
        case Layout.RATIONALE:
            return f"Let us think about what is asked. {problem.idea} {reason} A program does it."
        case Layout.ROUNDS:
            return "Verification: " + reason if number == len(problem.programs) - 1 and number else ""
        case Layout.SUBTASKS:
            tasks = "".join(f"{at}. {text}\n" for at, text in enumerate(problem.reasons, 1))
            before = f"The sub-tasks:\n{tasks}\n" if number == 0 else ""
            return f"{before}Sub-task {number + 1}: {reason}"
