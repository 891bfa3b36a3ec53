"""A model goes from a GGUF file to a folder and back, and llama.cpp says the same as transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tir_agent.errors import ModelUnavailable, UsageError
from tir_agent.messages import Message, Origin, Role
from tir_agent.models.embedded import EmbeddedModel
from tir_agent.models.gguf import installed_gguf, require_llamacpp
from tir_agent.settings import Sampling

from conftest import missing
from tiny_model import require_training, tiny_folder, tiny_tokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.usefixtures("training"),
]
HEADS, KV_HEADS = 4, 2


@pytest.fixture(scope="module")
def training() -> None:
    require_training()


@pytest.fixture(scope="module")
def original(training: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file of a tiny Llama, written without the code under test: every tensor by chance."""
    import gguf
    import numpy

    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    reader = tiny_tokenizer()
    vocabulary = sorted(reader.get_vocab(), key=reader.get_vocab().__getitem__)
    special = {token.content for token in reader.added_tokens_decoder.values()}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(2)
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(16)
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token in special else 1 for token in vocabulary])
    writer.add_token_merges(["p r"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(reader.eos_token_id)
    writer.add_chat_template(reader.chat_template)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    draw = numpy.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(vocabulary), 64), "output_norm": (64,)}
    for layer in range(2):
        kinds = {"attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64)}
        kinds |= {"ffn_gate": (96, 64), "ffn_up": (96, 64), "ffn_down": (64, 96)}
        norms = {"attn_norm": (64,), "ffn_norm": (64,)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in (kinds | norms).items()}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", draw.normal(0, 0.3, shape).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(path: Path) -> dict[str, Any]:
    import gguf

    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in gguf.GGUFReader(path).tensors
    }


def metadata(path: Path) -> dict[str, Any]:
    import gguf

    fields = gguf.GGUFReader(path).fields.values()
    own = ("GGUF.", "general.file_type")
    return {field.name: field.contents() for field in fields if not field.name.startswith(own)}


@pytest.mark.parametrize(("precision", "error"), [("f16", 1e-3), ("q8_0", 1e-2)])
def test_there_and_back_is_the_same_model(
    original: Path, tmp_path: Path, precision: str, error: float
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tir_agent.training.gguf import Precision, pack_gguf, unpack_gguf

    unpack_gguf(original, tmp_path / "hf")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    assert model.float().dtype is torch.float32  # what counts as quantised refuses this
    assert AutoTokenizer.from_pretrained(tmp_path / "hf").chat_template
    pack_gguf(tmp_path / "hf", original, tmp_path / "new.gguf", Precision(precision))
    before, after = tensors(original), tensors(tmp_path / "new.gguf")
    assert before.keys() == after.keys()
    assert all(abs(before[name] - after[name]).max() < error for name in before)
    assert metadata(original) == metadata(tmp_path / "new.gguf")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_digits_are_tokens_of_their_own_as_llama_cpp_has_them(original: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from tir_agent.training.gguf import unpack_gguf

    unpack_gguf(original, tmp_path / "hf")
    splitter = AutoTokenizer.from_pretrained(tmp_path / "hf").backend_tokenizer.pre_tokenizer
    assert [text for text, _ in splitter.pre_tokenize_str("line  12")] == ["line", "ĠĠ", "1", "2"]


def test_another_model_and_an_unknown_tensor_are_refused(original: Path, tmp_path: Path) -> None:
    from tir_agent.training.gguf import pack_gguf

    folder = tiny_folder(tmp_path / "other")
    with pytest.raises(UsageError, match="are not the same model"):
        pack_gguf(folder, original, tmp_path / "new.gguf")
    with pytest.raises(UsageError, match="has no weights in safetensors"):
        pack_gguf(tmp_path, original, tmp_path / "new.gguf")
    assert not list(tmp_path.glob("new.gguf*"))


@pytest.mark.timeout(300)
async def test_llama_cpp_and_transformers_say_the_same_after_the_way_there_and_back(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tir_agent.training.gguf import pack_gguf, unpack_gguf

    try:
        require_llamacpp()
        source = installed_gguf()
    except ModelUnavailable as error:
        missing(error.message)
    question = "Write a Python line that prints 12*13."
    unpack_gguf(source, tmp_path / "hf")
    pack_gguf(tmp_path / "hf", source, tmp_path / "new.gguf")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    said = model.generate(**asked, max_new_tokens=24, do_sample=False)[0, asked["input_ids"].shape[1] :]
    served = await EmbeddedModel.open(tmp_path / "new.gguf", context=1024)
    try:
        message = Message.of(Role.USER, (question, Origin.PROBLEM))
        completion = await served.complete([message], Sampling(temperature=0, max_tokens=24), timeout=100)
    finally:
        await served.close()
    assert completion.text == tokenizer.decode(said, skip_special_tokens=True)
