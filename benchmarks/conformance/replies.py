"""The bodies of replies: one JSON object, or the events of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from conformance.profiles import (
    Prefill,
    Profile,
    Role,
    StreamUsage,
    Thinking,
    ToolStream,
)
from conformance.requests import Request, ToolCall
from conformance.tokens import Token, Tokenizer
from conformance.writing import Kind, Piece, Written

__all__ = ["Answer", "encode", "encode_all"]

Json = dict[str, object]

encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""As compact as servers write it, non-ASCII characters as they are."""
_BETWEEN: Final = "\0event\0"


@dataclass(frozen=True)
class Answer:
    """All that is needed to put the replies to one request into words."""

    id: str
    created: int
    request: Request
    replies: Sequence[Written]
    profile: Profile
    tokenizer: Tokenizer

    def usage(self) -> Json:
        """The token counts."""
        counted = self.replies if self.profile.usage_counts_all else self.replies[:1]
        prompt, written = self.request.prompt_tokens, sum(reply.count for reply in counted)
        usage: Json = {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
        }
        if self.profile.thinking is Thinking.HIDDEN:
            thought = sum(reply.thinking_count for reply in counted)
            usage["completion_tokens_details"] = {"reasoning_tokens": thought}
        return usage

    def whole(self) -> Json:
        """The body of a reply that is not streamed."""
        body = self._frame("chat.completion" if self.request.chat else "text_completion")
        body["choices"] = [self._whole_choice(index, reply) for index, reply in enumerate(self.replies)]
        body["usage"] = self.usage()
        if self.request.wants_prompt_ids:
            body["prompt_token_ids"] = self.request.prompt_ids(self.tokenizer)
        return body

    def events(self) -> Iterator[tuple[Json, bool]]:
        """The chunks of the stream, and whether a reply has ended with each."""
        rows = [self._choices(index, reply) for index, reply in enumerate(self.replies)]
        frame = self._frame("chat.completion.chunk" if self.request.chat else "text_completion")
        rule = self.profile.usage
        if rule is StreamUsage.NULL_ELSEWHERE and self.request.usage_wanted:
            frame["usage"] = None
        first = self.request.wants_prompt_ids
        for column in range(max(map(len, rows))):
            for row in rows:
                if column < len(row):
                    event = {**frame, "choices": [row[column]]}
                    if first:
                        event["prompt_token_ids"] = self.request.prompt_ids(self.tokenizer)
                        first = False
                    last = column == len(row) - 1
                    if last and rule is StreamUsage.WITH_FINISH:
                        event["usage"] = self.usage()
                    yield event, last
        if rule is StreamUsage.ALWAYS or (rule is not StreamUsage.WITH_FINISH and self.request.usage_wanted):
            yield frame | {"choices": [], "usage": self.usage()}, True

    def _frame(self, kind: str) -> Json:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.request.model}

    def _whole_choice(self, index: int, reply: Written) -> Json:
        text = reply.joined(Kind.TEXT)
        choice: Json = {"index": index}
        if self.request.chat:
            if self.profile.prefill_echoed and self.profile.prefill is Prefill.ALWAYS:
                text = (self.request.continued or "") + text
            message: Json = {"role": "assistant", "content": text if text or not reply.calls else None}
            thinking = reply.joined(Kind.THINKING)
            if thinking and self.profile.thinking is not Thinking.HIDDEN:
                message[self.profile.thinking.value] = thinking
            if reply.calls:
                message["tool_calls"] = [
                    self._call(index, at, call, whole=True) for at, call in enumerate(reply.calls)
                ]
            choice["message"] = message
        else:
            choice["text"] = text
        choice["logprobs"] = self._logprobs(reply.tokens)
        return choice | self._ending(reply) | self._ids(reply.tokens)

    def _choices(self, index: int, reply: Written) -> list[Json]:
        """One reply's part of the stream."""
        going = self.profile.finish.going
        choices = [self._choice(index, piece, delta, going) for piece, delta in self._deltas(index, reply)]
        if self.request.chat and self.profile.role is Role.OWN_CHUNK:
            opening: Json = {"role": "assistant", "content": ""}
            choices.insert(0, {"index": index, "delta": opening, "logprobs": None, "finish_reason": going})
        elif self.request.chat and choices and self.profile.role is Role.FIRST_CHUNK:
            choices[0]["delta"] = {"role": "assistant"} | dict(_mapping(choices[0]["delta"]))
        if choices and not self.profile.finish_alone:
            choices[-1] |= self._ending(reply)
        else:
            empty: Json = {"delta": {}} if self.request.chat else {"text": ""}
            choices.append({"index": index, **empty, "logprobs": None} | self._ending(reply))
        return choices

    def _deltas(self, index: int, reply: Written) -> Iterator[tuple[Piece, Json]]:
        held: list[Token] = []
        whole = self.profile.tool_stream is ToolStream.WHOLE
        for piece in reply.pieces:
            delta = self._delta(index, piece, reply, whole=whole)
            if delta is None and not (self.request.wants_ids and (held or piece.tokens)):
                # Logprobs of a token whose text is kept back come with the text.
                held += piece.tokens
            elif held:
                yield _with_tokens(piece, [*held, *piece.tokens]), delta or {}
                held = []
            else:
                yield piece, delta or {}
        if held and (self.request.logprobs is not None or not self.profile.finish_alone):
            yield Piece(Kind.TEXT, "", held), self._with_role({"content": ""})

    def _delta(self, index: int, piece: Piece, reply: Written, *, whole: bool) -> Json | None:
        delta: Json | None = None
        match piece.kind:
            case Kind.TEXT if piece.text:
                delta = {"content": piece.text}
            case Kind.THINKING if self.profile.thinking is not Thinking.HIDDEN:
                delta = {self.profile.thinking.value: piece.text}
            case Kind.CALL if whole:
                if piece.opens and piece.call == 0:
                    calls = [self._call(index, at, call, whole=True) for at, call in enumerate(reply.calls)]
                    delta = {"content": "", "tool_calls": calls}
            case Kind.CALL:
                call = replace(reply.calls[piece.call], arguments=piece.text)
                delta = {"tool_calls": [self._call(index, piece.call, call, whole=piece.opens)]}
            case _:
                pass
        return None if delta is None else self._with_role(delta)

    def _with_role(self, delta: Json) -> Json:
        return {"role": "assistant"} | delta if self.profile.role is Role.EVERY_CHUNK else delta

    def _call(self, index: int, at: int, call: ToolCall, *, whole: bool) -> Json:
        number = self.profile.tool_ids.format(f"{self.id[-8:]}{index:02x}{at:02x}")
        if whole or self.profile.tool_stream is ToolStream.NAME_IN_FIRST:
            function: Json = {"name": call.name if whole else None, "arguments": call.arguments}
            return {"index": at, "id": number, "type": "function", "function": function}
        return {"index": at, "function": {"arguments": call.arguments}}

    def _choice(self, index: int, piece: Piece, delta: Json, going: str | None) -> Json:
        content: Json = {"delta": delta} if self.request.chat else {"text": delta.get("content", "")}
        choice: Json = {"index": index, **content, "logprobs": self._logprobs(piece.tokens)}
        choice["finish_reason"] = going
        return choice | self._ids(piece.tokens) if self.request.wants_ids else choice

    def _ending(self, reply: Written) -> Json:
        ending: Json = {"finish_reason": self.profile.finish.name(reply.finish)}
        if self.profile.stop_field is not None:
            ending[self.profile.stop_field] = reply.stop
        return ending

    def _ids(self, tokens: Sequence[Token]) -> Json:
        return {"token_ids": [token.id for token in tokens]} if self.request.wants_ids else {}

    def _logprobs(self, tokens: Sequence[Token]) -> Json | None:
        number = self.request.logprobs
        if number is None or not tokens:
            return None
        if not self.request.chat:
            return {
                "tokens": [token.text for token in tokens],
                "token_logprobs": [token.logprob for token in tokens],
                "top_logprobs": [
                    {other.text: other.logprob for other in self.tokenizer.alternatives(token, number)}
                    for token in tokens
                ],
                "text_offset": _offsets(tokens),
            }
        return {
            "content": [
                _logprob(token)
                | {"top_logprobs": [_logprob(other) for other in self.tokenizer.alternatives(token, number)]}
                for token in tokens
            ]
        }


def encode_all(events: Sequence[Json]) -> list[bytes]:
    """Each event in JSON. All in one go, since a call of the encoder costs more than an event does."""
    mixed: list[object] = [_BETWEEN] * (2 * len(events) - 1)
    mixed[::2] = events
    # A quote inside a JSON string has a backslash before it, so this mark stands between events only.
    mark = f",{encode(_BETWEEN)},".encode()
    return encode(mixed).encode("utf-8", "replace")[1:-1].split(mark)


def _with_tokens(piece: Piece, tokens: Sequence[Token]) -> Piece:
    """The piece with other tokens behind it."""
    return Piece(piece.kind, piece.text, tokens, piece.call, piece.opens)


def _logprob(token: Token) -> Json:
    return {
        "token": token.text,
        "logprob": token.logprob,
        "bytes": list(token.text.encode("utf-8", "replace")),
    }


def _offsets(tokens: Sequence[Token]) -> list[int]:
    offsets, position = [], 0
    for token in tokens:
        offsets.append(position)
        position += len(token.text)
    return offsets


def _mapping(value: object) -> Json:
    assert isinstance(value, dict)
    return value
