"""Whose turn it is to ask: one queue for all requests to one server.

Covered: requests and tokens a minute, requests at a time, a window that adapts to what the server takes,
and pauses that the server asks for. Not covered: more than one process. Each has its own limiter there,
with a part of the limits where someone parts them (`change`), and the server's refusals share its room out
among them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from tir_agent.errors import ModelUnavailable
from tir_agent.models.bucket import Bucket
from tir_agent.models.window import Window
from tir_agent.settings import RateLimits

__all__ = ["Clock", "LimiterState", "Place", "RateLimiter"]


class Alarm(Protocol):
    """Something that will ring."""

    def cancel(self) -> object:
        """It will not."""


class Clock(Protocol):
    """What a limiter needs of an event loop, which is one."""

    def time(self) -> float:
        """Seconds since some moment."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Alarm:
        """Call `callback` when `time()` is `when`."""


@dataclass(frozen=True)
class LimiterState:
    """How a limiter stands, for those who watch. Times are in seconds."""

    in_flight: int
    """Requests that are under way."""
    waiting: int
    """Requests that wait for their turn."""
    window: int
    """Requests that may be under way at the same time, as things are."""
    cuts: int
    """How often the window was halved."""
    refusals: int
    """How often the server said that it is busy."""
    waited: float
    """By all requests together, those that still wait included."""
    pause: float
    """Until the server wants to be asked again; zero where it has not said."""


class Place:
    """One request's permission to be under way."""

    def __init__(self, limiter: RateLimiter, number: int, tokens: int, waited: float) -> None:
        self._limiter = limiter
        self.number = number
        """Counts the requests in the order in which they got their turn."""
        self.tokens = tokens
        """Tokens that it is charged for."""
        self.waited = waited
        """Seconds until it got its turn."""
        self.refused = False
        """The server said that it is busy."""

    def settle(self, tokens: int) -> None:
        """Say how many tokens the request took, read and written; before, an estimate stood for it."""
        difference, self.tokens = tokens - self.tokens, tokens
        self._limiter.charge(difference)

    def busy(self, retry_after: float | None = None) -> None:
        """The server refused for want of room; nobody asks it again for `retry_after` seconds."""
        self.refused = True
        self._limiter.cut(self, retry_after or 0.0)


class RateLimiter:
    """Shared by all requests to one server, of whatever model. To be used in one event loop.

    First come, first served: a large request that has to wait for tokens holds up the small ones behind
    it, because else it could wait for ever.
    """

    def __init__(self, limits: RateLimits | None = None, *, clock: Clock | None = None) -> None:
        """`clock` defaults to the event loop that runs when the first place is taken."""
        limits = limits or RateLimits()
        self._known_clock = clock
        self._window = Window(limits.concurrent, adaptive=limits.adaptive)
        self._buckets = _Buckets(limits)
        self._queue: deque[_Waiter] = deque()
        self._alarm: Alarm | None = None
        self._paused_until = 0.0
        self._in_flight = 0
        self._newest = -1
        self._refusals = 0
        self._waited = 0.0

    @property
    def state(self) -> LimiterState:
        """How it stands now."""
        now = self._known_clock.time() if self._known_clock else 0.0
        return LimiterState(
            in_flight=self._in_flight,
            waiting=len(self._queue),
            window=self._window.size,
            cuts=self._window.cuts,
            refusals=self._refusals,
            waited=self._waited + sum(now - waiter.since for waiter in self._queue),
            pause=max(self._paused_until - now, 0.0),
        )

    @asynccontextmanager
    async def place(self, *, tokens: int = 0, deadline: float) -> AsyncIterator[Place]:
        """Wait for a request's turn; the place is free again at the end of the block.

        `tokens` is an estimate of what it will read and write. `deadline` is by the event loop's clock,
        as for `asyncio.timeout_at`. A block that ends without an exception and without `Place.busy`
        counts as a success.

        Raises:
            ModelUnavailable: its turn had not come at the deadline.
        """
        place = await self._enter(tokens, deadline)
        try:
            yield place
            if not place.refused:
                self._window.succeeded(place.number, under_way=self._in_flight)
        finally:
            self._in_flight -= 1
            self._serve()

    def change(self, limits: RateLimits) -> None:
        """These many from now on: of what was limited a minute before, and at a time. What was found out
        of the server, and what was taken of the minute, stays."""
        self._window.allow(limits.concurrent)
        self._buckets.change(limits, self._clock.time())
        self._serve()

    def charge(self, tokens: int) -> None:
        """Take more tokens for a request that is under way, or give some back where negative."""
        self._buckets.take(0, tokens, self._clock.time())
        self._serve()

    def cut(self, place: Place, pause: float) -> None:
        """The server refused `place`: fewer at a time, and none for `pause` seconds."""
        self._refusals += 1
        self._paused_until = max(self._paused_until, self._clock.time() + pause)
        self._window.refused(place.number, newest=self._newest)
        self._serve()

    @property
    def _clock(self) -> Clock:
        if self._known_clock is None:
            self._known_clock = asyncio.get_running_loop()
        return self._known_clock

    async def _enter(self, tokens: int, deadline: float) -> Place:
        clock = self._clock
        waiter = _Waiter(tokens, clock.time(), asyncio.get_running_loop().create_future())
        self._queue.append(waiter)
        self._serve()
        alarm = clock.call_at(deadline, lambda: self._expire(waiter))
        try:
            number = await waiter.turn
        except asyncio.CancelledError:
            self._forsake(waiter)
            raise
        finally:
            alarm.cancel()
        if number is None:
            raise ModelUnavailable(
                f"A request to the model server waited {waiter.waited:.3g} seconds for its turn, in vain",
                hint="Ask for less at a time, give it more time, or raise the limits if the server allows",
            )
        return Place(self, number, tokens, waiter.waited)

    def _serve(self) -> None:
        """Let go whoever may; wake up again when time alone lets the next one go."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        now = self._clock.time()
        while self._queue and self._in_flight < self._window.size:
            waiter = self._queue[0]
            when = max(self._paused_until, self._buckets.ready_at(1, waiter.tokens, now))
            if when > now:
                self._alarm = self._clock.call_at(when, self._serve)
                return
            self._queue.popleft()
            # One that was cancelled in this very step of the loop has yet to hear of it.
            if not waiter.turn.done():
                self._let_go(waiter, now)

    def _let_go(self, waiter: _Waiter, now: float) -> None:
        self._buckets.take(1, waiter.tokens, now)
        self._in_flight += 1
        self._newest += 1
        self._end_wait(waiter, now)
        waiter.turn.set_result(self._newest)

    def _expire(self, waiter: _Waiter) -> None:
        if not waiter.turn.done():
            self._queue.remove(waiter)
            self._end_wait(waiter, self._clock.time())
            waiter.turn.set_result(None)
            self._serve()

    def _forsake(self, waiter: _Waiter) -> None:
        """It was cancelled: while it waited, or after it was let go and before it knew."""
        now = self._clock.time()
        if waiter in self._queue:
            self._queue.remove(waiter)
            self._end_wait(waiter, now)
        elif not waiter.turn.cancelled() and waiter.turn.result() is not None:
            self._buckets.take(-1, -waiter.tokens, now)
            self._in_flight -= 1
        self._serve()

    def _end_wait(self, waiter: _Waiter, now: float) -> None:
        waiter.waited = now - waiter.since
        self._waited += waiter.waited


@dataclass(eq=False)
class _Waiter:
    """A request that waits for its turn."""

    tokens: int
    since: float
    turn: asyncio.Future[int | None]
    """Its number when it may go; None when its time is over."""
    waited: float = 0.0


class _Buckets:
    """The limits a minute, as far as there are any."""

    def __init__(self, limits: RateLimits) -> None:
        self._requests = Bucket(limits.requests_per_minute) if limits.requests_per_minute else None
        self._tokens = Bucket(limits.tokens_per_minute) if limits.tokens_per_minute else None

    def change(self, limits: RateLimits, now: float) -> None:
        if self._requests is not None and limits.requests_per_minute:
            self._requests.change(limits.requests_per_minute, now)
        if self._tokens is not None and limits.tokens_per_minute:
            self._tokens.change(limits.tokens_per_minute, now)

    def ready_at(self, requests: int, tokens: int, now: float) -> float:
        when = now
        if self._requests is not None:
            when = self._requests.ready_at(requests, now)
        if self._tokens is not None:
            when = max(when, self._tokens.ready_at(tokens, now))
        return when

    def take(self, requests: int, tokens: int, now: float) -> None:
        if self._requests is not None:
            self._requests.take(requests, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)
