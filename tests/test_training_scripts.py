"""The three recipes from end to end, as programs, and what they say to a mistake."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tir_agent.settings.export import ExportKind

from tiny_model import export, require_training, tiny_folder

pytestmark = pytest.mark.usefixtures("training")
EXAMPLES = Path(__file__).parent.parent / "examples"
KINDS = [ExportKind.SFT, ExportKind.DPO, ExportKind.KTO]


@pytest.fixture(scope="module")
def training() -> None:
    require_training()


@pytest.fixture(scope="module")
def model(training: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny"))


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What came of a mistake: an error line, and perhaps a hint."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_trains_and_leaves_a_model_and_its_figures(
    kind: ExportKind, model: Path, tmp_path: Path
) -> None:
    data, out = export(tmp_path / "data", kind, count=8), tmp_path / "out"
    more = (
        "--batch",
        "2",
        "--accumulate",
        "2",
        "--epochs",
        "3",
        "--lr",
        "1e-2",
        "--warmup",
        "0",
        "--no-bf16",
    )
    done = run(f"train_{kind.value}.py", "--model", model, "--data", data, "--out", out, *more)
    assert done.returncode == 0, done.stderr
    assert "Training: 8 of 8 rows, dropped: none;" in done.stderr
    assert "First batch:" in done.stderr
    figures = json.loads((out / "training.json").read_text(encoding="utf-8"))
    losses = [entry["loss"] for entry in figures["log"] if "loss" in entry]
    assert len(losses) == figures["steps"] == 6
    assert losses[-1] < losses[0]
    assert len([entry for entry in figures["log"] if "eval_loss" in entry]) == 1
    said_in_order = [
        done.stderr.index(text) for text in ("holds the model", "Validating on 2 rows (--no-validate")
    ]
    assert said_in_order == sorted(said_in_order)
    assert "FutureWarning" not in done.stderr
    assert figures["rows"]["train"]["used"] == 8
    assert figures["rows"]["validation"]["used"] == 2
    assert figures["seconds"] > 0

    from safetensors.torch import load_file

    before, after = load_file(model / "model.safetensors"), load_file(out / "model.safetensors")
    assert before.keys() == after.keys()
    assert any(not before[name].equal(after[name]) for name in before)
    assert {weights.dtype for weights in after.values()} == {weights.dtype for weights in before.values()}
    assert (out / "tokenizer.json").is_file()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_model_is_saved_before_validation_which_may_be_stopped(model: Path, tmp_path: Path) -> None:
    from transformers import TrainerCallback
    from trl import SFTConfig

    from tir_agent.training.exports import read_rows
    from tir_agent.training.progress import train_and_save
    from tir_agent.training.rows import prepare
    from tir_agent.training.setting import load_model, load_tokenizer, trainer_settings
    from tir_agent.training.sft import MaskedSFTTrainer

    class Impatient(TrainerCallback):  # type: ignore[misc]
        def on_prediction_step(self, *_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

    data, out, tokenizer = (
        export(tmp_path / "data", ExportKind.SFT),
        tmp_path / "out",
        load_tokenizer(str(model)),
    )
    train, held = (
        prepare(read_rows(data, split, (ExportKind.SFT,)), ExportKind.SFT, tokenizer, max_length=500)
        for split in ("train", "validation")
    )
    chosen = trainer_settings(
        out, seed=0, epochs=1, steps=2, learning_rate=1e-2, warmup=0, batch=2, accumulate=1, bf16=False
    )
    trainer = MaskedSFTTrainer(
        model=load_model(str(model)),
        args=SFTConfig(**chosen),
        processing_class=tokenizer,
        train_dataset=train.dataset(),
        eval_dataset=held.dataset(),
        callbacks=[Impatient()],
    )
    with pytest.raises(KeyboardInterrupt):
        train_and_save(trainer, out, {}, {"train": train.account})
    assert (out / "model.safetensors").is_file()
    assert json.loads((out / "training.json").read_text(encoding="utf-8"))["steps"] == 2


def test_an_interrupted_training_saves_the_steps_that_were_done(model: Path, tmp_path: Path) -> None:
    data, out = export(tmp_path / "data", ExportKind.SFT), tmp_path / "out"
    options = [
        "--model",
        model,
        "--data",
        data,
        "--out",
        out,
        "--steps",
        "1000000",
        "--batch",
        "2",
        "--no-bf16",
    ]
    command = [sys.executable, str(EXAMPLES / "train_sft.py"), *map(str, options)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        try:
            next(line for line in program.stderr if line.startswith("Step 2 of"))
            program.send_signal(signal.SIGINT)
            _, errors = program.communicate(timeout=60)
        finally:
            program.kill()
    assert program.returncode == 130, errors
    assert f"Interrupted: {out} holds the model" in errors
    assert "Traceback" not in errors
    assert (out / "model.safetensors").is_file()
    figures = json.loads((out / "training.json").read_text(encoding="utf-8"))
    assert 2 <= figures["steps"] < figures["steps_planned"] == 1000000


def test_mistakes_are_answered_in_a_sentence(model: Path, tmp_path: Path) -> None:
    data, out = export(tmp_path / "data", ExportKind.KTO), tmp_path / "out"
    pairs = export(tmp_path / "pairs", ExportKind.DPO)
    mistakes: dict[str, tuple[str | Path, Path, Path]] = {
        "is a set for kto, and dpo or steps is wanted": (model, data, out),
        "is not an exported set: it has no export.json": (model, tmp_path, out),
        "is there already": (model, data, tmp_path),
        f"Cannot load the model {tmp_path / 'none'}": (
            tmp_path / "none",
            export(tmp_path / "d", ExportKind.DPO),
            out,
        ),
        "is a GGUF file, which cannot be trained as it is": ("some.gguf", pairs, out),
    }
    for wanted, (name, folder, target) in mistakes.items():
        done = run("train_dpo.py", "--model", name, "--data", folder, "--out", target)
        assert wanted in said(done)
    assert not out.exists()


def test_mistakes_with_files_are_answered_in_a_sentence(model: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("no weights")
    assert "is not a GGUF file" in said(run("gguf_to_hf.py", text, tmp_path / "out"))
    assert "is not a GGUF file" in said(run("hf_to_gguf.py", model, text, tmp_path / "new.gguf"))
    assert "is there already" in said(run("hf_to_gguf.py", model, text, text))
