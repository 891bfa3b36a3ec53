"""The outcome of looking whether something works, with a remedy where it does not."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Check"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and how it went."""

    name: str
    passed: bool
    detail: str
    """What was found, or what went wrong: one sentence without a full stop."""
    remedy: str | None = None
    """What to do where it did not pass."""
