"""The conformance server's minds: what they say in chats, in messages that are continued, to raw prompts."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from conformance import (
    PROBLEMS,
    STYLES,
    TGI,
    VLLM,
    ConformanceServer,
    Problem,
    Tokenizer,
    scripted,
    solver,
)
from raw_http import ask


async def conversation(style: str, problem: Problem, mode: str, *, stops: bool = True) -> str:
    """What a small agent makes of a problem: it runs the last program, and ends with the last reply."""
    marks = STYLES[style]
    stop = [marks.stop] if stops and not marks.by_call else []
    body: dict[str, Any] = {"model": "m", "stop": stop, "max_tokens": 500}
    if marks.by_call:
        body["tools"] = [{"type": "function", "function": {"name": "python"}}]
    state: dict[str, object] = {}
    said = ""
    messages: list[Any] = [{"role": "user", "content": f"Solve this. {problem.text}"}]
    async with ConformanceServer(TGI if mode == "prefill" else VLLM, {"m": solver(style)}) as server:
        for _ in range(8):
            calls: list[Any] = []
            if mode == "raw":
                prompt = {"prompt": f"Q: {problem.text}\nA: {said}"}
                answer = await ask(server.url, body | prompt, path="/v1/completions")
                text: str = answer.json["choices"][0]["text"]
            else:
                begun = [{"role": "assistant", "content": said}] if mode == "prefill" and said else []
                answer = await ask(server.url, body | {"messages": messages + begun})
                message = answer.json["choices"][0]["message"]
                text, calls = message["content"] or "", message.get("tool_calls", [])
            if mode == "prefill" and stop:
                text = text.removesuffix(stop[0])
            if "\\boxed" in text:
                return said + text
            output = _run(_program(marks.code_open, marks.code_close, text, calls), state)
            shown = f"{marks.output_open}{output}{marks.output_close}"
            said += text + shown
            if mode == "chat":
                messages += _turn(text, calls, output if calls else shown)
    raise AssertionError(f"no answer:\n{said}")


def _turn(text: str, calls: list[Any], output: str) -> list[Any]:
    said = {"role": "assistant", "content": text, "tool_calls": calls}
    return [said, {"role": "tool" if calls else "user", "content": output}]


def _program(opening: str, closing: str, text: str, calls: Sequence[Any]) -> str:
    if calls:
        code = json.loads(calls[0]["function"]["arguments"])["code"]
        assert isinstance(code, str)
        return code
    return text.rpartition(opening)[2].partition(closing.rstrip("\n"))[0]


def _run(program: str, state: dict[str, object]) -> str:
    lines: list[str] = []
    state["print"] = lambda *values: lines.append(" ".join(map(str, values)))
    try:
        exec(program, state)
    except NameError as error:
        return f"NameError: {error}"
    return "\n".join(lines)


@pytest.mark.parametrize("mode", ["chat", "prefill", "raw"])
@pytest.mark.parametrize("style", [name for name, style in STYLES.items() if not style.by_call])
async def test_the_solver_solves_its_problems_in_every_style(style: str, mode: str) -> None:
    for problem in PROBLEMS:
        said = await conversation(style, problem, mode)
        assert f"\\boxed{{{problem.gold}}}" in said
    assert "NameError" in said


async def test_the_solver_solves_its_problems_by_calls_of_a_tool() -> None:
    for problem in PROBLEMS:
        assert f"\\boxed{{{problem.gold}}}" in await conversation("tools", problem, "chat")


async def test_what_the_user_says_about_programs_is_no_program() -> None:
    question = {
        "role": "user",
        "content": f"{PROBLEMS[0].text} Write ```python and ```, as often as you like.",
    }
    async with ConformanceServer(VLLM, {"m": solver("fences")}) as server:
        answer = await ask(server.url, {"model": "m", "messages": [question]})
    assert "print(6 * 7)" in answer.json["choices"][0]["message"]["content"]


async def test_the_solver_invents_a_wrong_output_where_nothing_stops_it() -> None:
    for style in STYLES:
        if not STYLES[style].by_call:
            said = await conversation(style, PROBLEMS[0], "chat", stops=False)
            assert "\\boxed{41}" in said
            assert STYLES[style].output_open in said


async def test_the_solver_goes_on_where_a_limit_cut_its_program() -> None:
    async with ConformanceServer(TGI, {"m": solver("fences")}) as server:
        said = ""
        for _ in range(20):
            messages = [{"role": "user", "content": PROBLEMS[0].text}]
            messages += [{"role": "assistant", "content": said}] if said else []
            body = {"model": "m", "messages": messages, "max_tokens": 5, "stop": ["```output"]}
            choice = (await ask(server.url, body)).json["choices"][0]
            said += choice["message"]["content"]
            if choice["finish_reason"] != "length":
                break
    assert said == "I multiply the two numbers.\n```python\nprint(6 * 7)\n```\n```output"


async def test_a_script_counts_the_replies_in_chats_prefills_and_raw_prompts() -> None:
    mind = scripted("first\n```python\n1", "second", "third")
    user = {"role": "user", "content": "Go."}
    async with ConformanceServer(TGI, {"m": mind}) as server:
        said = ""
        for expected in ("first\n", "second", "third"):
            prompt = {"model": "m", "prompt": f"Go. {said}", "stop": ["```"]}
            text = (await ask(server.url, prompt, path="/v1/completions")).json["choices"][0]["text"]
            assert text.removesuffix("```") == expected
            opened = [{"role": "assistant", "content": said}] if said else []
            chat = {"model": "m", "messages": [user, *opened], "stop": ["```"]}
            message = (await ask(server.url, chat)).json["choices"][0]["message"]
            assert message["content"].removesuffix("```") == expected
            said += f"{text}\noutput: 1\n"


def test_every_text_is_the_text_of_its_tokens() -> None:
    tokenizer = Tokenizer()
    for text in (
        "",
        " \t\r\n\n x",
        "zwölf 😀 ∑∀\x00",
        "def f(x):\n    return x_1**2\n",
        "<|im_end|><|x",
        "\ud800",
    ):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert Tokenizer().encode("the same") == Tokenizer().encode("the same")


def test_two_pieces_with_one_hash_have_two_ids() -> None:
    tokenizer = Tokenizer()
    one, other = "\u0403\u043a\u0402", "\u4e3d\u4e0b\u4e13"
    assert len({zlib.crc32(piece.encode()) % (2**31 - 16) for piece in (one, other)}) == 1
    assert tokenizer.encode(one) != tokenizer.encode(other)
    assert tokenizer.decode(tokenizer.encode(other)) == other
