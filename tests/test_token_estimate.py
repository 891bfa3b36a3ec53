"""The estimate of tokens against a real tokenizer, on recorded outputs."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from tir_agent.errors import ModelUnavailable
from tir_agent.models.gguf import installed_gguf, require_llamacpp
from tir_agent.observation.tokens import estimated_tokens

import token_estimate
from conftest import missing


@pytest.fixture(scope="module")
def tokenizer() -> token_estimate.Tokenizer:
    try:
        require_llamacpp()
        return token_estimate.Tokenizer(installed_gguf())
    except ModelUnavailable as error:
        missing(f"{error.message}: {error.hint}")


def test_the_example_in_the_docstring() -> None:
    assert doctest.testmod(token_estimate).failed == 0


def test_recorded_outputs_are_estimated_within_a_tenth(
    tokenizer: token_estimate.Tokenizer, shared_data: Path
) -> None:
    texts = token_estimate.outputs(shared_data)[::20]
    estimated = sum(map(estimated_tokens, texts))
    assert estimated == pytest.approx(sum(map(tokenizer.count, texts)), rel=0.1)
