"""Templates that write some messages otherwise than they are, but never go back on what they wrote.

Qwen3's is one, which takes reasoning out of replies and may write it back the same. Each message's part is
what a rendering grows by with it; every rendering has to be the beginning of the whole one.
"""

from __future__ import annotations

from collections.abc import Iterator

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.messages import Origin, Role
from tir_agent.preferences.calls import calls_end
from tir_agent.preferences.renderer import Renderer
from tir_agent.preferences.slots import Chat, described, sentinels
from tir_agent.preferences.tokens import Piece, SpecialTokens
from tir_agent.preferences.writers import came_to_its_end, content_pieces

__all__ = ["appended"]


def appended(chat: Chat, renderer: Renderer, special: SpecialTokens) -> Iterator[Piece]:
    """The pieces of the whole text.

    Raises:
        MaskError: the template writes a message anew when others follow, or changes what a model wrote.
    """
    return _Growth(chat, renderer, special).pieces()


class _Growth:
    def __init__(self, chat: Chat, renderer: Renderer, special: SpecialTokens) -> None:
        self._chat = chat
        self._conversation = chat.conversation
        self._renderer = renderer
        self._special = special
        self._whole = renderer.text(chat.said(chat.real))
        self._marks = sentinels(chat.slots, [self._whole, renderer.template, *chat.real.values()])
        self._generated = renderer.generated(chat.said(chat.real))

    def pieces(self) -> Iterator[Piece]:
        opening = self._conversation.opening
        messages = self._conversation.messages
        at = 0
        if opening:
            at = self._until(opening)
            yield self._told(0, at, 0, opening, given=True)
        for n in range(opening, len(messages)):
            end = self._until(n + 1)
            if messages[n].role is Role.ASSISTANT:
                header = self._until(n, header=True)
                yield Piece(self._whole[at:header], loss=False, given=n == opening, template=True)
                yield from self._reply(n, header, end)
            elif any(span.origin is Origin.MODEL for span in messages[n].spans):
                raise self._refused(n)
            else:
                yield self._told(at, end, n, n + 1, given=False)
            at = end

    def _until(self, number: int, *, header: bool = False) -> int:
        """Where the first `number` messages end in the whole, and the header of a reply behind them."""
        text = self._renderer.text(self._chat.said(self._chat.real, number), header=header)
        if not self._whole.startswith(text):
            raise self._refused(self._first_rewritten(number))
        return len(text)

    def _first_rewritten(self, number: int) -> int:
        for n in range(1, number):
            try:
                text = self._renderer.text(self._chat.said(self._chat.real, n))
            except MaskError:
                continue
            if not self._whole.startswith(text):
                return n - 1
        return number - 1

    def _refused(self, number: int) -> MaskError:
        return MaskError(
            f"The chat template rewrites {described(self._conversation, number)}, "
            "so that it is not known which of its text is the model's",
            refusal=MaskRefusal.REWRITTEN,
            hint="Give a template that writes messages as they are, also when others follow",
        )

    def _told(self, start: int, end: int, first: int, until: int, *, given: bool) -> Piece:
        """What others wrote. With digits in the place of their texts it has as many special tokens."""
        after = self._renderer.text(self._chat.said(self._marks, until))
        before = self._renderer.text(self._chat.said(self._marks, first)) if first else ""
        expected = self._special.count(after) - self._special.count(before)
        text = self._whole[start:end]
        if self._special.count(text) != expected:
            raise MaskError(
                f"Text in {described(self._conversation, until - 1)} or before it has a special token of the "
                "template's in it, and the template rewrites messages",
                refusal=MaskRefusal.FORGED,
                hint="Give a template that writes messages as they are",
            )
        return Piece(text, loss=False, given=given, template=True)

    def _reply(self, number: int, start: int, end: int) -> Iterator[Piece]:
        message = self._conversation.messages[number]
        content = message.content
        body = self._whole[start:end]
        bare = content.strip()
        first = content.index(bare)
        last = first + len(bare)
        kept = ((0, len(content)), (0, last), (first, len(content)), (first, last))
        found = next(((a, b) for a, b in kept if body.startswith(content[a:b])), None)
        if found is None:
            raise self._refused(number)
        yield from content_pieces(self._conversation, number, *found, given=False)
        behind = start + found[1] - found[0]
        over = behind
        ending = len(self._special.beginning(self._whole[behind:end]))
        if message.tool_calls:
            text, over = calls_end(self._chat, self._renderer, self._special, self._chat.real, number)
            if over < behind or not self._whole.startswith(text):
                raise self._refused(number)
            ending = len(text) - over
            block = self._whole[behind:over]
            if self._forged(number, block):
                raise self._refused(number)
            yield Piece(block, loss=True, given=False, template=True)
        if self._generated is not None:
            ending = max((b - over for a, b in self._generated if a <= behind <= b), default=0)
        ended = came_to_its_end(self._conversation, number)
        yield Piece(self._whole[over : over + ending], loss=ended, given=False, template=True)
        yield Piece(self._whole[over + ending : end], loss=False, given=False, template=True)

    def _forged(self, number: int, block: str) -> bool:
        calls = self._conversation.messages[number].tool_calls
        return bool(self._special.count(block)) and any(self._special.count(one.arguments) for one in calls)
