"""The fences protocol: what counts as code, where it ends, and what is not believed."""

from __future__ import annotations

import pytest

from tir_agent.protocols import FencesProtocol, Malformed
from tir_agent.settings import Fences
from tir_agent.trajectory import Completion, FinishReason


def reply(text: str, finish_reason: FinishReason = FinishReason.STOP) -> Completion:
    return Completion(
        text=text, finish_reason=finish_reason, prompt_tokens=1, completion_tokens=1, duration=0.0
    )


def codes(text: str) -> list[str]:
    action = FencesProtocol(Fences()).parse(reply(text))
    for block in action.blocks:
        assert text[block.start : block.end] == block.code
    return [block.code for block in action.blocks]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Let me see.\n```python\nprint(1)\n```\n", ["print(1)"]),
        ("```python\nprint(1)\n```", ["print(1)"]),
        ("```py\na = 1\n```\nthen\n```python3\nprint(a)\n```\n", ["a = 1", "print(a)"]),
        ("```Python\nprint(1)\n```\n", ["print(1)"]),
        ("``` python title=x\nprint(1)\n```\n", ["print(1)"]),
        ("````python\nprint('''\n```\n''')\n````\n", ["print('''\n```\n''')"]),
        ("```python\r\nprint(1)\r\n```\r\n", ["print(1)\r"]),
        ("```python\nprint(1)", ["print(1)"]),
        ("no code at all", []),
        ("", []),
        ("```\nprint(1)\n```\n", []),
        ("```sql\nselect 1\n```\n", []),
        ("```text\n```python\nprint(1)\n```\n", []),
        ("inline ```python is not a fence```\n", []),
    ],
)
def test_finds_code(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    "code",
    [
        'print("```")',
        "s = '''\n```\n'''\nprint(s)",
        's = """\n```python\n```\n"""',
        "s = '''a\\'''\n```\n'''",
        "# it's a comment with a quote ''' in it\nprint(1)",
        "s = \"'''\"\nprint(s)",
    ],
)
def test_a_fence_inside_a_string_does_not_close_the_block(code: str) -> None:
    assert codes(f"```python\n{code}\n```\nThen more.\n") == [code]


def test_a_string_that_is_never_closed_does_not_swallow_the_reply() -> None:
    action = FencesProtocol(Fences()).parse(reply("```python\nx = '''\n```\nSo \\boxed{1}."))
    assert [block.code for block in action.blocks] == ["x = '''"]
    assert "\\boxed{1}" in action.prose


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint(1)\n```\n```output\n7\n```\nThe answer is \\boxed{7}.",
        "```python\nprint(1)\n```output\n7\n```\nThe answer is \\boxed{7}.",
        "```python\nprint(1)\n```\nSo:\n```Output\n7\n```\nThe answer is \\boxed{7}.",
    ],
)
def test_invented_output_and_all_after_it_is_cut_off(text: str) -> None:
    action = FencesProtocol(Fences()).parse(reply(text))
    assert [block.code for block in action.blocks] == ["print(1)"]
    assert text[: action.kept] + text[action.kept :] == text
    assert text[action.kept :].lower().startswith("```output")
    assert "boxed" not in action.prose


def test_code_is_not_prose() -> None:
    action = FencesProtocol(Fences()).parse(reply("a\n```python\nprint('\\\\boxed{1}')\n```\nb"))
    assert "boxed" not in action.prose
    assert action.prose.startswith("a\n")
    assert action.prose.endswith("b")


def test_code_cut_off_by_the_token_limit_is_not_run() -> None:
    action = FencesProtocol(Fences()).parse(reply("```python\nprint(1", FinishReason.LENGTH))
    assert action.blocks == ()
    assert action.malformed is Malformed.CUT_OFF


def test_complete_code_before_a_token_limit_is_run() -> None:
    action = FencesProtocol(Fences()).parse(reply("```python\nprint(1)\n```\nand th", FinishReason.LENGTH))
    assert len(action.blocks) == 1
    assert action.malformed is None


def test_an_empty_block_is_malformed() -> None:
    action = FencesProtocol(Fences()).parse(reply("```python\n\n```\n"))
    assert action.malformed is Malformed.EMPTY


def test_other_languages_can_be_chosen() -> None:
    protocol = FencesProtocol(Fences(languages=("tool_code",), output="result"))
    action = protocol.parse(reply("```tool_code\n1\n```\n```result\n2\n```"))
    assert [block.code for block in action.blocks] == ["1"]
    assert action.kept == len("```tool_code\n1\n```\n")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "```python\n'''" + "\n```\n" * 60_000,
        "```python\n" * 40_000,
        "```python\n" + "'''\n```\n" * 30_000,
        '```python\n"' + "\\" * 200_000,
        "```python\n'''" + "\\'''" * 60_000,
        "`" * 300_000,
    ],
)
def test_hostile_replies_are_read_in_linear_time(text: str) -> None:
    action = FencesProtocol(Fences()).parse(reply(text))
    assert action.kept <= len(text)
