"""The context window, where a server tells it."""

from __future__ import annotations

from typing import Final

from tir_agent.errors import ModelError
from tir_agent.models.connection import Connection

__all__ = ["LLAMACPP", "context_of"]

LLAMACPP: Final = "llamacpp"
"""What llama.cpp says of who owns its models."""
_OLLAMA: Final = "library"
_SECONDS: Final = 3.0


async def context_of(connection: Connection, model: str) -> int | None:
    """Tokens that prompt and reply may have together; None where the server does not tell.

    vLLM, SGLang and llama.cpp have it in the list of models, older ones of the latter in `/props`, and
    Ollama in the list of what is loaded.
    """
    try:
        cards = await connection.models(_SECONDS)
        card = next((card for card in cards if card.id == model), cards[0] if cards else None)
        if card is None or card.context is not None:
            return card.context if card else None
        if card.owned_by == LLAMACPP:
            return (await connection.props(_SECONDS)).context
        if card.owned_by == _OLLAMA:
            running = (await connection.running(_SECONDS)).models
            return next((one.context_length for one in running if one.name == model), None)
    except ModelError:
        pass
    return None
