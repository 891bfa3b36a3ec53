"""Chance that hangs on a seed and on what it decides about, and never on the order of reading."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from tir_agent.export.manifest import Split

__all__ = ["problem_key", "rank_of", "split_of"]

_SPACE = re.compile(r"\s+")


def rank_of(seed: int, *words: str) -> bytes:
    """Where something stands in an order that the seed decides."""
    return hashlib.sha256("\0".join([str(seed), *words]).encode("utf-8", "surrogatepass")).digest()[:16]


def split_of(text: str, seed: int, validation: float) -> Split:
    """The split of a problem with this text, whatever data set it is in and however it is spaced."""
    plain = _SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()
    part = int.from_bytes(rank_of(seed, "split", plain)) / 2**128
    return Split.VALIDATION if part < validation else Split.TRAIN


def problem_key(identity: str, text: str) -> str:
    """Problems of two data sets may have one id and be different, so the text is part of it."""
    return f"{identity}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
