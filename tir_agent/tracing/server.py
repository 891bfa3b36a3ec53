"""What the address of a model server says of it, in OpenTelemetry's words."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from tir_agent.tracing import names

__all__ = ["server_attributes"]

_PROVIDERS: Final = {
    "anthropic.com": "anthropic",
    "deepseek.com": "deepseek",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "groq.com": "groq",
    "mistral.ai": "mistral_ai",
    "openai.azure.com": "azure.ai.openai",
    "perplexity.ai": "perplexity",
    "x.ai": "x_ai",
}
_OPENAI: Final = "openai"
"""Of every other server that speaks this API: the name tells the flavour, the address the rest."""
_OWN: Final = "tir_agent"
"""Models that run in this process's care."""
_PORTS: Final = {"http": 80, "https": 443}


def server_attributes(base_url: str | None) -> dict[str, str | int]:
    """Provider, address and port; no part of a URL that could hold a secret.

    >>> server_attributes("https://api.mistral.ai/v1")
    {'gen_ai.provider.name': 'mistral_ai', 'server.address': 'api.mistral.ai', 'server.port': 443}
    """
    if base_url is None:
        return {names.PROVIDER: _OWN}
    url = urlsplit(base_url)
    host = url.hostname or ""
    provider = next(
        (name for domain, name in _PROVIDERS.items() if host == domain or host.endswith(f".{domain}")),
        _OPENAI,
    )
    attributes: dict[str, str | int] = {names.PROVIDER: provider, names.SERVER: host}
    port = url.port or _PORTS.get(url.scheme)
    return attributes if port is None else attributes | {names.SERVER_PORT: port}
