"""Rate limits, refused with real 429s and told in OpenAI's headers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from conformance.refusals import Refusal

__all__ = ["Gate", "Limits"]

_MINUTE: Final = 60.0


@dataclass(frozen=True)
class Limits:
    """What a client may use; None for no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Of prompt and reply together, the reply counted with its `max_tokens`."""
    concurrent: int | None = None
    """Replies being written at one time."""


class _Bucket:
    """So many in a minute, refilled all the time, as OpenAI describes its limits."""

    def __init__(self, size: int, now: float) -> None:
        self.size = size
        self._left = float(size)
        self._at = now

    def left(self, now: float) -> float:
        self._left = min(self.size, self._left + (now - self._at) * self.size / _MINUTE)
        self._at = now
        return self._left

    def wait(self, amount: int, now: float) -> float:
        """Seconds until `amount` is there."""
        missing = min(amount, self.size) - self.left(now)
        return max(missing, 0.0) * _MINUTE / self.size

    def take(self, amount: int) -> None:
        self._left -= min(amount, self.size)

    def headers(self, what: str, now: float) -> dict[str, str]:
        left = self.left(now)
        return {
            f"x-ratelimit-limit-{what}": str(self.size),
            f"x-ratelimit-remaining-{what}": str(int(left)),
            f"x-ratelimit-reset-{what}": _duration((self.size - left) * _MINUTE / self.size),
        }


class Gate:
    """Lets requests through as far as the limits allow."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._concurrent = limits.concurrent
        self._buckets: dict[str, _Bucket] = {}
        if limits.requests_per_minute is not None:
            self._buckets["requests"] = _Bucket(limits.requests_per_minute, now)
        if limits.tokens_per_minute is not None:
            self._buckets["tokens"] = _Bucket(limits.tokens_per_minute, now)

    def enter(self, tokens: int, running: int, now: float) -> dict[str, str]:
        """Take a place for a request of `tokens` beside `running` others; the headers for its answer.

        Raises:
            Refusal: 429.
        """
        if self._concurrent is not None and running > self._concurrent:
            raise _refusal("Too many concurrent requests", "requests", 1.0, self.headers(now))
        amounts = {"requests": 1, "tokens": tokens}
        for what, bucket in self._buckets.items():
            wait = bucket.wait(amounts[what], now)
            if wait > 0:
                text = f"Rate limit reached on {what} per min: Limit {bucket.size}, Requested {amounts[what]}"
                raise _refusal(text, what, wait, self.headers(now))
        for what, bucket in self._buckets.items():
            bucket.take(amounts[what])
        return self.headers(now)

    def headers(self, now: float) -> dict[str, str]:
        """What is left."""
        lines: dict[str, str] = {}
        for what, bucket in self._buckets.items():
            lines |= bucket.headers(what, now)
        return lines


def _refusal(text: str, kind: str, wait: float, headers: dict[str, str]) -> Refusal:
    told = {"retry-after": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))}
    message = f"{text}. Please try again in {_duration(wait)}."
    return Refusal(429, message, code="rate_limit_exceeded", kind=kind, headers=headers | told)


def _duration(seconds: float) -> str:
    """As OpenAI writes it: 20ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, _MINUTE)
    return f"{int(minutes)}m{rest:.0f}s" if minutes else f"{rest:.3g}s"
