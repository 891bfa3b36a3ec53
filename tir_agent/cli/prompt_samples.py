"""What a reply looks like under a prompt's protocol: for showing prompts, and for checking them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tir_agent.messages import ToolCall
from tir_agent.prompts import Prompt
from tir_agent.settings import Fences, NoTool, Rationale, Rounds, Subtasks, Tags, ToolCalls
from tir_agent.trajectory import Completion, FinishReason

__all__ = ["CODE", "OUTPUT", "Form", "as_completion", "form_of", "sample_calls", "sample_reply"]

CODE: Final = "print(6 * 7)"
OUTPUT: Final = "42"


@dataclass(frozen=True)
class Form:
    """How code and outputs are marked in a text."""

    opening: str
    closing: str
    output: str
    """The mark that an output begins with."""
    before: str = ""
    """Prose ahead of the code."""

    @property
    def code(self) -> str:
        return f"{self.before}{self.opening}\n{CODE}\n{self.closing}"


def form_of(prompt: Prompt) -> Form | None:
    """The marks of the prompt's protocol; None where code does not stand in the text."""
    match prompt.protocol:
        case Fences() as fences:
            return _fenced(fences.languages[0], fences.output)
        case Rounds(fences=fences):
            return _fenced(fences.languages[0], fences.output)
        case Subtasks(fences=fences) as choice:
            return _fenced(fences.languages[0], fences.output, f"{choice.subtask[0]} 1: multiply\n")
        case Rationale() as choice:
            return _fenced(choice.language, choice.output)
        case Tags() as choice:
            before = f"{choice.text.open}Multiply.{choice.text.close}" if choice.text else ""
            return Form(choice.code.open, choice.code.close, choice.output.open, before)
        case ToolCalls() | NoTool():
            return None


def _fenced(language: str, output: str, before: str = "") -> Form:
    return Form(f"```{language}", "```", f"```{output}", before)


def sample_reply(prompt: Prompt) -> str:
    """A reply with code, as the prompt's stop strings leave it."""
    form = form_of(prompt)
    if form is None:
        return "" if isinstance(prompt.protocol, ToolCalls) else "6 times 7 makes"
    text = f"{form.code}\n{form.output}"
    ends = [text.find(stop) for stop in prompt.stop if stop in text]
    return text[: min(ends)] if ends else form.code


def sample_calls(prompt: Prompt, number: int) -> tuple[ToolCall, ...]:
    """The tool calls of such a reply."""
    if not isinstance(prompt.protocol, ToolCalls):
        return ()
    arguments = f'{{"{prompt.protocol.argument}": "{CODE}"}}'
    return (ToolCall(id=f"call_{number}", name=prompt.protocol.name, arguments=arguments),)


def as_completion(text: str) -> Completion:
    """A text as a reply that has ended."""
    return Completion(
        text=text, finish_reason=FinishReason.STOP, prompt_tokens=0, completion_tokens=0, duration=0.0
    )
