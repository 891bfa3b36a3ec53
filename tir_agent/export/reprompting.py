"""Another prompt in the place of the one that was sampled with; and the tools that a model was offered."""

from __future__ import annotations

from tir_agent.errors import PromptError, UsageError
from tir_agent.messages import Tool
from tir_agent.preferences import Conversation
from tir_agent.prompts import Prompt, load_prompt
from tir_agent.protocols import protocol_for
from tir_agent.settings import ConversationForm, ToolCalls
from tir_agent.trajectory import Problem, Trajectory

__all__ = ["Reprompting", "tools_of"]


class Reprompting:
    """Puts the opening of a prompt before what was sampled behind another one (context distillation)."""

    def __init__(self, name: str | None) -> None:
        """Change nothing where `name` is None.

        Raises:
            PromptError: there is no such prompt.
            UsageError: it is for one text without messages.
        """
        self._prompt: Prompt | None = load_prompt(name) if name is not None else None
        if self._prompt is not None and self._prompt.conversation is ConversationForm.COMPLETION:
            raise UsageError(f"The prompt {name} makes one text, and rows need messages")

    def change(self, conversation: Conversation, problem: Problem) -> Conversation:
        """The conversation behind this prompt's opening; one text without messages stays as it is."""
        if self._prompt is None or conversation.raw:
            return conversation
        return conversation.after(tuple(self._prompt.opening(problem)))


def tools_of(trajectory: Trajectory) -> tuple[Tool, ...]:
    """The functions that the model was offered, where it called some: the prompt's, or else the default."""
    if not any(message.tool_calls for message in trajectory.messages):
        return ()
    try:
        prompt = load_prompt(trajectory.prompt.name)
    except PromptError:
        return protocol_for(ToolCalls()).tools
    if prompt.identity != trajectory.prompt:
        return protocol_for(ToolCalls()).tools
    return protocol_for(prompt.protocol).tools
