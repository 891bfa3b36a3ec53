"""Tool calls in a chat template: whether it writes them at all, and where they end."""

from __future__ import annotations

from collections.abc import Mapping

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.messages import Role
from tir_agent.preferences.renderer import Renderer
from tir_agent.preferences.slots import Chat, Key, described, fresh
from tir_agent.preferences.tokens import SpecialTokens

__all__ = ["calls_end", "forbid_vanishing_calls"]


def forbid_vanishing_calls(chat: Chat, renderer: Renderer, special: SpecialTokens) -> None:
    """Render with changed arguments: a template that writes the same then leaves calls out.

    Raises:
        MaskError: it does; or a call's name or an argument's would pass for a special token.
    """
    calls = chat.calls()
    if not calls:
        return
    for key, call in calls.items():
        names = [call.name, call.id, *chat.names(key)]
        if any(special.count(name) for name in names):
            raise MaskError(
                f"A name in the tool calls of {described(chat.conversation, int(key[0]))} "
                "has the text of a special token in it",
                refusal=MaskRefusal.FORGED,
                hint="Leave out the trajectories whose calls are malformed",
            )
    mark = fresh([renderer.template, *chat.real.values()])
    for key, call in calls.items():
        if chat.has_text(key):
            # Each text is looked for by the skeleton, with the argument's own name.
            continue
        name = next(iter(chat.names(key)), "code")
        if mark not in renderer.text(chat.said(chat.real, replaced={key: {name: mark}})):
            raise MaskError(
                f"The chat template leaves out the call of {call.name} in "
                f"{described(chat.conversation, int(key[0]))}",
                refusal=MaskRefusal.CALLS_LEFT_OUT,
                hint="Use a template that writes tool calls, or a protocol that writes code in the text",
            )


def calls_end(
    chat: Chat, renderer: Renderer, special: SpecialTokens, texts: Mapping[Key, str], number: int
) -> tuple[str, int]:
    """The rendering of all messages up to one with calls and the end of its turn, and where its calls end.

    What the template writes behind a last message without calls it writes behind one with calls too;
    or, where it has an end of its own for those, that is the special token that comes last.
    """
    with_calls = renderer.text(chat.said(texts, number + 1))
    mark = fresh([renderer.template, *texts.values()])
    said = [*chat.said(texts, number), {"role": Role.ASSISTANT.value, "content": mark}]
    tail = renderer.text(said).rpartition(mark)[2]
    if with_calls.endswith(tail):
        end = len(with_calls) - len(tail)
        return with_calls[: end + len(special.beginning(tail))], end
    end = special.last(with_calls)
    return with_calls.rstrip(), end
