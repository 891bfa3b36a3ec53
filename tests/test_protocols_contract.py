"""What holds for every protocol, whatever a model writes."""

from __future__ import annotations

import random

import pytest

from tir_agent.messages import ToolCall
from tir_agent.prompts import load_prompt, prompt_names
from tir_agent.protocols import Protocol, protocol_for
from tir_agent.trajectory import Completion, FinishReason

# What replies are made of, and what breaks readers: marks, quotes, headings, line ends, backslashes.
PIECES = [
    *("```python\n", "```\n", "```", "```output\n", "````\n", "`", "\n", "\r\n", " ", "\\", "#", "'", '"'),
    *("'''", '"""', "<code>", "</code>", "<output>", "<interpreter>", "<answer>", "</answer>", "<execute>"),
    *("</execute>", "<solution>", "</solution>", "Observation:", "<|code|>", "<|text|>", "<|endofblock|>"),
    *("<|execution|>", "<p>", "</p>", "Final Answer:", "Verification:", "Conclusion: ", "Subtask 1: a\n"),
    *("Final answer: ", "**", "\\boxed{1}", "print(1)\n", "x", "é", "\ud83d", "\x00", "\u2028", "-", "3. "),
]
PROTOCOLS = {name: protocol_for(load_prompt(name).protocol) for name in prompt_names()}


def replies(seed: int) -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices(PIECES, k=generator.randrange(40))) for _ in range(300)]


def completion(text: str, finish: FinishReason) -> Completion:
    # Not validated: half a surrogate pair is no text of a server's, but no reason to fall over either.
    return Completion.model_construct(
        text=text,
        finish_reason=finish,
        tool_calls=(ToolCall.model_construct(id="c", name="python", arguments=text),),
        prompt_tokens=0,
        completion_tokens=0,
        duration=0.0,
    )


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_reply_is_read_without_an_error_and_always_alike(name: str) -> None:
    protocol: Protocol = PROTOCOLS[name]
    for text in replies(seed=7):
        for finish in (FinishReason.STOP, FinishReason.LENGTH):
            reply = completion(text, finish)
            action = protocol.parse(reply)
            assert action == protocol.parse(reply)
            assert 0 <= action.kept <= len(text)
            ends = [0]
            for block in action.blocks:
                assert block.code.strip()
                if block.call_id is None:
                    assert ends[-1] <= block.start < block.end <= action.kept
                    assert block.code.removesuffix("\n") == text[block.start : block.end].removesuffix("\n")
                    ends.append(block.end)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_what_is_cut_off_changes_nothing_of_what_is_kept(name: str) -> None:
    """A reply that ended where the reading stopped is read as the longer one was."""
    protocol = PROTOCOLS[name]
    if protocol.tools:
        return
    for text in replies(seed=8):
        action = protocol.parse(completion(text, FinishReason.STOP))
        again = protocol.parse(completion(text[: action.kept], FinishReason.STOP))
        # The line break before a closing fence is no code, and one that is missing has none before it.
        codes, codes_again = ([block.code.rstrip() for block in one.blocks] for one in (action, again))
        assert codes_again == codes
        assert (again.kept, again.answer) == (action.kept, action.answer)
