"""Losses that TRL computes, compared with losses computed by hand from what the model wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tir_agent.errors import UsageError
from tir_agent.preferences import decoded_loss, encode
from tir_agent.preferences.dialects import conversations_of
from tir_agent.settings.export import ExportKind
from tir_agent.training.first_batch import MaskBroken, check_first_batch
from tir_agent.training.rows import IGNORED, prepare

from tiny_model import OUTPUT, by_hand, require_training, rows, sides_by_hand, tiny_folder, tiny_tokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.usefixtures("training"),
]


@pytest.fixture(scope="module")
def training() -> None:
    require_training()


@pytest.fixture(scope="module")
def folder(training: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder)


def moved(model: Any) -> Any:
    """Away from the reference, so that no log ratio is zero."""
    import torch

    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight.mul_(1.3)
    return model


def settings(**more: Any) -> dict[str, Any]:
    return {
        "output_dir": "out",
        "per_device_train_batch_size": 3,
        "per_device_eval_batch_size": 3,
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "max_length": None,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "logging_steps": 1,
        **more,
    }


def dpo_trainer(folder: Path, prepared: Any, **more: Any) -> Any:
    from trl import DPOConfig

    from tir_agent.training.dpo import MaskedDPOTrainer

    return MaskedDPOTrainer(
        model=load(folder),
        args=DPOConfig(**settings(**more)),
        processing_class=tiny_tokenizer(),
        train_dataset=prepared.dataset(),
        eval_dataset=prepared.dataset(),
    )


def kto_trainer(folder: Path, prepared: Any, **more: Any) -> Any:
    from trl import KTOConfig

    from tir_agent.training.kto import MaskedKTOTrainer

    return MaskedKTOTrainer(
        model=load(folder),
        args=KTOConfig(**settings(**more)),
        processing_class=tiny_tokenizer(),
        train_dataset=prepared.dataset(),
        eval_dataset=prepared.dataset(),
    )


@pytest.mark.parametrize("precompute", [False, True])
def test_the_dpo_loss_is_that_of_the_models_tokens_alone(folder: Path, precompute: bool) -> None:
    import torch

    made = rows(ExportKind.DPO, 3)
    prepared = prepare(made, ExportKind.DPO, tiny_tokenizer(), max_length=500)
    trainer = dpo_trainer(folder, prepared, precompute_ref_log_probs=precompute)
    moved(trainer.model).eval()
    loss = trainer.evaluate()["eval_loss"]
    with torch.no_grad():
        right, wrong = (sides_by_hand(trainer.model, made, side) for side in (0, 1))
        base = load(folder).eval()
        base_right, base_wrong = (sides_by_hand(base, made, side) for side in (0, 1))
    margins = [(a - b) - (c - d) for a, b, c, d in zip(right, base_right, wrong, base_wrong, strict=True)]
    expected = -torch.nn.functional.logsigmoid(0.1 * torch.stack(margins)).mean()
    assert abs(float(expected) - 0.693) > 0.01
    assert loss == pytest.approx(float(expected), abs=1e-4)


def test_trl_alone_has_a_loss_on_what_the_interpreter_wrote(folder: Path) -> None:
    """What the masks are for; should this fail, TRL has learnt to mask, and they may go."""
    made = rows(ExportKind.DPO, 3)
    prepared = prepare(made, ExportKind.DPO, tiny_tokenizer(), max_length=500)
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    plain = DataCollatorForPreference(pad_token_id=0)(list(prepared.dataset()))
    ids, mask = plain["input_ids"][0], plain["completion_mask"][0]
    assert OUTPUT in tiny_tokenizer().decode(ids[mask == 1])


def test_the_kto_loss_and_its_kl_term_are_those_of_the_models_tokens_alone(folder: Path) -> None:
    import torch

    made = rows(ExportKind.KTO, 6)
    prepared = prepare(made, ExportKind.KTO, tiny_tokenizer(), max_length=500)
    trainer = kto_trainer(folder, prepared)
    moved(trainer.model).eval()
    base = load(folder).eval()
    batch = next(iter(trainer.get_eval_dataloader()))
    data = list(trainer.eval_dataset)[:3]
    with torch.no_grad():
        ratios = [
            by_hand(trainer.model, ids, mask) - by_hand(base, ids, mask)
            for row in data
            for ids, mask in [
                (
                    row["prompt_ids"] + row["completion_ids"],
                    [0] * len(row["prompt_ids"]) + row["completion_mask"],
                )
            ]
        ]
        others = [
            by_hand(trainer.model, ids, mask) - by_hand(base, ids, mask)
            for number, row in enumerate(data)
            for ids, mask in [
                (
                    row["prompt_ids"] + data[number - 1]["completion_ids"],
                    [0] * len(row["prompt_ids"]) + data[number - 1]["completion_mask"],
                )
            ]
        ]
        kl = torch.stack(others).mean().clamp(min=0)
        signs = [1 if row["label"] else -1 for row in data]
        losses = [1 - torch.sigmoid(0.1 * sign * (r - kl)) for sign, r in zip(signs, ratios, strict=True)]
        found = trainer.compute_loss(trainer.model, batch)
    assert abs(float(found) - 0.5) > 0.001
    assert float(found) == pytest.approx(float(torch.stack(losses).mean()), abs=1e-5)


def test_training_rows_of_kto_are_shuffled_and_their_masks_go_with_the_completions(folder: Path) -> None:
    prepared = prepare(rows(ExportKind.KTO, 7), ExportKind.KTO, tiny_tokenizer(), max_length=500)
    data = list(kto_trainer(folder, prepared).train_dataset)
    assert [row["prompt_ids"] for row in data] != [row["prompt_ids"] for row in prepared.dataset()]
    for start in (0, 3, 6):
        batch = data[start : start + 3]
        for number, row in enumerate(batch):
            assert row["KL_completion_ids"] == batch[number - 1]["completion_ids"]
            assert row["KL_completion_mask"] == batch[number - 1]["completion_mask"]


def test_the_sft_loss_is_that_of_the_models_tokens_alone(folder: Path) -> None:
    import torch
    from trl import SFTConfig

    from tir_agent.training.sft import MaskedSFTTrainer

    made = rows(ExportKind.SFT, 3)
    prepared = prepare(made, ExportKind.SFT, tiny_tokenizer(), max_length=500)
    trainer = MaskedSFTTrainer(
        model=load(folder),
        args=SFTConfig(**settings()),
        processing_class=tiny_tokenizer(),
        train_dataset=prepared.dataset(),
        eval_dataset=prepared.dataset(),
    )
    trainer.model.eval()
    with torch.no_grad():
        total = sum(float(one) for one in sides_by_hand(trainer.model, made))
    count = sum(label != IGNORED for row in prepared.dataset() for label in row["labels"])
    assert trainer.evaluate()["eval_loss"] == pytest.approx(-total / count, abs=1e-4)


@pytest.mark.parametrize("kind", [ExportKind.DPO, ExportKind.KTO])
def test_the_output_matrix_learns_nothing_from_the_interpreters_tokens(
    folder: Path, kind: ExportKind
) -> None:
    """Of a token that stands nowhere but in outputs, the gradient as a label is that of any absent token."""
    import torch

    made = rows(kind, 3)
    prepared = prepare(made, kind, tiny_tokenizer(), max_length=500)
    trainer = (dpo_trainer if kind is ExportKind.DPO else kto_trainer)(folder, prepared)
    batch = next(iter(trainer.get_train_dataloader()))
    ids = batch["input_ids"]
    encoded = [encode(side, tiny_tokenizer()) for row in made for side in conversations_of(row)]
    learnt = {
        token for one in encoded for token, loss in zip(one.input_ids, one.loss_mask, strict=True) if loss
    }
    head = trainer.model.get_output_embeddings().weight
    moved(trainer.model).train()
    trainer.compute_loss(trainer.model, batch).backward()
    given = set(ids[batch["attention_mask"] == 1].tolist()) - learnt
    absent = set(range(len(head))) - set(ids.flatten().tolist())
    biggest = head.grad.abs().amax(dim=1)
    assert given
    assert float(biggest[list(learnt)].max()) > 10 * float(biggest[list(given)].max())
    assert float(biggest[list(given)].max()) <= 3 * float(biggest[list(absent)].max()) + torch.finfo().eps


@pytest.mark.parametrize("kind", [ExportKind.SFT, ExportKind.DPO, ExportKind.KTO])
def test_every_token_of_the_models_and_the_end_of_its_turns_has_a_loss(kind: ExportKind) -> None:
    made = rows(kind, 2)
    for row in made:
        for side in conversations_of(row):
            runs = decoded_loss(encode(side, tiny_tokenizer()), tiny_tokenizer())
            assert runs == [f"{text}<|im_end|>" for text in side.model_text()]
    prepared = prepare(made, kind, tiny_tokenizer(), max_length=500)
    assert prepared.account.used == 2
    assert prepared.account.loss_tokens == sum(
        sum(encode(side, tiny_tokenizer()).loss_mask) for row in made for side in conversations_of(row)
    )


def test_what_is_too_long_or_refused_is_left_out_whole_and_counted() -> None:
    made = rows(ExportKind.DPO, 3)
    made[1]["rejected"][0]["content"] += "?" * 400
    made[1]["rejected_spans"][0][-1]["end"] += 400
    made[1]["rejected_replies"][0]["end"] += 400
    made[2]["chosen"][0]["content"] = made[2]["chosen"][0]["content"].replace("print", "PRINT")
    reader = tiny_tokenizer()
    reader.chat_template = (
        "{%- for m in messages %}{% if 'PRINT' in m.content %}{{ raise_exception('no') }}{% endif %}"
        "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    prepared = prepare(made, ExportKind.DPO, reader, max_length=300)
    assert (prepared.account.read, prepared.account.used, prepared.account.too_long) == (3, 1, 1)
    assert dict(prepared.account.refused) == {"no template": 1}
    assert "dropped: 1 too long, 1 no template;" in str(prepared.account)
    assert prepared.account.longest < 300


def test_a_set_of_which_nothing_is_left_is_refused_with_the_account() -> None:
    with pytest.raises(UsageError, match="No row is left to train on: 0 of 2 rows, dropped: 2 too long"):
        prepare(rows(ExportKind.SFT, 2), ExportKind.SFT, tiny_tokenizer(), max_length=5)


def test_a_data_set_without_masks_is_refused(folder: Path) -> None:
    prepared = prepare(rows(ExportKind.DPO, 3), ExportKind.DPO, tiny_tokenizer(), max_length=500)
    plain = prepared.dataset().remove_columns("chosen_mask")
    prepared.dataset = lambda: plain  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="has no chosen_mask"):
        dpo_trainer(folder, prepared)


@pytest.mark.parametrize("kind", [ExportKind.DPO, ExportKind.KTO])
def test_the_first_batch_is_shown_and_a_loss_on_an_output_stops_the_training(
    folder: Path, kind: ExportKind, caplog: pytest.LogCaptureFixture
) -> None:
    prepared = prepare(rows(kind, 6), kind, tiny_tokenizer(), max_length=500)
    build = dpo_trainer if kind is ExportKind.DPO else kto_trainer
    with caplog.at_level("INFO", logger="tir_agent.training.first_batch"):
        check_first_batch(build(folder, prepared), prepared)
    shown = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("  no loss") and OUTPUT in line for line in shown)
    assert any(line.startswith("  loss") and "print(" in line for line in shown)
    assert not any(line.startswith("  loss") and OUTPUT in line for line in shown)

    name = "rejected_mask" if kind is ExportKind.DPO else "completion_mask"
    broken = prepared.dataset().map(lambda row: {name: [1] * len(row[name])})
    prepared.dataset = lambda: broken  # type: ignore[method-assign]
    with pytest.raises(MaskBroken, match="did not write there"):
        check_first_batch(build(folder, prepared), prepared)
