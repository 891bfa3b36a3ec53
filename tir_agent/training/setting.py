"""What the three recipes have in common: model, precision, and the trainer's settings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tir_agent.errors import UsageError

__all__ = ["check_out", "fast_bfloat16", "load_model", "load_tokenizer", "trainer_settings"]

_LOG: Final = logging.getLogger(__name__)
_CPU_FEATURES: Final = ("avx512_bf16", "amx_bf16")


def fast_bfloat16() -> bool:
    """Whether bfloat16 saves time on this machine: on its GPU, or by instructions of its processor."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in _CPU_FEATURES)


def check_out(folder: Path) -> None:
    """
    Raises:
        UsageError: there is something in the folder already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already", hint="Name another folder for the trained model")


def load_tokenizer(model: str) -> Any:
    """
    Raises:
        UsageError: there is no such model, or it has no chat template.
    """
    if model.endswith(".gguf"):
        raise UsageError(f"{model} is a GGUF file, which cannot be trained as it is", hint=_UNPACK)
    try:
        return AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise UsageError(_unusable(model, error), hint=_HINT) from None


def load_model(model: str) -> Any:
    """In 32 bits, whatever it was saved in: steps of a small learning rate are lost in 16.

    Raises:
        UsageError: there is no such model.
    """
    try:
        return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise UsageError(_unusable(model, error), hint=_HINT) from None


_UNPACK: Final = "python examples/gguf_to_hf.py FILE.gguf DIR makes a folder of it that can"
_HINT: Final = f"Name a folder or a model of the hub; {_UNPACK}"


def _unusable(model: str, error: Exception) -> str:
    first = str(error).strip().splitlines()[0].rstrip(".")
    return f"Cannot load the model {model}: {first}"


def trainer_settings(
    out: Path,
    *,
    seed: int,
    epochs: float,
    steps: int | None,
    learning_rate: float,
    warmup: float,
    batch: int,
    accumulate: int,
    bf16: bool | None,
) -> dict[str, Any]:
    """Settings that all of TRL's configurations take.

    `steps` ends the training early; `warmup` is a share of the steps. A step is `batch` rows on each device,
    `accumulate` times. `bf16` computes in 16 bits and keeps the weights in 32 (autocast); None does so where
    it saves time.
    """
    use_bf16 = fast_bfloat16() if bf16 is None else bf16
    _LOG.info("Weights in float32, computing in %s", "bfloat16" if use_bf16 else "float32")
    return {
        "output_dir": str(out),
        "seed": seed,
        "num_train_epochs": epochs,
        "max_steps": -1 if steps is None else steps,
        "learning_rate": learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": warmup,
        "weight_decay": 0.0,
        "per_device_train_batch_size": batch,
        "per_device_eval_batch_size": batch,
        "gradient_accumulation_steps": accumulate,
        "bf16": use_bf16,
        "use_cpu": not torch.cuda.is_available(),
        # Recomputing what memory has room for makes a step about a third slower.
        "gradient_checkpointing": False,
        # Nothing is truncated: rows that are too long were left out.
        "max_length": None,
        "logging_steps": 1,
        # Validation comes when the model is saved.
        "eval_strategy": "no",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }
