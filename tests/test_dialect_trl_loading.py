"""TRL itself on the rows of its two dialects."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tir_agent.preferences import Conversation
from tir_agent.preferences.dialects import Row, arrow_schema, dialect_for
from tir_agent.settings import Dialect, ExportKind

from conftest import missing
from dialect_examples import called, fenced, made, one_text

TEMPLATE = Path(__file__).parent / "tool_template.jinja"
FORMS = {"fenced": (None, fenced("42"), fenced("41")), "called": ("code", called("42"), called("41"))}

# Its own libraries' warnings are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


@functools.cache
def _tokenizer() -> Any:
    """Bytes, and the marks of the template."""
    if importlib.util.find_spec("trl") is None:
        missing("TRL is not installed: pip install 'tir-agent[train]'")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    marks = ["<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        [], trainers.BpeTrainer(special_tokens=marks, initial_alphabet=alphabet, show_progress=False)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        chat_template=TEMPLATE.read_text(encoding="utf-8"),
    )


def _render(messages: list[Row], tools: list[Row] | None, *, add_generation_prompt: bool) -> str:
    return str(
        _tokenizer().apply_chat_template(
            messages, tools=tools, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    )


def _dataset(
    dialect: Dialect, kind: ExportKind, argument: str | None, good: Conversation, bad: Conversation
) -> Any:
    """As TRL gets it: through Arrow, where all messages have all keys."""
    _tokenizer()
    import datasets
    import pyarrow

    writer = dialect_for(dialect, kind, argument=argument, render=_render)
    rows = [writer.row(made(kind, good, bad, name=name)) for name in ("one", "two")]
    return datasets.Dataset(pyarrow.Table.from_pylist(rows, schema=arrow_schema(writer.columns)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ExportKind)
def test_trl_takes_the_rows_for_conversations_and_renders_them(kind: ExportKind, form: str) -> None:
    argument, good, bad = FORMS[form]
    row = _dataset(Dialect.TRL, kind, argument, good, bad)[0]
    from trl.data_utils import apply_chat_template, is_conversational

    assert is_conversational(row)
    tools = json.loads(row["tools"]) if row.get("tools") else None
    shown = {key: row[key] for key in ("prompt", "chosen", "rejected", "completion") if key in row}
    rendered = apply_chat_template(shown, _tokenizer(), tools=tools)
    sides = {"chosen": good, "rejected": bad, "completion": bad if kind is ExportKind.KTO else good}
    for name, conversation in sides.items():
        if name in row:
            assert all(message.content in rendered["prompt"] for message in conversation.given)
            assert all(message.content in rendered[name] for message in conversation.learnt)
            assert ("print(4" in rendered[name]) is (form == "called")


@pytest.mark.parametrize("form", FORMS)
def test_dpo_trainer_prepares_both_dialects_to_the_same_tokens(form: str) -> None:
    argument, good, bad = FORMS[form]
    prepared = []
    for dialect in (Dialect.TRL, Dialect.TRL_TEXT):
        dataset = _dataset(dialect, ExportKind.DPO, argument, good, bad)
        from trl import DPOTrainer

        prepared.append(_prepared(DPOTrainer, dataset))
    chat, text = prepared
    decode = _tokenizer().decode
    for name in ("chosen_ids", "rejected_ids"):
        assert decode(chat["prompt_ids"] + chat[name]) == decode(text["prompt_ids"] + text[name]) + "\n"
    assert "42" in decode(chat["chosen_ids"])
    assert "What is 6 times 7?" in decode(chat["prompt_ids"])


@pytest.mark.parametrize("form", FORMS)
def test_kto_trainer_prepares_the_rows(form: str) -> None:
    argument, good, bad = FORMS[form]
    dataset = _dataset(Dialect.TRL, ExportKind.KTO, argument, good, bad)
    from trl import KTOTrainer

    row = _prepared(KTOTrainer, dataset)
    assert row["label"] is False
    assert "41" in _tokenizer().decode(row["completion_ids"])
    assert "41" not in _tokenizer().decode(row["prompt_ids"])


def test_pairs_unpair_to_labelled_rows() -> None:
    argument, good, bad = FORMS["fenced"]
    dataset = _dataset(Dialect.TRL, ExportKind.DPO, argument, good, bad)
    from trl.data_utils import unpair_preference_dataset

    apart = unpair_preference_dataset(dataset.select_columns(["prompt", "chosen", "rejected"]))
    assert apart["label"] == [True, True, False, False]
    assert apart[0]["completion"] == dataset[0]["chosen"]


def test_whole_conversations_give_up_their_prompt_to_trl() -> None:
    argument, good, bad = FORMS["fenced"]
    dataset = _dataset(Dialect.MESSAGES, ExportKind.DPO, argument, good, bad)
    from trl.data_utils import extract_prompt

    row = extract_prompt(dataset[0])
    assert [message["content"] for message in row["prompt"]] == [message.content for message in good.given]
    assert [message["content"] for message in row["rejected"]] == [message.content for message in bad.learnt]


def test_one_text_is_prepared_as_it_stands() -> None:
    dataset = _dataset(Dialect.TRL_TEXT, ExportKind.DPO, None, one_text("42"), one_text("1"))
    from trl import DPOTrainer

    row = _prepared(DPOTrainer, dataset)
    text = one_text("42").messages[0].content
    assert _tokenizer().decode(row["prompt_ids"] + row["chosen_ids"]) == text + "<|im_end|>"


def _prepared(trainer: Any, dataset: Any) -> Any:
    """The trainer's own preparation, without a model: of itself it asks for its tokenizer alone, and for
    KTO whether rows for the KL term are wanted."""
    settings = SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start")
    owner = SimpleNamespace(_tokenizer=_tokenizer(), calculate_KL=False)
    return trainer._prepare_dataset(owner, dataset, _tokenizer(), settings, "train")[0]
