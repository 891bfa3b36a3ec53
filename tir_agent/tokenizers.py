"""Tokenizers from disk: a Hugging Face folder, or a GGUF file. Needs the extra `train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tir_agent.errors import UsageError

if TYPE_CHECKING:
    from tir_agent.preferences.dialects import Render, Row
    from tir_agent.preferences.tokens import Tokenizer

__all__ = ["load_tokenizer", "split_as_llamacpp", "template_of"]

_GGUF = ".gguf"
_SPLITTING = "tokenizer.ggml.pre"
_DIGITS_APART = "smollm"


def load_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a folder, of a GGUF file, or of a model on the hub.

    Raises:
        UsageError: there is none, or the package that reads it is not installed.
    """
    path = Path(name)
    if not path.exists() and name.count("/") != 1:
        raise UsageError(f"There is no {name} to read a tokenizer from", hint="A folder, or a GGUF file")
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise UsageError(
            "A tokenizer is read by the package transformers, which is not installed",
            hint="pip install 'tir-agent[train]'",
        ) from None
    try:
        if path.suffix == _GGUF:
            if not path.is_file():
                raise UsageError(f"There is no file {name}")
            found: Tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
            split_as_llamacpp(found, path)
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


def split_as_llamacpp(tokenizer: Any, path: Path) -> None:
    """Set the tokenizer of a GGUF file right, so that its tokens are those that llama.cpp samples.

    Transformers splits every byte-level vocabulary of a GGUF file as GPT-2 does. SmolLM2 was trained, and
    llama.cpp samples from it, with each digit apart: the space before "2" in "line 2" is a token of its own.

    Raises:
        ImportError: the packages gguf and tokenizers are not there.
    """
    from gguf import GGUFReader
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    field = GGUFReader(path).get_field(_SPLITTING)
    if field is not None and field.contents() == _DIGITS_APART:
        parts = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence(parts)
