"""The protocols, and what each can be told: how a reply says what to run. See `docs/protocols.md`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tir_agent.settings.base import Settings

__all__ = [
    "Fences",
    "Marks",
    "NoTool",
    "ProtocolChoice",
    "Rationale",
    "Rounds",
    "Subtasks",
    "Tags",
    "ToolCalls",
]


class Fences(Settings):
    """The protocol of Qwen2.5-Math, ToRA and DeepSeekMath: code and output in Markdown fences."""

    kind: Literal["fences"] = "fences"
    languages: tuple[str, ...] = Field(default=("python", "py", "python3"), min_length=1)
    """Info strings that mark a block as code to run; blocks with any other one are prose."""
    output: str = Field(default="output", min_length=1)
    """Info string of blocks that only the interpreter may write."""


class NoTool(Settings):
    """Reasoning in prose alone: nothing is executed."""

    kind: Literal["none"] = "none"


class Marks(Settings):
    """Two strings that a piece of text stands between."""

    open: str = Field(min_length=1)
    close: str = Field(min_length=1)


class Tags(Settings):
    """Code and output between marks: MARIO, AlphaMath, ReTool, MINT, MathCoder."""

    kind: Literal["tags"] = "tags"
    code: Marks = Marks(open="<code>", close="</code>")
    output: Marks = Marks(open="<output>", close="</output>")
    """Only the interpreter may write what begins with the opening one. Where it ends matters to readers of
    whole transcripts alone."""
    text: Marks | None = None
    """Around prose; taken off it."""
    answer: Marks | None = None
    """Around the final answer."""


class ToolCalls(Settings):
    """A function that the model is offered, and calls in its server's own form."""

    kind: Literal["tools"] = "tools"
    name: str = Field(default="python", pattern="^[A-Za-z0-9_-]{1,64}$")
    argument: str = Field(default="code", pattern="^[A-Za-z_][A-Za-z0-9_]*$")
    """The function's one argument."""
    description: str = (
        "Run Python in a live session: names stay defined between calls. Returns what was printed."
    )
    argument_description: str = "The program. Print what you want to see."


class Rationale(Settings):
    """ToRA's form: prose, then one program in a fence, by ToRA's own rule of lines."""

    kind: Literal["rationale"] = "rationale"
    language: str = Field(default="python", min_length=1)
    output: str = Field(default="output", min_length=1)


class Rounds(Settings):
    """Chain of Self-Correction: rounds of program, output, verification and conclusion."""

    kind: Literal["rounds"] = "rounds"
    fences: Fences = Fences()
    verification: tuple[str, ...] = Field(default=("Verification",), min_length=1)
    """Headings of the part that checks the output."""
    conclusion: tuple[str, ...] = Field(default=("Conclusion",), min_length=1)
    """Headings of the part that has the answer, or says that another round is needed."""


class Subtasks(Settings):
    """DotaMath's form: a decomposition, a program for each subtask, and a final summary."""

    kind: Literal["subtasks"] = "subtasks"
    fences: Fences = Fences()
    subtask: tuple[str, ...] = Field(default=("Subtask",), min_length=1)
    """Headings of a subtask; a number and a title may follow."""
    final: tuple[str, ...] = Field(default=("Final answer", "Summary"), min_length=1)
    """Headings of the part that has the answer."""


ProtocolChoice = Annotated[
    Fences | Tags | ToolCalls | Rationale | Rounds | Subtasks | NoTool, Field(discriminator="kind")
]
