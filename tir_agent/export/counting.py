"""How long a conversation is: by a tokenizer and its chat template, or by an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tir_agent.preferences import Conversation
from tir_agent.preferences.candidates import estimated_tokens
from tir_agent.preferences.masks import encode

if TYPE_CHECKING:
    from tir_agent.preferences.tokens import Tokenizer

__all__ = ["TokenCounter"]


class TokenCounter:
    """Counts tokens."""

    def __init__(self, tokenizer: Tokenizer | None, name: str | None = None) -> None:
        """By `tokenizer`, which is called `name`; by an estimate where there is none."""
        self._tokenizer = tokenizer
        self.name = name or "server"
        """What the set's account says of it."""

    @property
    def exact(self) -> bool:
        """Whether there is a tokenizer."""
        return self._tokenizer is not None

    def count(self, conversation: Conversation) -> int:
        """Tokens of the conversation as a trainer will see it.

        Raises:
            MaskError: the tokenizer's template does not render it faithfully.
        """
        if self._tokenizer is None:
            return estimated_tokens(conversation)
        return len(encode(conversation, self._tokenizer).input_ids)
