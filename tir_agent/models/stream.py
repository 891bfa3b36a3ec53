"""One reply, put together from the chunks of its stream."""

from __future__ import annotations

import itertools
from typing import Final

from tir_agent.models.base import CallListener
from tir_agent.models.calls import CallCollector
from tir_agent.models.echo import EchoFilter
from tir_agent.models.estimate import estimate_tokens
from tir_agent.models.requests import Request
from tir_agent.models.stops import StopFilter
from tir_agent.models.wire import CallDelta, Choice, Chunk, TokenCounts
from tir_agent.trajectory import Completion, FinishReason

__all__ = ["Reply"]

MOST_CHARS_PER_TOKEN: Final = 16
MOST_CHARS_EXTRA: Final = 256

_FINISH = {
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTERED,
}


class Reply:
    """What has come of a reply so far.

    A server that ignores `max_tokens` is cut at 16 characters for each of them plus 256: text has
    three to five a token, and only runs of spaces or rules have tokens that are longer than 16.
    Thinking and the arguments of calls count too.
    """

    def __init__(self, request: Request, *, echo: str = "") -> None:
        """`echo` is what the server repeats before what is new."""
        self._request = request
        self._filter = StopFilter(request.stop)
        self._echo = EchoFilter(echo)
        self._calls = CallCollector(request.call_ids)
        self._listener = request.listener
        self._room = MOST_CHARS_PER_TOKEN * request.sampling.max_tokens + MOST_CHARS_EXTRA
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._token_ids: list[int] = []
        self._token_texts: list[bytes | None] = []
        self._logprobs: list[float] = []
        self._server_stop: str | None = None
        self._cut = False
        self.finish: FinishReason | None = None
        """Why the reply ended; None while it goes on."""
        self.usage: TokenCounts | None = None
        """The server's counts, once they have come."""

    @property
    def begun(self) -> bool:
        """Something of the reply itself has come."""
        return bool(self._text or self._reasoning or self._calls.calls())

    @property
    def cut(self) -> bool:
        """The reply was ended here, while the server goes on: nothing more is to be read."""
        return self._cut

    def take(self, chunk: Chunk) -> None:
        """Read one chunk."""
        if chunk.usage is not None:
            self.usage = chunk.usage
            if not chunk.choices and self.finish is None and self.begun:
                # The counts of a whole reply come last, so this server gives no reason for its end.
                self._end(FinishReason.STOP)
        if chunk.sglext is not None and chunk.sglext.output_ids and not self._token_ids:
            self._token_ids += chunk.sglext.output_ids[0]
        for choice in chunk.choices:
            if choice.index == 0 and self.finish is None:
                self._take(choice)

    def _take(self, choice: Choice) -> None:
        if choice.delta is not None:
            reasoning = choice.delta.reasoning_content or choice.delta.reasoning
            if reasoning:
                self._reasoning.append(reasoning[: self._room])
                self._room -= len(reasoning)
            for call in choice.delta.tool_calls:
                self._call(call)
        text = choice.text or (choice.delta.content if choice.delta else None)
        if text:
            self._pass(self._filter.feed(self._echo.feed(text)))
        if choice.logprobs is not None:
            self._logprobs += choice.logprobs.values
            self._token_texts += [token.encoded for token in choice.logprobs.content]
            if choice.token_ids is None:
                self._token_ids += choice.logprobs.ids
        self._token_ids += choice.token_ids or []
        if self._filter.hit is not None:
            self._cut = True
            self.finish = FinishReason.STOP
        elif self._room <= 0:
            self._cut = True
            self.finish = FinishReason.LENGTH
        elif choice.finish_reason:
            stop = choice.stop_reason if choice.stop_reason is not None else choice.matched_stop
            self._server_stop = stop if isinstance(stop, str) else None
            self._end(_FINISH.get(choice.finish_reason, FinishReason.STOP))

    def _call(self, delta: CallDelta) -> None:
        # A piece that is too long is read whole: arguments that are cut are worth nothing anyway.
        name, piece = self._calls.feed(delta)
        self._room -= len(piece)
        if piece and isinstance(self._listener, CallListener):
            self._listener.call(name, piece)

    def _end(self, reason: FinishReason) -> None:
        self._pass(self._filter.feed(self._echo.flush()))
        self._pass(self._filter.flush())
        self.finish = FinishReason.STOP if self._filter.hit is not None else reason

    def _pass(self, text: str) -> None:
        text = text[: max(self._room, 0)]
        if text:
            self._room -= len(text)
            self._text.append(text)
            if self._listener is not None:
                self._listener.text(text)

    def _whole_tokens(self, text: bytes) -> int:
        """How many of the tokens that came are the reply's; 0 where they are not the text's.

        Tokens of a stop string that was cut off here have no place in the text. llama.cpp leaves out those
        of a piece of text that it held back, since it could have begun a stop string.
        """
        known = [one for one in self._token_texts if one is not None]
        if len(known) < max(len(self._token_ids), len(self._logprobs)):
            return 0 if self._cut else max(len(self._token_ids), len(self._logprobs))
        if not self._cut:
            return len(known) if text in b"".join(known) else 0
        lengths = itertools.accumulate(map(len, known))
        end = next((number for number, length in enumerate(lengths, 1) if length >= len(text)), 0)
        return end if b"".join(known[:end]) == text else 0

    def completion(self, *, duration: float) -> Completion:
        """The reply as a record. `duration` is in seconds."""
        if self.finish is None:
            raise ValueError("the reply has not ended")
        text, reasoning = "".join(self._text), "".join(self._reasoning)
        calls = self._calls.calls()
        written = [text, reasoning, *(call.name + call.arguments for call in calls)]
        usage = self.usage or TokenCounts(
            prompt_tokens=sum(estimate_tokens(message.content) for message in self._request.messages),
            completion_tokens=sum(estimate_tokens(part) for part in written),
        )
        whole = self._whole_tokens(text.encode("utf-8", "replace"))
        tokens, logprobs = tuple(self._token_ids[:whole]), tuple(self._logprobs[:whole])
        if self.usage is None and logprobs:
            usage = usage.model_copy(update={"completion_tokens": len(logprobs)})
        return Completion(
            text=text,
            finish_reason=self.finish,
            stop_text=self._filter.hit or self._server_stop,
            reasoning=reasoning or None,
            tool_calls=calls,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=min(usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens),
            reasoning_tokens=min(usage.completion_tokens_details.reasoning_tokens, usage.completion_tokens),
            estimated=self.usage is None,
            token_ids=tokens or None,
            logprobs=logprobs or None,
            duration=duration,
            attempts=self._request.sent,
            queued=self._request.queued,
        )
