"""`tir prompts`: lists, shows and checks."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from tir_agent.cli.app import app
from tir_agent.cli.prompt_view import draw, with_turns
from tir_agent.messages import Message, Origin
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt, prompt_names


def tir(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["prompts", *arguments])


def checked(tmp_path: Path, text: str, *more: str) -> tuple[int, list[str]]:
    """The status, and what is said without the file's name."""
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    result = tir("check", str(path), *more)
    lines = result.stdout.splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return result.exit_code, [line.removeprefix(f"{path}:").strip() for line in lines]


def test_all_prompts_are_listed_with_their_protocol() -> None:
    lines = [line.split() for line in tir("list").stdout.splitlines()]
    assert [line[0] for line in lines] == prompt_names()
    assert ["tora", "rationale", "completion"] in [line[:3] for line in lines]


@pytest.mark.parametrize("name", prompt_names())
def test_a_prompt_that_ships_is_sound(name: str) -> None:
    result = tir("check", name, "--strict")
    assert result.exit_code == 0, result.stdout
    assert result.stdout.endswith("sound\n")


def test_a_raw_text_is_written_exactly() -> None:
    assert tir("show", "tora", "1 + 1?").stdout == "<|user|>\n1 + 1?\n<|assistant|>\n"


def test_a_chat_is_shown_role_by_role() -> None:
    shown = tir("show", "cot", "1 + 1?").stdout
    assert shown.startswith("[system]\nYou solve")
    assert shown.endswith("\n[user]\n1 + 1?\n")


def test_turns_show_an_output_an_error_a_nudge_and_the_last_turn() -> None:
    shown = tir("show", "retool", "--turns").stdout
    outputs = ["<interpreter>\n42\n</interpreter>", "<interpreter>\nZeroDivisionError: division by zero"]
    places = [shown.index(text) for text in (*outputs, "Go on:", "This is your last message (no turns")]
    assert places == sorted(places)
    # The output continues the assistant's message, and its wrapper closes the code.
    assert "[assistant]\n<code>\nprint(6 * 7)\n</code>\n<interpreter>" in shown


def test_a_tool_is_shown_with_its_calls_and_results() -> None:
    shown = tir("show", "tools", "--turns").stdout
    assert 'python({"code": "print(6 * 7)"})' in shown
    assert "[tool]\n42\n" in shown


@pytest.mark.parametrize("name", prompt_names())
@pytest.mark.parametrize("more", [[], ["--turns"]])
def test_messages_come_as_json_that_can_be_read_back(name: str, more: list[str]) -> None:
    rows = json.loads(tir("show", name, "1 + 1?", "--json", *more).stdout)
    messages = [Message.model_validate(row) for row in rows]
    spans = [
        message.content[span.start : span.end]
        for message in messages
        for span in message.spans
        if span.origin is Origin.PROBLEM
    ]
    assert spans == ["1 + 1?"]


def test_every_mistake_is_listed_with_its_place(tmp_path: Path) -> None:
    status, lines = checked(
        tmp_path,
        "description: d\n"
        "sytem: x\n"
        "protocol: {kind: fence}\n"
        "user: none\n"
        "feedback:\n"
        "  nudge: '{reason}'\n"
        "exemplars:\n"
        "- problem: p\n"
        "  turns: [{reply: r, output: o}]\n"
        "stop: ['']\n"
        "user: twice {problem}\n",
    )
    assert status == 2
    assert [line.split(" ", 1)[0] for line in lines] == ["2:1:", "3:1:", "6:3:", "8:3:", "10:1:", "11:1:"]
    assert "sytem: there is no such field (Did you mean 'system'?)" in lines[0]
    assert "there is no kind 'fence'" in lines[1]
    assert "feedback.nudge: uses {reason}" in lines[2]
    assert "exemplars.0: the last turn" in lines[3]
    assert "user: is given twice" in lines[5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("description: [", "1:15: error: "),
        (
            "description: d\nprotocol: {kind: fences, langs: [a]}\n",
            "2:26: error: protocol.langs: there is no",
        ),
        ("description: d\nprotocol: {languages: [a]}\n", "2:1: error: protocol: needs a kind"),
        (
            "description: d\nprotocol: {kind: tools}\nconversation: completion\n",
            "3:1: error: conversation: must",
        ),
        ("description: d\nprotocol: {kind: tags, code: {open: '<c>'}}\n", "protocol.code.close: is required"),
        ("description: 1\n", "1:1: error: description: should be a text"),
        ("user: '{problem}'\n", "1:1: error: description: is required"),
        ("description: d\nstop: a\n", "2:1: error: stop: should be"),
        ("description: d\x07\n", "1:15: error: a character that YAML does not allow"),
        ("[" * 5000, "error: "),
        ("1: 2\ndescription: d\n", "1:1: error: "),
        ("", "1:1: error: a prompt file must be a YAML mapping"),
    ],
)
def test_a_mistake_has_its_place(tmp_path: Path, text: str, said: str) -> None:
    status, lines = checked(tmp_path, text)
    assert status == 2
    assert said in lines[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "stop: ['<output>', \"\\n```output\"]",
            "2:8: warning: stop.0: '<output>' is no mark of the protocol's",
        ),
        ("system: s", "warning: stop: no stop string ends a reply that begins an output (```output)"),
        ("feedback: {observation: '{output}'}", "2:12: warning: feedback.observation: the protocol does not"),
        ("feedback: {error: 'Error: {output}'}", "2:12: warning: feedback.error: the protocol does not"),
        (
            "exemplars: [{problem: p, turns: [{reply: none, output: o}, {reply: r}]}]",
            "2:35: warning: exemplars.0.turns.0.reply: an output follows, but there is no code",
        ),
        (
            'exemplars: [{problem: p, turns: [{reply: "```python\\n1\\n```"}]}]',
            "exemplars.0.turns.0.reply: it has code, but no output follows",
        ),
    ],
)
def test_what_the_protocol_would_not_understand_is_a_warning(tmp_path: Path, text: str, said: str) -> None:
    stop = "" if text.startswith(("stop", "system")) else 'stop: ["```output"]\n'
    status, lines = checked(tmp_path, f"description: d\n{text}\n{stop}")
    assert status == 0
    assert len(lines) == 1
    assert said in lines[0]
    assert checked(tmp_path, f"description: d\n{text}\n{stop}", "--strict")[0] == 2


def test_on_a_terminal_colours_say_who_wrote_what_and_nothing_moves_the_cursor() -> None:
    screen = Console(file=StringIO(), force_terminal=True, color_system="standard", soft_wrap=True)
    prompt = load_prompt("tora")
    draw(screen, prompt, with_turns(prompt, problem_from_text("1 + 1?\x1b[2J")))
    assert isinstance(screen.file, StringIO)
    shown = screen.file.getvalue()
    assert "\x1b[1m1 + 1?\x1b[0m" in shown
    assert "\x1b[33m42\x1b[0m" in shown
    assert "\x1b[2J" not in shown
