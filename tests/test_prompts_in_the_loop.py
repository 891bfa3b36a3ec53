"""Every prompt file that ships, in the real loop: a program is run, and the answer found where it belongs."""

from __future__ import annotations

import pytest

from tir_agent.agent import Agent
from tir_agent.kernel.base import Sandbox
from tir_agent.messages import Message, Origin, Role, ToolCall
from tir_agent.models.scripted import ScriptedModel
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt, prompt_names
from tir_agent.settings import ConversationForm, RunSettings
from tir_agent.trajectory import Completion, FinishReason, StopReason

PROBLEM = problem_from_text("What is 6 times 7?")
FENCED = "Multiply.\n```python\nprint(6 * 7)\n```\n```output\n43\n```\nSo \\boxed{43}."
BOXED = "The answer is \\boxed{42}."
# What a model writes: a program and, unless it is stopped, an output of its own; then the answer.
SCRIPTS: dict[str, tuple[str | Completion, str]] = {
    "alphamath": (
        "<step>\n<p>\nMultiply.\n</p>\n<code>\n```python\nprint(6 * 7)\n```\n</code>\n<output>\n43",
        "<step>\n<p>\nSo it is.\n</p>\n<p>\nFinal Answer: 42\n</p>\n</step>",
    ),
    "base_fewshot": (FENCED, f"{BOXED}\n\nQuestion: What is 1 + 1?"),
    "cosc": (FENCED, "Verification: 6 * 7 is asked for.\nConclusion: \\boxed{42}"),
    "dotamath": (f"Subtask 1: m\n{FENCED}", "Final answer: \\boxed{42}"),
    "mathcoder": (
        "<|text|>Multiply.<|endofblock|><|code|>6 * 7<|endofblock|><|execution|>43<|endofblock|>",
        f"<|text|>{BOXED}<|endofblock|><|endofmessage|>",
    ),
    "mint": (
        "<thought>Multiply.</thought>\n<execute>\nprint(6 * 7)\n</execute>\nObservation:\n43",
        "<thought>I see.</thought>\n<solution> 42 </solution>",
    ),
    "retool": (
        "<code>\n```python\nprint(6 * 7)\n```\n</code>\n<interpreter>\n43\n</interpreter>",
        "<answer>\n\\boxed{42}\n</answer>",
    ),
    "tags": ("<code>\nprint(6 * 7)\n</code>\n<output>\n43\n</output>", BOXED),
    "tools": (
        Completion(
            text="",
            finish_reason=FinishReason.STOP,
            tool_calls=(ToolCall(id="c1", name="python", arguments='{"code": "print(6 * 7)"}'),),
            prompt_tokens=1,
            completion_tokens=1,
            duration=0.0,
        ),
        BOXED,
    ),
}


def written_by_the_model(messages: tuple[Message, ...]) -> str:
    return "".join(text for message in messages for text, origin in message.pieces if origin is Origin.MODEL)


@pytest.mark.parametrize("name", sorted(set(prompt_names()) - {"cot"}))
async def test_a_program_is_run_and_the_answer_found(name: str, local_sandbox: Sandbox) -> None:
    prompt = load_prompt(name)
    model = ScriptedModel(SCRIPTS.get(name, (FENCED, BOXED)))
    trajectory = await Agent(model, local_sandbox, prompt, RunSettings(model="scripted")).solve(PROBLEM)
    assert (trajectory.stop, trajectory.answer) == (StopReason.ANSWERED, "42")
    assert trajectory.notes == ()
    ((cell,), ()) = (turn.cells for turn in trajectory.turns)
    assert cell.shown == "42"
    # What the model made up is gone, and the real output stands behind the code.
    said = "".join(message.content for message in model.requests[-1])
    assert "43" not in said
    assert said.count("42") >= 1
    assert written_by_the_model(model.requests[-1]).count("output") == 0
    roles = [message.role for message in trajectory.messages if message.role is not Role.SYSTEM]
    match prompt.conversation:
        case ConversationForm.COMPLETION:
            assert roles == [Role.RAW]
        case ConversationForm.PREFILL:
            assert roles == [Role.USER, Role.ASSISTANT]
        case ConversationForm.MESSAGES:
            assert roles[-4:-2] == [Role.USER, Role.ASSISTANT]
            assert roles[-2] is (Role.TOOL if name == "tools" else Role.USER)


@pytest.mark.parametrize(
    ("name", "middle"),
    [
        ("retool", "\n```\n</code>\n<interpreter>\n42\n</interpreter>\n\n<answer>"),
        ("alphamath", "\n```\n</code>\n<output>\n42\n</output>\n</step>\n<step>\n<p>\nSo it is."),
        ("tora", "print(6 * 7)\n```\n```output\n42\n```\nThe answer is"),
        ("qwen_math", "print(6 * 7)\n```\n```output\n42\n```\nThe answer is"),
        ("base_fewshot", "print(6 * 7)\n```\n```output\n42\n```\nThe answer is"),
        ("mathcoder", "<|code|>6 * 7<|endofblock|><|execution|>42<|endofblock|><|text|>The answer is"),
    ],
)
async def test_an_output_continues_the_reply_as_it_was_trained(
    name: str, middle: str, local_sandbox: Sandbox
) -> None:
    model = ScriptedModel(SCRIPTS.get(name, (FENCED, BOXED)))
    agent = Agent(model, local_sandbox, load_prompt(name), RunSettings(model="scripted"))
    trajectory = await agent.solve(PROBLEM)
    assert middle in trajectory.messages[-1].content
