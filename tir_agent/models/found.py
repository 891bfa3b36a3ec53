"""What has been found out about a server so far."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Final

from tir_agent.models.capabilities import Capabilities, Findings, LimitField, Prefill

__all__ = ["Found"]

_OPTIONAL: Final = frozenset({"reasoning_field", "context_tokens"})
"""Not to think and not to tell the context window are answers too."""


@dataclass
class Found:
    """What has been found out so far; None where nothing has. The fields are those of `Capabilities`."""

    chat: bool | None = None
    completions: bool | None = None
    prefill: Prefill | None = None
    echo: bool | None = None
    tools: bool | None = None
    stop: bool | None = None
    stop_text: bool | None = None
    n: bool | None = None
    seed: bool | None = None
    logprobs: bool | None = None
    token_ids: bool | None = None
    stream_usage: bool | None = None
    limit_field: LimitField | None = None
    sampling: bool | None = None
    system: bool | None = None
    reasoning_field: str | None = None
    context_tokens: int | None = None

    def findings(self, *, passing: bool) -> Findings:
        """What is known now; `passing` says that some questions met a failure that may pass."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        known = {name: value for name, value in values.items() if value is not None}
        return Findings(
            capabilities=Capabilities.model_validate(known),
            unknown=frozenset(values) - frozenset(known) - _OPTIONAL,
            passing=passing,
            asked=datetime.now(UTC),
        )
