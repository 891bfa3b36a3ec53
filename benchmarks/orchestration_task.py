"""The problems that every runtime solves, and the replies that lead through them. Standard library alone.

A problem takes two or three cells, each of which needs the state that the one before left, and then an
answer: three or four turns. The replies hang on the problem's number and on what the interpreter printed:
where the last output is not the right one, the reply gives up, so that only a runtime that runs every cell,
and shows what came of it, arrives at the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache

__all__ = ["Form", "Say", "Step", "Task", "task", "task_in"]

_NUMBER = re.compile(r"Task (\d+)\.")


class Form(StrEnum):
    """How a runtime wants to be told of code; its name is the model's, so that a request says it."""

    FENCES = "fences"
    """A ```python block, and the answer in a box."""
    PROSE = "prose"
    """No code: one turn of prose, and the answer in a box."""
    TAGS = "tags"
    """`<code>` tags, and the answer as a call of `final_answer`: smolagents."""
    SCRIPTS = "scripts"
    """A call of the tool `python`, which keeps no state, so that each brings along all the code before it;
    and the answer in a box: inspect_ai."""
    SHELL = "shell"
    """The same as a command for the tool `bash`: verifiers."""


@dataclass(frozen=True)
class Step:
    """A cell, and what it prints."""

    code: str
    output: str


@dataclass(frozen=True)
class Say:
    """A reply: text, and a call of a tool where the form has such."""

    text: str
    tool: str | None = None
    """The tool that is called, if any, and what it is given: the name and the value of its one argument."""
    argument: str = ""
    value: str = ""


@dataclass(frozen=True)
class Task:
    """One problem."""

    number: int
    steps: tuple[Step, ...]
    answer: str

    @property
    def problem(self) -> str:
        """As it is put to the model; names its number."""
        return f"Task {self.number}. Solve the equation, integrate over its root, and combine the two."

    def turns(self, form: Form) -> int:
        """Replies until the answer."""
        return 2 if form is Form.PROSE else len(self.steps) + 1

    def reply(self, form: Form, turn: int, seen: str) -> Say:
        """Reply number `turn`, from 0, to a conversation whose last message is `seen`."""
        if form is Form.PROSE:
            return Say(_thought("the integral is elementary") if turn == 0 else _boxed(self.answer))
        if 0 < turn <= len(self.steps) and self.steps[turn - 1].output not in seen:
            return _answer(form, "none: the output was not shown")
        if turn >= len(self.steps):
            return _answer(form, self.answer)
        thought, code = _thought(f"this is step {turn + 1}"), self.steps[turn].code
        match form:
            case Form.FENCES:
                return Say(f"{thought}\n\n```python\n{code}\n```")
            case Form.TAGS:
                return Say(f"Thought: {thought}\n<code>\n{code}\n</code>")
            case Form.SCRIPTS:
                return Say(thought, "python", "code", self._script(turn))
            case Form.SHELL:
                return Say(thought, "bash", "command", f"python3 - <<'END'\n{self._script(turn)}\nEND")

    def _script(self, turn: int) -> str:
        """The cell of a turn and all before it."""
        return "\n".join(step.code for step in self.steps[: turn + 1])


@cache
def task(number: int) -> Task:
    """Problem number `number`; those with an odd number take three cells, the others two."""
    low, high = number % 89 + 1, number % 89 + number % 7 + 2
    area = Fraction(low**3, 3) + high * low
    total = area + low + high
    first = Step(
        "from sympy import symbols, solve, integrate, simplify\n"
        f"x = symbols('x')\nroots = solve(x**2 - {low + high}*x + {low * high}, x)\nprint(roots)",
        f"[{low}, {high}]",
    )
    middle = Step(f"area = integrate(x**2 + {high}, (x, 0, roots[0]))\nprint(area)", str(area))
    last = Step("total = simplify(area + sum(roots))\nprint(total)", str(total))
    short = Step(
        f"total = simplify(integrate(x**2 + {high}, (x, 0, roots[0])) + sum(roots))\nprint(total)", str(total)
    )
    steps = (first, middle, last) if number % 2 else (first, short)
    return Task(number=number, steps=steps, answer=str(total))


def task_in(text: str) -> Task | None:
    """The problem that a message puts, where it puts one."""
    found = _NUMBER.search(text)
    return task(int(found[1])) if found else None


def _answer(form: Form, answer: str) -> Say:
    if form is Form.TAGS:
        return Say(f"Thought: {_thought('that settles it')}\n<code>\nfinal_answer({answer!r})\n</code>")
    return Say(_boxed(answer))


def _thought(reason: str) -> str:
    return f"The equation has two roots, and of the integral I need its exact value; {reason}."


def _boxed(answer: str) -> str:
    return f"The output settles the question. The answer is $\\boxed{{{answer}}}$."
