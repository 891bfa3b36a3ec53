"""What a template lays around texts: found with other texts in their places, proven with the real ones.

Nothing is searched for in what a model or an interpreter wrote. The template renders digits that occur
nowhere else; what stands between them is the template's own; and that, with the real texts put back, has to
be character by character what the template makes of the real messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.preferences.renderer import Renderer
from tir_agent.preferences.slots import Chat, Key, Slot, described, sentinels

__all__ = ["Place", "Skeleton", "Writing", "skeleton"]


class Writing(StrEnum):
    """How a template writes a text that it is given."""

    PLAIN = "plain"
    JSON = "json"
    ASCII_JSON = "ascii_json"

    def of(self, text: str) -> str:
        """`text` as it is written, without the quotes around it."""
        if self is Writing.PLAIN:
            return text
        return json.dumps(text, ensure_ascii=self is Writing.ASCII_JSON)[1:-1]


_PROBE: Final = '"é\n.'
"""Written differently in each way; the full stop keeps the line break from being stripped."""


@dataclass(frozen=True)
class Place:
    """Where a text stands, and how much of it."""

    slot: Slot
    at: int
    """In the skeleton's text, where its sentinel begins."""
    start: int
    end: int
    """Characters `start` to `end` are kept: the template may strip white space off both ends."""
    writing: Writing

    @property
    def text(self) -> str:
        return self.writing.of(self.slot.text[self.start : self.end])


@dataclass(frozen=True)
class Skeleton:
    """A rendering with sentinels in the place of texts, and what really stands in these places."""

    text: str
    places: tuple[Place, ...]
    """In the order of the rendering."""
    marks: dict[Key, str]
    """The sentinels; a rendering of fewer messages with the same ones is a beginning of this one, or not."""

    @property
    def width(self) -> int:
        """Characters of a sentinel."""
        return max(map(len, self.marks.values()), default=0)

    def literals(self) -> list[str]:
        """What stands before, between and behind the places."""
        ends = [0, *(place.at + self.width for place in self.places)]
        starts = [*(place.at for place in self.places), len(self.text)]
        return [self.text[a:b] for a, b in zip(ends, starts, strict=True)]

    def real(self) -> str:
        """The text with everything in its place."""
        literals = self.literals()
        parts = [part for n, place in enumerate(self.places) for part in (literals[n], place.text)]
        return "".join([*parts, literals[-1]])

    def place(self, message: int) -> Place | None:
        """Where a message's content stands first; None where it has none."""
        return next((one for one in self.places if one.slot.key == (message,)), None)


def skeleton(chat: Chat, renderer: Renderer) -> Skeleton | None:
    """Find what the template lays around every text; None where it does not write them as they are.

    Raises:
        MaskError: it leaves a text out, or writes what is to be learnt twice.
    """
    real = renderer.text(chat.said(chat.real))
    marks = sentinels(chat.slots, [real, renderer.template, *chat.real.values()])
    text = renderer.text(chat.said(marks))
    found = _found(text, chat.slots, marks)
    _whole(chat, found)
    places = tuple(
        Place(slot, at, 0, len(slot.text), Writing.JSON if slot.argument else Writing.PLAIN)
        for slot, at in found
    )
    bare = Skeleton(text, places, marks)
    for change in (_as_it_is, _rewritten, _stripped, _without_blanks):
        # Each reads off one more thing that templates do, and all of it is proven by the result.
        changed = change(bare, chat, renderer)
        if changed is None:
            continue
        if changed.real() == real:
            return changed
        bare = changed
    return None


def _found(text: str, slots: Sequence[Slot], marks: dict[Key, str]) -> list[tuple[Slot, int]]:
    if not slots:
        return []
    by_mark = {marks[slot.key]: slot for slot in slots}
    return [(by_mark[one.group()], one.start()) for one in re.finditer("|".join(by_mark), text)]


def _whole(chat: Chat, found: Sequence[tuple[Slot, int]]) -> None:
    conversation = chat.conversation
    keys = [slot.key for slot, _ in found]
    for slot in chat.slots:
        times = keys.count(slot.key)
        where = described(conversation, slot.message)
        if not times and slot.argument:
            name = conversation.messages[slot.message].tool_calls[int(slot.key[1])].name
            raise MaskError(
                f"The chat template leaves out what {name} was called with in {where}: the code would vanish",
                refusal=MaskRefusal.CALLS_LEFT_OUT,
                hint="Use a template that writes tool calls, or a protocol that writes code in the text",
            )
        if not times and slot.text.strip():
            raise MaskError(
                f"The chat template leaves out {where}",
                refusal=MaskRefusal.LEFT_OUT,
                hint="Use the template that the model was sampled with",
            )
        if times > 1 and slot.message >= conversation.opening:
            raise MaskError(
                f"The chat template writes {where} {times} times",
                refusal=MaskRefusal.LEFT_OUT,
                hint="Use a template that writes each message once",
            )


def _as_it_is(bare: Skeleton, chat: Chat, renderer: Renderer) -> Skeleton | None:
    return bare


def _stripped(bare: Skeleton, chat: Chat, renderer: Renderer) -> Skeleton | None:
    """Read off how much of the white space around each text is kept.

    Texts are given their own white space on every second place at a time, so that all that a literal
    has more than without is one text's.
    """
    kept = [(place.start, place.end) for place in bare.places]
    literals = bare.literals()
    for parity in (0, 1):
        padded = dict(bare.marks)
        for place in bare.places[parity::2]:
            before, after = _around(place.slot.text)
            padded[place.slot.key] = before + bare.marks[place.slot.key] + after
        if padded == bare.marks:
            continue
        other = _again(bare, chat, renderer, padded)
        if other is None:
            return None
        grown = [len(b) - len(a) for a, b in zip(literals, other.literals(), strict=True)]
        for n in range(parity, len(kept), 2):
            place = bare.places[n]
            before, after = _around(place.slot.text)
            written = [len(place.writing.of(before[k:])) for k in range(len(before) + 1)]
            behind = [len(place.writing.of(after[:k])) for k in range(len(after) + 1)]
            if grown[n] not in written or grown[n + 1] not in behind:
                return None
            size = len(place.slot.text)
            kept[n] = (written.index(grown[n]), size - len(after) + behind.index(grown[n + 1]))
    return _with(bare, lambda n, place: replace(place, start=kept[n][0], end=kept[n][1]))


def _without_blanks(bare: Skeleton, chat: Chat, renderer: Renderer) -> Skeleton | None:
    """A text of nothing but white space may vanish, where beside others it would have been kept."""
    return _with(bare, lambda n, place: place if place.slot.text.strip() else replace(place, start=0, end=0))


def _rewritten(bare: Skeleton, chat: Chat, renderer: Renderer) -> Skeleton | None:
    """Read off whether texts are written as JSON: some templates do that with outputs of tools."""
    other = _again(bare, chat, renderer, {key: mark + _PROBE for key, mark in bare.marks.items()})
    if other is None:
        return None
    writings: list[Writing] = []
    for place in other.places:
        behind = place.at + bare.width
        writing = next((one for one in Writing if other.text.startswith(one.of(_PROBE), behind)), None)
        if writing is None:
            return None
        writings.append(writing)
    return _with(bare, lambda n, place: replace(place, writing=writings[n]))


def _around(text: str) -> tuple[str, str]:
    """The white space before and behind it; of a text that is nothing else, all is before."""
    bare = text.strip()
    if not bare:
        return text, ""
    at = text.index(bare)
    return text[:at], text[at + len(bare) :]


def _again(bare: Skeleton, chat: Chat, renderer: Renderer, texts: dict[Key, str]) -> Skeleton | None:
    """Render with other texts around the same sentinels; None where they come in another order."""
    text = renderer.text(chat.said(texts))
    found = _found(text, chat.slots, bare.marks)
    if [slot.key for slot, _ in found] != [place.slot.key for place in bare.places]:
        return None
    places = (replace(place, at=at) for (_, at), place in zip(found, bare.places, strict=True))
    return Skeleton(text, tuple(places), bare.marks)


def _with(bare: Skeleton, changed: Callable[[int, Place], Place]) -> Skeleton:
    return replace(bare, places=tuple(changed(n, place) for n, place in enumerate(bare.places)))
