"""The three recipes from end to end, as programs, and what they say to a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
    assert len([entry for entry in figures["log"] if "eval_loss" in entry]) == 3
    assert figures["rows"]["train"]["used"] == 8
    assert figures["rows"]["validation"]["used"] == 2
    assert figures["seconds"] > 0

    from safetensors.torch import load_file

    before, after = load_file(model / "model.safetensors"), load_file(out / "model.safetensors")
    assert before.keys() == after.keys()
    assert any(not before[name].equal(after[name]) for name in before)
    assert {weights.dtype for weights in after.values()} == {weights.dtype for weights in before.values()}
    assert (out / "tokenizer.json").is_file()


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
