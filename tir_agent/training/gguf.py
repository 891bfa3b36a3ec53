"""From a GGUF file to a folder that can be trained, and from a trained folder to a GGUF file again.

Models of the architecture `llama` (SmolLM2, Mistral) can be written: llama.cpp keeps the rows of their
queries and keys in another order than Hugging Face, for its rotary embedding. Others are refused, since one
would have to know which of their tensors differ. So are adapters; merge them into the model first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

import gguf
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tir_agent.errors import UsageError
from tir_agent.models.gguf import checked_gguf
from tir_agent.tokenizers import split_as_llamacpp

__all__ = ["Precision", "pack_gguf", "unpack_gguf"]

_LOG: Final = logging.getLogger(__name__)
_ARCHITECTURE: Final = "general.architecture"
_FILE_TYPE: Final = "general.file_type"
_TIED: Final = "lm_head"
_COPIED: Final = ("rope_freqs.weight",)
"""Tensors that are not trained, and stand in no folder."""
Array: TypeAlias = Any


class Precision(StrEnum):
    """How the matrices of a written file are kept; vectors are kept in 32 bits."""

    F16 = "f16"
    Q8_0 = "q8_0"
    """A byte for a number, and a scale for 32 of them: half the size."""


_KINDS: Final = {
    Precision.F16: (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    Precision.Q8_0: (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
}


def unpack_gguf(path: Path, folder: Path) -> None:
    """Write the model, its tokenizer and its chat template to `folder`, in 32 bits.

    Raises:
        UsageError: the file is not a GGUF file, or of an architecture that transformers does not read.
    """
    path = checked_gguf(path)
    source = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    try:
        model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(**source)
    except (ValueError, NotImplementedError) as error:
        raise UsageError(f"transformers cannot read {path.name}: {error}") from None
    if not tokenizer.chat_template:
        _LOG.warning("%s has no chat template: it cannot be trained on conversations", path.name)
    split_as_llamacpp(tokenizer, path)
    folder.mkdir(parents=True, exist_ok=True)
    # What was loaded from a GGUF file counts as quantised, also when every number is in 32 bits; its own
    # `save_pretrained` would say so in the configuration, and nothing could train it.
    config = model.config
    config.architectures = [type(model).__name__]
    del config.quantization_config
    config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_TIED)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@dataclass(frozen=True)
class _Layout:
    """What the order of rows depends on."""

    arch: str
    heads: int
    kv_heads: int
    layers: int

    def stored(self, name: str, tensor: Any) -> Array:
        """A tensor of a folder as llama.cpp keeps it; `name` is llama.cpp's."""
        values = tensor.float().numpy()
        if ".attn_q." in name:
            return _interleaved(values, self.heads)
        if ".attn_k." in name:
            return _interleaved(values, self.kv_heads)
        return values


_KNOWN: Final = ("llama",)


def _interleaved(values: Array, heads: int) -> Array:
    """Rows of each head in the order of llama.cpp's rotary embedding: pairs that turn together side by side.

    Hugging Face keeps the first half of a head's rows apart from the second, row i of which turns with row i
    of the first.
    """
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def pack_gguf(folder: Path, original: Path, target: Path, precision: Precision = Precision.F16) -> None:
    """Write a trained folder as a GGUF file, with everything but the weights as in `original`.

    `original` is the file that the folder was unpacked from.

    Raises:
        UsageError: one of them cannot be read, or they are not the same model.
    """
    reader = GGUFReader(checked_gguf(original))
    layout = _layout(reader, original)
    names = {tensor.name: tuple(map(int, reversed(tensor.shape))) for tensor in reader.tensors}
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(part, layout.arch)
    try:
        _copy_metadata(reader, writer, precision)
        left = dict(names)
        for name, values in _trained(folder, layout):
            if left.pop(name, None) != values.shape:
                raise UsageError(
                    f"{folder} and {original} are not the same model: {name} is {_shape(values.shape)} in "
                    f"the one and {_shape(names.get(name))} in the other"
                )
            _add(writer, name, values, precision)
        for tensor in reader.tensors:
            if tensor.name in left and tensor.name in _COPIED:
                del left[tensor.name]
                writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        if left:
            raise UsageError(f"{folder} and {original} are not the same model: it has no {min(left)}")
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        part.replace(target)
    finally:
        with suppress(OSError):
            writer.close()
        part.unlink(missing_ok=True)


def _layout(reader: GGUFReader, path: Path) -> _Layout:
    arch = _text(reader, _ARCHITECTURE)
    if arch not in _KNOWN:
        known = ", ".join(_KNOWN)
        raise UsageError(f"{path} is a model of the architecture {arch}; {known} can be written")
    heads = _number(reader, f"{arch}.attention.head_count")
    return _Layout(
        arch=arch,
        heads=heads,
        kv_heads=_number(reader, f"{arch}.attention.head_count_kv", heads),
        layers=_number(reader, f"{arch}.block_count"),
    )


def _trained(folder: Path, layout: _Layout) -> Iterator[tuple[str, Array]]:
    """The folder's tensors under llama.cpp's names, one at a time."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UsageError(f"{folder} has no weights in safetensors", hint="Name the folder of a trained model")
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == layout.arch)
    names = gguf.get_tensor_name_map(arch, layout.layers)
    for file in files:
        try:
            with safe_open(file, framework="pt") as weights:
                for key in weights.keys():  # noqa: SIM118 - it is no mapping
                    name = names.get_name(key, try_suffixes=(".weight", ".bias"))
                    if name is None:
                        raise UsageError(
                            f"{folder} has a tensor {key}, which a {layout.arch} model has not",
                            hint="An adapter must be merged into its model first",
                        )
                    yield name, layout.stored(name, weights.get_tensor(key))
        except SafetensorError as error:
            raise UsageError(f"Cannot read {file}: {error}") from None


def _copy_metadata(reader: GGUFReader, writer: GGUFWriter, precision: Precision) -> None:
    for field in reader.fields.values():
        # The writer makes its own header, and has written the architecture already.
        if field.name.startswith("GGUF.") or field.name in (_ARCHITECTURE, _FILE_TYPE):
            continue
        of_items = field.types[-1] if field.types[0] is GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=of_items)
    writer.add_file_type(_KINDS[precision][1])


def _add(writer: GGUFWriter, name: str, values: Array, precision: Precision) -> None:
    kind = _KINDS[precision][0] if values.ndim > 1 else GGMLQuantizationType.F32
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    if values.shape[-1] % block:
        kind = GGMLQuantizationType.F16
    writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


def _text(reader: GGUFReader, key: str) -> str:
    field = reader.get_field(key)
    return "" if field is None else str(field.contents())


def _number(reader: GGUFReader, key: str, default: int | None = None) -> int:
    field = reader.get_field(key)
    if field is None:
        if default is None:
            raise UsageError(f"The GGUF file does not say its {key}")
        return default
    return int(field.contents())


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else " x ".join(map(str, shape))
