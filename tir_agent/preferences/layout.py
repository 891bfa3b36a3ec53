"""From a rendering to pieces: which of the template's own text is the model's, and where the opening ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.messages import Role
from tir_agent.preferences.calls import calls_end
from tir_agent.preferences.renderer import Renderer
from tir_agent.preferences.skeleton import Place, Skeleton
from tir_agent.preferences.slots import Chat, described
from tir_agent.preferences.tokens import Piece, SpecialTokens
from tir_agent.preferences.writers import came_to_its_end, content_pieces

__all__ = ["Layout"]


@dataclass(frozen=True)
class _Turn:
    """What the template writes of an assistant's message beside its content, in the skeleton's text."""

    calls: tuple[int, int]
    """Its calls; empty where it has none."""
    end: tuple[int, int]
    """The end of its turn; empty where nothing marks it."""


class Layout:
    """Cuts a skeleton into pieces."""

    def __init__(self, bones: Skeleton, chat: Chat, renderer: Renderer, special: SpecialTokens) -> None:
        self._bones = bones
        self._chat = chat
        self._conversation = chat.conversation
        self._renderer = renderer
        self._special = special
        self._generated = renderer.generated(chat.said(bones.marks))

    def pieces(self) -> Iterator[Piece]:
        """The whole text, in pieces, each with whether a loss stands on it.

        Raises:
            MaskError: it cannot be known what of the template's text is the model's.
        """
        learnt = self._learnt()
        given = self._opening()
        borders = {given, *(place for one in learnt for place in one)}
        at = 0
        for place in self._bones.places:
            yield from self._literal(at, place.at, learnt, given, borders)
            yield from self._content(place, learnt, given)
            at = place.at + self._bones.width
        yield from self._literal(at, len(self._bones.text), learnt, given, borders)

    def _literal(
        self, start: int, end: int, learnt: list[tuple[int, int]], given: int, borders: set[int]
    ) -> Iterator[Piece]:
        cuts = sorted({start, end, *(border for border in borders if start < border < end)})
        for a, b in pairwise(cuts):
            yield Piece(self._bones.text[a:b], loss=_inside(a, learnt), given=a < given, template=True)

    def _content(self, place: Place, learnt: list[tuple[int, int]], given: int) -> Iterator[Piece]:
        before = place.at < given
        if place.slot.argument:
            # Written by the template like what is around it, unless it would pass for more than text.
            template = not self._special.count(place.text)
            yield Piece(place.text, loss=_inside(place.at, learnt), given=before, template=template)
            return
        pieces = content_pieces(self._conversation, place.slot.message, place.start, place.end, given=before)
        for piece in pieces:
            yield Piece(place.writing.of(piece.text), piece.loss, piece.given, piece.template, piece.ids)

    def _learnt(self) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        messages = self._conversation.messages
        for n in range(self._conversation.opening, len(messages)):
            if messages[n].role is not Role.ASSISTANT:
                continue
            turn = self._turn(n)
            found.append(turn.calls)
            if came_to_its_end(self._conversation, n):
                found.append(turn.end)
        return [(start, end) for start, end in found if start < end]

    def _turn(self, number: int) -> _Turn:
        start = self._behind_content(number)
        end = start
        ending = self._special.beginning(self._literal_at(start))
        if self._conversation.messages[number].tool_calls:
            end, ending = self._calls_end(number, start)
        for a, b in self._generated or ():
            # The template's author says what of the end is learnt; without calls that is all of the rest.
            if a <= start <= b and a < b:
                return _Turn((start, end), (end, max(b, end)))
        if self._generated is not None:
            return _Turn((start, end), (end, end))
        return _Turn((start, end), (end, end + len(ending)))

    def _behind_content(self, number: int) -> int:
        place = self._bones.place(number)
        return self._header(number) if place is None else place.at + self._bones.width

    def _header(self, number: int) -> int:
        """Where a message without content begins: behind what the template writes to have it begun."""
        reply = self._conversation.messages[number].role is Role.ASSISTANT
        messages = self._chat.said(self._bones.marks, number)
        before = self._renderer.text(messages, header=reply)
        if not self._bones.text.startswith(before):
            raise MaskError(
                "The chat template lays another header around "
                f"{described(self._conversation, number)} than around a reply that is yet to come",
                refusal=MaskRefusal.REWRITTEN,
                hint="Use a template that writes messages as they were when the model went on from them",
            )
        return len(before)

    def _literal_at(self, start: int) -> str:
        after = (place.at for place in self._bones.places if place.at >= start)
        return self._bones.text[start : next(after, len(self._bones.text))]

    def _calls_end(self, number: int, start: int) -> tuple[int, str]:
        marks = self._bones.marks
        whole, end = calls_end(self._chat, self._renderer, self._special, marks, number)
        arguments = [p.at for p in self._bones.places if p.slot.argument and p.slot.message == number]
        inside = all(start <= argument < end for argument in arguments)
        if not inside or end < start or not self._bones.text.startswith(whole):
            raise MaskError(
                f"It cannot be told where the tool calls of {described(self._conversation, number)} end "
                "in what the chat template writes",
                refusal=MaskRefusal.REWRITTEN,
                hint="Use a template that marks the end of an assistant's turn with a special token",
            )
        return end, whole[end:]

    def _opening(self) -> int:
        number = self._conversation.opening
        if number >= len(self._conversation.messages):
            return len(self._bones.text)
        place = self._bones.place(number)
        return self._header(number) if place is None else place.at


def _inside(at: int, ranges: list[tuple[int, int]]) -> bool:
    return any(start <= at < end for start, end in ranges)
