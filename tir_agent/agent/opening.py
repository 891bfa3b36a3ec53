"""How a run begins on a given server: what the prompt wants, as far as the server can do it."""

from __future__ import annotations

from tir_agent.agent.run import Run
from tir_agent.errors import ModelRejected
from tir_agent.messages import Message, Origin, Role
from tir_agent.models.capabilities import Capabilities, Prefill
from tir_agent.prompts import Prompt
from tir_agent.protocols import Protocol
from tir_agent.settings import ConversationForm, RunSettings, Tags

__all__ = ["suit"]

_CHAT_PROMPT = "Use a prompt with `conversation: messages`, for example --prompt tir"


def suit(
    run: Run, prompt: Prompt, protocol: Protocol, capabilities: Capabilities, settings: RunSettings
) -> None:
    """Give the run's conversation the form that the server can take; what differs is noted.

    Raises:
        ModelRejected: there is no such form.
    """
    form = prompt.conversation
    if form is ConversationForm.COMPLETION and not capabilities.completions:
        raise ModelRejected(
            f"The prompt {prompt.name} is one raw text, and the server has no /completions for this model",
            hint=_CHAT_PROMPT,
        )
    if form is not ConversationForm.COMPLETION and not capabilities.chat:
        raise ModelRejected(
            f"The prompt {prompt.name} is a chat, and the server has no chat for this model",
            hint="Use a prompt with `conversation: completion`, for example --prompt base_fewshot",
        )
    if protocol.tools and not capabilities.tools:
        # A weak model may fail the probe and still call a tool now and then.
        run.notes.append("The model was offered a tool, though it was not seen to call one on this server")
    run.window = capabilities.context_tokens
    raw = form is ConversationForm.COMPLETION
    run.notes += capabilities.notes(
        settings.sampling,
        stop=prompt.stop,
        tokens=settings.tokens,
        form=form if raw else ConversationForm.MESSAGES,
    )
    opening = list(run.messages)
    if form is ConversationForm.PREFILL and capabilities.prefill is Prefill.NONE:
        form = ConversationForm.MESSAGES
        run.notes.append(
            "The server does not continue an assistant's message, so outputs were messages of their own"
        )
    if not capabilities.system and opening[0].role is Role.SYSTEM:
        opening = _without_system(opening)
        run.notes.append("The server takes no system message, so its text began the first user's message")
    if form is not prompt.conversation or opening != list(run.messages):
        closing = ""
        if form is not prompt.conversation and isinstance(prompt.protocol, Tags):
            closing = prompt.protocol.code.close
        run.converse(form, opening, closing)


def _without_system(opening: list[Message]) -> list[Message]:
    system, first, *others = opening
    gap = ("\n\n", Origin.PROMPT)
    return [Message.of(first.role, *system.pieces, gap, *first.pieces), *others]
