"""What a model server can do, as a small table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tir_agent.models.capabilities import Findings, Prefill

__all__ = ["capability_lines"]

_NAMES: Final = {
    "chat": "chat",
    "completions": "raw completions",
    "prefill": "continued messages",
    "tools": "tool calls",
    "system": "system message",
    "stop": "stop strings",
    "stop_text": "names the stop",
    "n": "several replies",
    "seed": "seeds",
    "sampling": "temperature, top_p",
    "logprobs": "logprobs",
    "token_ids": "token ids",
    "stream_usage": "token counts",
}
_ROW: Final = 4
"""Entries."""


def capability_lines(findings: Findings) -> Iterator[str]:
    """The table: + works, - does not, ? could not be found out; then what is no matter of yes or no."""
    capabilities = findings.capabilities
    entries: list[str] = []
    for field, name in _NAMES.items():
        value = getattr(capabilities, field)
        works = value not in (False, Prefill.NONE)
        entries.append(f"{'?' if field in findings.unknown else '+' if works else '-'} {name}")
    width = max(map(len, entries)) + 2
    for start in range(0, len(entries), _ROW):
        yield "".join(entry.ljust(width) for entry in entries[start : start + _ROW]).rstrip()
    more = [f"limit: {capabilities.limit_field}"]
    if capabilities.prefill is not Prefill.NONE:
        echo = ", with an echo" if capabilities.echo else ""
        more.append(f"continues {capabilities.prefill}{echo}")
    if capabilities.reasoning_field is not None:
        more.append(f"thinks in: {capabilities.reasoning_field}")
    window = capabilities.context_tokens
    more.append(f"context: {window} tokens" if window else "context: not told")
    yield "; ".join(more) + f" (asked {findings.asked:%Y-%m-%d})"
