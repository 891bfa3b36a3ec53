"""The files that ship beside the code."""

from __future__ import annotations

from tir_agent.assets import prompts_dir, sandbox_dir


def test_prompts_and_sandbox_are_found() -> None:
    assert (prompts_dir() / "tir.yaml").is_file()
    assert (sandbox_dir() / "Dockerfile").is_file()
