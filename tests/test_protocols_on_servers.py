"""Every prompt on servers that differ most: the answers are right wherever the server can do it."""

from __future__ import annotations

import pytest

from tir_agent.agent import Agent
from tir_agent.kernel.base import Sandbox
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import RunSettings, Sampling
from tir_agent.trajectory import Role

from protocols import STYLES, Cell, conformance_model, page, solve_all

RAW = {"mathcoder", "tora", "base_fewshot"}


@pytest.mark.parametrize("profile", ["vllm", "llamacpp", "openai-reasoning", "gemma"])
@pytest.mark.parametrize("prompt", STYLES)
async def test_three_problems_are_solved_or_refused_in_one_sentence(
    local_sandbox: Sandbox, prompt: str, profile: str
) -> None:
    async with conformance_model(profile, prompt) as model:
        solved = await solve_all(model, local_sandbox, load_prompt(prompt), Sampling())
    cell = Cell(prompt, profile, tuple(solved))
    if prompt in RAW and profile == "openai-reasoning":
        assert "no /completions" in (cell.impossible or "")
    elif prompt == "tools" and profile == "gemma":
        # Its template wants user and assistant in turn, and knows no tool's message.
        assert cell.impossible is not None
    else:
        assert (cell.impossible, cell.right, cell.cells) == (None, 3, 6)
    assert cell.text in page([cell], "command")


async def test_an_output_goes_into_the_assistants_message_where_the_server_continues_it(
    local_sandbox: Sandbox,
) -> None:
    problem = problem_from_text("What is 6 times 7?")
    roles: dict[str, list[Role]] = {}
    for profile in ("vllm", "openai"):
        async with conformance_model(profile, "retool") as model:
            agent = Agent(model, local_sandbox, load_prompt("retool"), RunSettings(model=model.name))
            trajectory = await agent.solve(problem)
        assert trajectory.answer == "42"
        roles[profile] = [message.role for message in trajectory.messages]
    assert roles["vllm"] == [Role.USER, Role.ASSISTANT]
    assert roles["openai"] == [Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT]
