"""From what the user calls a model to the model."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tir_agent.errors import UsageError
from tir_agent.models.base import Model
from tir_agent.models.cache import CapabilityCache
from tir_agent.models.limiter import RateLimiter

__all__ = ["EMBEDDED", "embedded_path", "is_embedded", "open_model"]

EMBEDDED: Final = "embedded"
_SUFFIX: Final = ".gguf"
_CONTEXT: Final = 8192
"""Tokens of one conversation with an embedded model."""
_SLOTS: Final = 8
_FILE_SLOTS: Final = 4


def is_embedded(name: str) -> bool:
    """Whether the model runs in this program's care: `embedded`, `embedded:FILE`, or a `.gguf` file."""
    return name == EMBEDDED or name.startswith(f"{EMBEDDED}:") or name.endswith(_SUFFIX)


def embedded_path(name: str) -> Path | None:
    """The file of an embedded model; None stands for the installed small one."""
    path = name.removeprefix(EMBEDDED).removeprefix(":")
    return Path(path).expanduser() if path else None


async def open_model(
    name: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    limiter: RateLimiter | None = None,
    tokens: bool = False,
    cache: CapabilityCache | None = None,
    at_once: int = 1,
) -> Model:
    """Open a model; whoever opened it closes it.

    `embedded` is the installed small model, `embedded:FILE` or a path that ends in `.gguf` a file for
    llama.cpp, and any other name is asked for at `base_url` (None: OpenAI). `limiter` is shared by all
    models of one server; the embedded model, whose server is its own, has none. `tokens` asks for token
    ids and logprobs; `cache` keeps what a server was found to do. `at_once` is how many replies an embedded
    model writes at the same time, 8 at the most (4 of a file's, whose size is not known), each in a context
    of its own.

    Raises:
        UsageError: the name is empty, the file is not a model, or the address or key is malformed.
        ModelUnavailable: the embedded model cannot be started.
    """
    if not name.strip():
        raise UsageError("The model has no name", hint=f"--model {EMBEDDED}, or a model of your server")
    if is_embedded(name):
        from tir_agent.models.embedded import EmbeddedModel

        path = embedded_path(name)
        slots = max(1, min(at_once, _SLOTS if path is None else _FILE_SLOTS))
        return await EmbeddedModel.open(path, name=name, tokens=tokens, slots=slots, context=_CONTEXT * slots)
    from tir_agent.models.openai import OpenAIModel

    return OpenAIModel(name, base_url=base_url, api_key=api_key, limiter=limiter, tokens=tokens, cache=cache)
