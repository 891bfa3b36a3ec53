"""Tokenizers from disk: a Hugging Face folder, or a GGUF file. Needs the extra `train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tir_agent.errors import UsageError

if TYPE_CHECKING:
    from tir_agent.preferences.dialects import Render, Row
    from tir_agent.preferences.tokens import Tokenizer

__all__ = ["load_tokenizer", "template_of"]

_GGUF = ".gguf"


def load_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a folder, of a GGUF file, or of a model on the hub.

    Raises:
        UsageError: there is none, or the package that reads it is not installed.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise UsageError(
            "A tokenizer is read by the package transformers, which is not installed",
            hint="pip install 'tir-agent[train]'",
        ) from None
    path = Path(name)
    try:
        if path.suffix == _GGUF:
            if not path.is_file():
                raise UsageError(f"There is no file {name}")
            found: Tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
        else:
            found = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"No tokenizer can be read from {name}: {first}") from None
    return found


def template_of(tokenizer: Tokenizer) -> Render:
    """The tokenizer's own chat template, as plain text wants it."""

    def render(messages: list[Row], tools: list[Row] | None, *, add_generation_prompt: bool) -> str:
        text = tokenizer.apply_chat_template(
            messages,
            tools=tools,
            chat_template=None,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
        )
        assert isinstance(text, str)
        return text

    return render
