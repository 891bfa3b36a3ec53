"""A model of a few thousand weights, and rows to train it on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tir_agent.grades import Verdict
from tir_agent.messages import Message, Origin, Role
from tir_agent.preferences import Candidate, Conversation, Example, Labelled, Pair, Reply, Solution, encode
from tir_agent.preferences.dialects import conversations_of, dialect_for
from tir_agent.settings.export import Dialect, ExportKind, ExportRecipe
from tir_agent.trajectory import Problem, StopReason

from conftest import missing
from encoders import template, tokenizer

OUTPUT = "the interpreter says 4711"


def require_training() -> None:
    """Skip a test where TRL is not installed; in CI, fail it."""
    try:
        import gguf  # noqa: F401
        import trl  # noqa: F401
    except ImportError:
        missing("TRL is not installed: pip install 'tir-agent[train]'")


def tiny_tokenizer() -> Any:
    chosen = tokenizer("bytes")
    chosen.chat_template = template("chatml")
    chosen.eos_token = "<|im_end|>"
    return chosen


def tiny_folder(folder: Path) -> Path:
    """A Llama of two layers, by chance, with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    reader = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(reader),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        eos_token_id=reader.eos_token_id,
        bos_token_id=reader.bos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    reader.save_pretrained(folder)
    return folder


def conversation(question: str, code: str, answer: str, output: str) -> Conversation:
    return Conversation(
        messages=(
            Message.of(Role.USER, (question, Origin.PROBLEM)),
            Message.of(Role.ASSISTANT, (code, Origin.MODEL)),
            Message.of(
                Role.USER,
                ("```output\n", Origin.PROMPT),
                (output, Origin.INTERPRETER),
                ("\n```", Origin.PROMPT),
            ),
            Message.of(Role.ASSISTANT, (answer, Origin.MODEL)),
        ),
        opening=1,
        replies=(
            Reply(message=1, start=0, end=len(code), ended=True),
            Reply(message=3, start=0, end=len(answer), ended=True),
        ),
    )


def candidate(number: int, code: str, answer: str, *, right: bool) -> Candidate:
    # What both sides of a pair have would cancel out, with a loss on it or without.
    output = OUTPUT if right else f"{OUTPUT} ~ & $"
    return Candidate(
        trajectory=f"{number:016x}",
        problem=f"p{number}",
        arm="a",
        index=0,
        verdict=Verdict.CORRECT if right else Verdict.WRONG,
        stop=StopReason.ANSWERED,
        answer=answer,
        conversation=conversation(f"What is {number} + {number}?", code, answer, output),
        turns=2,
        cells=1,
        errors=0,
        tokens=0,
        model_tokens=0,
        exact="",
        code="",
    )


def examples(kind: ExportKind, count: int) -> list[Example]:
    made: list[Example] = []
    for number in range(count):
        problem = Problem(id=f"p{number}", text=f"What is {number} + {number}?", gold=str(2 * number))
        good = candidate(number, f"print({number} + {number})", f"It is {2 * number}.", right=True)
        bad = candidate(number, f"print({number} - {number}) # hm", f"So {number}?", right=False)
        match kind:
            case ExportKind.SFT:
                made.append(Solution(id=f"{number:016x}", problem=problem, side=good))
            case ExportKind.KTO:
                side, label = (good, True) if number % 2 else (bad, False)
                made.append(Labelled(id=f"{number:016x}", problem=problem, side=side, label=label))
            case _:
                made.append(Pair(kind="dpo", id=f"{number:016x}", problem=problem, chosen=good, rejected=bad))
    return made


def rows(kind: ExportKind, count: int = 6) -> list[dict[str, Any]]:
    writer = dialect_for(Dialect.TRL, kind, argument=None)
    return [dict(writer.row(example)) for example in examples(kind, count)]


def export(folder: Path, kind: ExportKind, count: int = 6, validation: int = 2) -> Path:
    """A set as `tir export` leaves it, as far as trainings read it."""
    (folder / "jsonl").mkdir(parents=True)
    made = rows(kind, count + validation)
    for split, part in (("train", made[:count]), ("validation", made[count:])):
        lines = "".join(json.dumps(row) + "\n" for row in part)
        (folder / "jsonl" / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    recipe = ExportRecipe(kind=kind).model_dump(mode="json")
    (folder / "export.json").write_text(json.dumps({"recipe": recipe}), encoding="utf-8")
    return folder


def by_hand(model: Any, ids: Sequence[int], learnt: Sequence[int]) -> Any:
    """The sum of the log probabilities of the tokens that are learnt."""
    import torch

    logits = model(input_ids=torch.tensor([list(ids)])).logits[0].log_softmax(-1)
    return sum(logits[at - 1, ids[at]] for at in range(1, len(ids)) if learnt[at])


def sides_by_hand(model: Any, made: list[dict[str, Any]], side: int = 0) -> list[Any]:
    encoded = [encode(conversations_of(row)[side], tiny_tokenizer()) for row in made]
    return [by_hand(model, one.input_ids, one.loss_mask) for one in encoded]
