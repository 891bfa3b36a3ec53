"""`docs/protocols.md` and `prompts/README.md` name every protocol, every setting and every prompt file."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from tir_agent.prompts import Feedback, Prompt, prompt_names
from tir_agent.settings import ProtocolChoice, Settings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
README = (ROOT / "prompts" / "README.md").read_text(encoding="utf-8")
CHOICES: tuple[type[Settings], ...] = typing.get_args(typing.get_args(ProtocolChoice)[0])


@pytest.mark.parametrize("choice", CHOICES)
def test_a_protocol_is_described_with_its_settings(choice: type[Settings]) -> None:
    kind = choice.model_fields["kind"].default
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{kind}` |")]
    for setting in choice.model_fields.keys() - {"kind"}:
        assert f"`{setting}`" in row
    assert f"`{kind}`" in README


@pytest.mark.parametrize("name", prompt_names())
def test_a_prompt_file_is_described(name: str) -> None:
    assert f"`{name}`" in PAGE
    assert f"`{name}.yaml`" in README


def test_every_field_of_a_prompt_file_is_described() -> None:
    for field in Prompt.model_fields.keys() - {"name", "sha256", "feedback"}:
        assert f"| `{field}` |" in README
    for field in Feedback.model_fields:
        assert f"`feedback.{field}`" in README or f"`.{field}`" in README or f"`{field}`" in README
