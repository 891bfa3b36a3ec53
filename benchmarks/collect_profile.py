"""Which part of the collecting process had the processor: a profile, by groups of modules."""

from __future__ import annotations

import pstats
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

__all__ = ["OTHER", "shares"]

OTHER: Final = "the rest"
_GROUPS: Final = (
    # The first that a file's path contains.
    ("kernel client", ("tir_agent/kernel/", "jupyter_client/", "/zmq/", "traitlets/")),
    ("store", ("tir_agent/store/",)),
    ("display and event log", ("tir_agent/console/", "/rich/", "tir_agent/collect/event")),
    ("collector", ("tir_agent/collect/", "tir_agent/cli/")),
    (
        "client and HTTP",
        ("tir_agent/models/", "/openai/", "httpx", "httpcore", "h11/", "/anyio/", "tenacity/"),
    ),
    ("JSON and pydantic", ("/pydantic", "/json/", "pydantic_core")),
    ("agent", ("tir_agent/",)),
    ("event loop", ("/asyncio/", "selectors.py", "contextlib.py")),
)
_Function = tuple[str, int, str]


def shares(stats: Path) -> dict[str, float]:
    """Seconds of each group's own functions; what is built in counts for whoever called it."""
    table: dict[_Function, tuple[Any, ...]] = pstats.Stats(str(stats)).stats  # type: ignore[attr-defined]
    found: dict[str, float] = defaultdict(float)
    for function, (_, _, own, _, callers) in table.items():
        if not _is_built_in(function):
            found[_group(function)] += own
            continue
        called = sum(times[2] for times in callers.values())
        for caller, times in callers.items():
            # Pydantic's core is built in and called from pydantic, or from what inherits of it.
            found[_group(function, caller)] += own * times[2] / called if called else 0.0
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _is_built_in(function: _Function) -> bool:
    return function[0] == "~"


def _group(function: _Function, caller: _Function | None = None) -> str:
    path = f"{function[0]} {function[2]}"
    if caller is not None and "pydantic" not in path and "json" not in path:
        path = caller[0]
    return next((name for name, parts in _GROUPS if any(part in path for part in parts)), OTHER)
