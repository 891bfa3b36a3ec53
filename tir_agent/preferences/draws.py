"""Chance that is the same in every run: it hangs on a seed and on what is drawn for, not on any order."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Final

__all__ = ["draw_for"]

_RANK_BYTES: Final = 8


def draw_for(seed: int, problem: str, purpose: str) -> random.Random:
    """The draws of one problem for one purpose."""
    return random.Random(_digest(seed, problem, purpose))  # noqa: S311  (chance, not secrecy)


def _digest(seed: int, what: str, purpose: str) -> int:
    # JSON, so that no two different triples are the same bytes.
    written = json.dumps([seed, what, purpose]).encode()
    return int.from_bytes(hashlib.sha256(written).digest()[:_RANK_BYTES], "big")
