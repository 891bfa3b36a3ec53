"""From what a mind wants to say to what the server generates: tokens, cut where the request says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from conformance.minds import Utterance
from conformance.profiles import Finish, HoldBack, Profile, Thinking
from conformance.requests import Request, ToolCall
from conformance.tokens import END, Token, Tokenizer

__all__ = ["Kind", "Piece", "Written", "write"]


class Kind(Enum):
    """What a piece belongs to."""

    TEXT = auto()
    THINKING = auto()
    CALL = auto()


@dataclass(slots=True)
class Piece:
    """What one event brings; `tokens` are those behind it, which may be more or fewer than its text."""

    kind: Kind
    text: str
    tokens: Sequence[Token]
    call: int = 0
    """Which of the calls it belongs to."""
    opens: bool = False
    """It is the first one of its call, with name and id."""


@dataclass
class Written:
    """One generated reply."""

    pieces: list[Piece] = field(default_factory=list)
    finish: Finish = Finish.STOP
    stop: str | None = None
    """The stop string that was met."""
    calls: tuple[ToolCall, ...] = ()
    """As far as they were written."""

    @property
    def tokens(self) -> list[Token]:
        """All tokens, those of a stop string that was cut off included."""
        return [token for piece in self.pieces for token in piece.tokens]

    @property
    def count(self) -> int:
        """How many tokens were generated."""
        return sum(len(piece.tokens) for piece in self.pieces)

    @property
    def thinking_count(self) -> int:
        """How many of them are thinking."""
        return sum(len(piece.tokens) for piece in self.pieces if piece.kind is Kind.THINKING)

    @property
    def text(self) -> str:
        """What stands in the content."""
        return self.joined(Kind.TEXT)

    def joined(self, kind: Kind) -> str:
        """The text of one kind."""
        return "".join([piece.text for piece in self.pieces if piece.kind is kind])


def write(
    utterance: Utterance, request: Request, profile: Profile, tokenizer: Tokenizer, *, room: int
) -> Written:
    """Generate a reply of at most `room` tokens."""
    limit = room if request.limit is None else min(request.limit, room)
    written = Written()
    thinking, text = utterance.thinking, utterance.text
    if thinking and profile.thinking is Thinking.INLINE:
        thinking, text = "", f"<think>\n{thinking}\n</think>\n\n{text}"
    for token in tokenizer.tokens(thinking):
        if limit <= 0:
            break
        written.pieces.append(Piece(Kind.THINKING, token.text, (token,)))
        limit -= 1
    limit, kept_back = _write_text(text, request, profile, tokenizer, written, limit)
    ends_in_text = written.stop is None and limit > 0 and not utterance.calls
    if kept_back and not ends_in_text:
        written.pieces[-1].text += kept_back
    if written.stop is None and limit > 0:
        limit = _write_calls(utterance.calls, tokenizer, written, limit)
    if limit <= 0 and written.stop is None:
        written.finish = Finish.LENGTH
    elif written.calls:
        written.finish = Finish.TOOL_CALLS
    elif written.stop is None:
        # The token that ends the reply is generated like any other, and sets free what was kept back.
        written.pieces.append(Piece(Kind.TEXT, kept_back, (Token(END, "", -0.125),)))
    return written


def _write_text(
    text: str, request: Request, profile: Profile, tokenizer: Tokenizer, written: Written, limit: int
) -> tuple[int, str]:
    """Add the text up to a stop string or the limit; how many tokens are left, and what is kept back."""
    tokens = tokenizer.tokens(text)
    stop, start, end = _first_stop(text, tokens, request.stop, profile)
    keep = end if request.keeps_stop else start
    position = shown = 0
    held = _Held(profile.hold_back, () if request.keeps_stop else request.stop)
    for token in tokens:
        if limit <= 0:
            break
        limit -= 1
        position += len(token.text)
        met = stop is not None and position >= end
        ready = max(keep if met else held.ready(text, position), shown)
        written.pieces.append(Piece(Kind.TEXT, text[shown:ready], (token,)))
        shown = ready
        if met:
            written.stop, written.finish = stop, Finish.STOP_STRING
            return limit, ""
    return limit, text[shown:position]


def _write_calls(calls: Sequence[ToolCall], tokenizer: Tokenizer, written: Written, limit: int) -> int:
    pieces: list[list[Piece]] = []
    done: list[ToolCall] = []
    for number, call in enumerate(calls):
        tokens = tokenizer.tokens(call.arguments)[: max(limit, 0)]
        limit -= len(tokens)
        done.append(ToolCall(call.name, "".join(token.text for token in tokens), call.id))
        first = Piece(Kind.CALL, "", (), number, opens=True)
        pieces.append([first, *(Piece(Kind.CALL, token.text, (token,), number) for token in tokens)])
        if limit <= 0:
            break
    written.calls = tuple(done)
    written.pieces += _in_turns(pieces)
    return limit


def _in_turns(rows: Sequence[Sequence[Piece]]) -> Iterator[Piece]:
    """One piece of each row, then the next one of each."""
    for column in range(max(map(len, rows), default=0)):
        for row in rows:
            if column < len(row):
                yield row[column]


def _first_stop(
    text: str, tokens: Sequence[Token], stops: Sequence[str], profile: Profile
) -> tuple[str | None, int, int]:
    """The stop string that is complete first, where it begins, and where it ends."""
    if profile.stop_at_token_end:
        end = 0
        for token in tokens:
            end += len(token.text)
            for stop in stops:
                if text.endswith(stop, 0, end):
                    return stop, end - len(stop), end
        return None, len(text), len(text)
    found = [(at + len(stop), at, stop) for stop in stops if (at := text.find(stop)) >= 0]
    if not found:
        return None, len(text), len(text)
    end, start, stop = min(found)
    return stop, start, end


class _Held:
    """How far a stream may go when the text was generated up to some position."""

    def __init__(self, rule: HoldBack, stops: Sequence[str]) -> None:
        self._rule = rule if stops else HoldBack.NOTHING
        self._stops = stops
        self._longest = max((len(stop) for stop in stops), default=1) - 1

    def ready(self, text: str, position: int) -> int:
        match self._rule:
            case HoldBack.NOTHING:
                return position
            case HoldBack.FIXED:
                return max(position - self._longest, 0)
            case HoldBack.OVERLAP:
                for length in range(min(self._longest, position), 0, -1):
                    tail = text[position - length : position]
                    if any(stop.startswith(tail) for stop in self._stops):
                        return position - length
                return position
