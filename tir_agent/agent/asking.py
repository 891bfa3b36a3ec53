"""Asking the model for a reply, and keeping what came of it if the reply breaks off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from tir_agent.agent.gate import Gate
from tir_agent.agent.observer import Observer
from tir_agent.agent.repetition import LoopWatch
from tir_agent.agent.run import CHARS_PER_TOKEN, Run
from tir_agent.errors import ModelUnavailable
from tir_agent.messages import Tool
from tir_agent.models.base import Model
from tir_agent.settings import RunSettings, Sampling
from tir_agent.trajectory import Completion, FinishReason

__all__ = ["ask"]


async def ask(
    model: Model,
    gate: Gate,
    run: Run,
    settings: RunSettings,
    observer: Observer,
    *,
    sampling: Sampling,
    stop: Sequence[str],
    tools: Sequence[Tool],
    keep: Callable[[Completion], None],
) -> Completion:
    """The next reply to the run's conversation; at the run's end of time, what has come until then.

    Waits at the gate first. A reply that falls into a loop is stopped. `keep` gets what has come where
    the run is cancelled.

    Raises:
        ModelError: as `Model.complete`.
    """
    async with AsyncExitStack() as place:
        with run.queue():
            await place.enter_async_context(gate.request())
        observer.requested(run.messages, sampling, stop)
        try:
            completion = await _answer(model, run, settings, observer, sampling, stop, tools, keep)
        except BaseException as error:
            observer.reply_failed(error)
            raise
    observer.replied(completion)
    return completion


async def _answer(
    model: Model,
    run: Run,
    settings: RunSettings,
    observer: Observer,
    sampling: Sampling,
    stop: Sequence[str],
    tools: Sequence[Tool],
    keep: Callable[[Completion], None],
) -> Completion:
    left = settings.budget.max_seconds - run.seconds
    draft = _Draft(observer, settings.budget.max_loop_chars)
    try:
        with run.model_time():
            async with asyncio.timeout(left) as draft.patience:
                reply = await model.complete(
                    run.messages, sampling, stop=stop, tools=tools, timeout=left + 1, listener=draft
                )
        # The end of a short reply may come together with the piece that closes its loop.
        return reply.model_copy(update={"finish_reason": FinishReason.REPETITION}) if draft.loops else reply
    except asyncio.CancelledError:
        if draft.written:
            keep(draft.completion(run, FinishReason.ABORTED))
        raise
    except TimeoutError:
        if draft.loops:
            return draft.completion(run, FinishReason.REPETITION)
        # A server that has answered in this run was there; one that never did was not.
        if draft.written or run.turns or run.attempts:
            return draft.completion(run, FinishReason.ABORTED)
        raise ModelUnavailable(f"The model did not begin to answer within {left:.0f} seconds") from None


class _Draft:
    """Keeps the reply as far as it has come, and passes it on; gives up waiting for one that loops."""

    def __init__(self, observer: Observer, loop_chars: int | None) -> None:
        self._observer = observer
        self._loop_chars = loop_chars
        self._pieces: list[str] = []
        self._watch = LoopWatch(loop_chars)
        self._clock = time.monotonic()
        self.patience: asyncio.Timeout | None = None
        """How long the reply is waited for."""
        self.loops = False

    @property
    def written(self) -> bool:
        return bool(self._pieces)

    def text(self, piece: str) -> None:
        self._pieces.append(piece)
        self._observer.text(piece)
        if not self.loops and self._watch.feed(piece):
            self.loops = True
            if self.patience is not None:
                self.patience.reschedule(asyncio.get_running_loop().time())

    def restart(self, reason: str) -> None:
        self._pieces.clear()
        self._watch = LoopWatch(self._loop_chars)
        self._observer.restart(reason)

    def completion(self, run: Run, reason: FinishReason) -> Completion:
        text = "".join(self._pieces)
        return Completion(
            text=text,
            finish_reason=reason,
            prompt_tokens=run.context_tokens,
            completion_tokens=-(-len(text) // CHARS_PER_TOKEN),
            estimated=True,
            duration=time.monotonic() - self._clock,
        )
