"""Every prompt on servers that differ most: the answers are right wherever the server can do it."""

from __future__ import annotations

import pytest

from tir_agent.agent import Agent
from tir_agent.kernel.base import Sandbox
from tir_agent.models.choice import open_model
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import RunSettings, Sampling
from tir_agent.trajectory import Role, StopReason

from able import able_solver
from conformance import PROFILES, ConformanceServer
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
    texts: list[str] = []
    for profile in ("vllm", "openai"):
        async with conformance_model(profile, "retool") as model:
            agent = Agent(model, local_sandbox, load_prompt("retool"), RunSettings(model=model.name))
            trajectory = await agent.solve(problem)
        assert trajectory.answer == "42"
        roles[profile] = [message.role for message in trajectory.messages]
        texts = [message.content for message in trajectory.messages]
    assert roles["vllm"] == [Role.USER, Role.ASSISTANT]
    assert roles["openai"] == [Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT]
    # There the code's mark, which a stop string took away, ends the reply all the same.
    assert texts[1].endswith("</code>")
    assert texts[2].startswith("<interpreter>")


@pytest.mark.parametrize(("profile", "context"), [("vllm", 700), ("sglang", 1200), ("tgi", 1200)])
async def test_a_small_context_brings_shorter_replies_and_not_the_end(
    local_sandbox: Sandbox, profile: str, context: int
) -> None:
    server = ConformanceServer(PROFILES[profile], {"solver": able_solver("fences")}, context=context)
    async with server:
        model = await open_model("solver", base_url=server.url)
        solved = await solve_all(model, local_sandbox, load_prompt("tir"), Sampling())
        await model.close()
    assert [one.failure for one in solved] == [None, None, None]
    assert solved[0].answer == "42"


@pytest.mark.parametrize("profile", ["vllm", "sglang", "tgi", "ollama", "openai", "llamacpp"])
async def test_a_context_too_small_for_the_prompt_is_full(local_sandbox: Sandbox, profile: str) -> None:
    server = ConformanceServer(PROFILES[profile], {"solver": able_solver("fences")}, context=200)
    async with server:
        model = await open_model("solver", base_url=server.url)
        solved = await solve_all(model, local_sandbox, load_prompt("tir"), Sampling())
        await model.close()
    assert {one.stop for one in solved} <= {StopReason.CONTEXT_FULL, StopReason.TOKEN_LIMIT}
