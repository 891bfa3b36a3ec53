"""The files that ship beside the code."""

from __future__ import annotations

from tir_agent.assets import prices_file, prompts_dir, sandbox_dir


def test_prompts_sandbox_and_prices_are_found() -> None:
    assert (prompts_dir() / "tir.yaml").is_file()
    assert (sandbox_dir() / "Dockerfile").is_file()
    assert prices_file().is_file()
