"""A prompt as the model gets it: role by role or as one text, in colours that say who wrote what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from tir_agent.agent.conversation import Conversation, Part, conversation_of
from tir_agent.cli.prompt_samples import OUTPUT, sample_calls, sample_reply
from tir_agent.console import printable
from tir_agent.messages import Message, Origin, Role
from tir_agent.prompts import Prompt, fill
from tir_agent.settings import ToolCalls
from tir_agent.trajectory import Feedback, Problem

__all__ = ["draw", "with_turns"]

_STYLES: Final = {
    Origin.PROMPT: "cyan",
    Origin.PROBLEM: "bold",
    Origin.MODEL: "green",
    Origin.INTERPRETER: "yellow",
    Origin.CRITIC: "magenta",
}
_FAILED: Final = "ZeroDivisionError: division by zero"
_PROSE: Final = "It can be computed."


def with_turns(prompt: Prompt, problem: Problem) -> list[Message]:
    """The conversation with an output, an error, a nudge and the last turn, around made-up replies."""
    conversation = conversation_of(prompt.conversation, prompt.opening(problem))
    if prompt.uses_tool:
        _observe(conversation, prompt, OUTPUT, failed=False, number=1)
        _observe(conversation, prompt, _FAILED, failed=True, number=2)
    conversation.add_reply(_PROSE)
    conversation.tell([Part(Feedback.NUDGE, fill(prompt.feedback.nudge))])
    conversation.add_reply(_PROSE)
    reason = (prompt.feedback.turn_limit, Origin.PROMPT)
    conversation.tell([Part(Feedback.LAST_TURN, fill(prompt.feedback.last_turn, reason=reason))])
    return list(conversation.messages)


def _observe(conversation: Conversation, prompt: Prompt, output: str, *, failed: bool, number: int) -> None:
    calls = sample_calls(prompt, number)
    conversation.add_reply(sample_reply(prompt), calls)
    # The agent gives a tool's result as it is: its role says what it is.
    pieces = [(output, Origin.INTERPRETER)] if calls else prompt.observed(output, failed=failed)
    conversation.tell([Part(Feedback.OBSERVATION, pieces, calls[0].id if calls else None)])


def draw(console: Console, prompt: Prompt, messages: Sequence[Message]) -> None:
    """On a terminal in colours; elsewhere a raw text exactly as it is sent, and messages under headings."""
    if not console.is_terminal and messages[0].role is Role.RAW:
        console.file.write(messages[0].content)
        return
    if isinstance(prompt.protocol, ToolCalls):
        choice = prompt.protocol
        console.print(Text("[a function, offered with every request]", style="bold dim"))
        console.print(
            Text(f"{choice.name}({choice.argument}): {choice.description}", style=_STYLES[Origin.PROMPT]),
            soft_wrap=True,
        )
        console.print()
    for number, message in enumerate(messages):
        if message.role is not Role.RAW:
            console.print(Text(f"{'' if number == 0 else chr(10)}[{message.role}]", style="bold dim"))
        console.print(_coloured(message), soft_wrap=True)
        for call in message.tool_calls:
            console.print(Text(f"{call.name}({call.arguments})", style=_STYLES[Origin.MODEL]), soft_wrap=True)


def _coloured(message: Message) -> Text:
    text = Text()
    for piece, origin in message.pieces:
        text.append(printable(piece), style=_STYLES[origin])
    return text
