"""Prompt files: those that ship are sound, and a broken one is refused with the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tir_agent.errors import PromptError
from tir_agent.kernel.base import Sandbox
from tir_agent.messages import Origin, Role
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt, prompt_names
from tir_agent.protocols import FencesProtocol, protocol_for
from tir_agent.settings import ConversationForm, Fences
from tir_agent.trajectory import Completion, FinishReason

PROBLEM = problem_from_text("What is {x} in \\boxed{}?")


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def as_reply(text: str) -> Completion:
    return Completion(
        text=text, finish_reason=FinishReason.STOP, prompt_tokens=0, completion_tokens=0, duration=0.0
    )


EXEMPLARS = ["base_fewshot", "tir_fewshot"]


@pytest.mark.parametrize("name", prompt_names())
def test_a_shipped_prompt_asks_the_problem_as_it_is(name: str) -> None:
    prompt = load_prompt(name)
    last = prompt.opening(PROBLEM)[-1]
    assert last.role is (Role.RAW if prompt.conversation is ConversationForm.COMPLETION else Role.USER)
    written = [last.content[span.start : span.end] for span in last.spans if span.origin is Origin.PROBLEM]
    assert written == [PROBLEM.text]
    assert len(prompt.sha256) == 64


@pytest.mark.parametrize("name", EXEMPLARS)
def test_exemplars_are_read_by_the_prompts_own_protocol(name: str) -> None:
    prompt = load_prompt(name)
    assert prompt.exemplars
    for exemplar in prompt.exemplars:
        for turn in exemplar.turns:
            action = protocol_for(prompt.protocol).parse(as_reply(turn.reply))
            assert action.kept == len(turn.reply)
            assert bool(action.blocks) == (turn.output is not None)


@pytest.mark.parametrize("name", EXEMPLARS)
async def test_the_programs_of_exemplars_print_what_is_said_there(name: str, local_sandbox: Sandbox) -> None:
    prompt = load_prompt(name)
    for exemplar in prompt.exemplars:
        session = await local_sandbox.session()
        try:
            for turn in exemplar.turns[:-1]:
                (program,) = FencesProtocol(Fences()).parse(as_reply(turn.reply)).blocks
                execution = await session.execute(program.code, timeout=30)
                printed = execution.stdout.strip()
                if execution.error is not None:
                    printed = f"{execution.error.name}: {execution.error.message}"
                assert printed == turn.output
        finally:
            await session.close()


def exemplar_file(tmp_path: Path, form: str) -> str:
    return write(
        tmp_path,
        f"description: d\nconversation: {form}\nsystem: 'S. '\nuser: 'Q {{problem}} A '\nexemplar_end: ';'\n"
        "exemplars: [{problem: p, turns: [{reply: r, output: o}, {reply: t}]}]\n"
        "feedback: {observation: '[{output}]'}\n",
    )


def test_a_raw_text_runs_everything_together(tmp_path: Path) -> None:
    (message,) = load_prompt(exemplar_file(tmp_path, "completion")).opening(PROBLEM)
    assert message.content == f"S. Q p A r[o]t;Q {PROBLEM.text} A "
    assert {span.origin for span in message.spans} == {Origin.PROMPT, Origin.PROBLEM}


def test_exemplars_have_the_form_of_the_conversation(tmp_path: Path) -> None:
    chat = load_prompt(exemplar_file(tmp_path, "messages")).opening(PROBLEM)
    assert [message.content for message in chat][:5] == ["S. ", "Q p A ", "r", "[o]", "t"]
    prefilled = load_prompt(exemplar_file(tmp_path, "prefill")).opening(PROBLEM)
    assert [message.content for message in prefilled][:3] == ["S. ", "Q p A ", "r[o]t"]


def test_no_exemplar_counts_as_the_models_own_words() -> None:
    for message in load_prompt("tir_fewshot").opening(PROBLEM):
        assert all(span.origin in {Origin.PROMPT, Origin.PROBLEM} for span in message.spans)


def test_an_observation_is_the_interpreters_and_its_wrapper_the_prompts() -> None:
    pieces = load_prompt("tir").observed("42", failed=False)
    assert ("42", Origin.INTERPRETER) in pieces
    assert {origin for text, origin in pieces if "`" in text} == {Origin.PROMPT}


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    prompt = load_prompt(write(tmp_path, "description: d\nuser: 'Q: {problem} {{braces}}'\n"))
    assert prompt.name == "mine"
    assert isinstance(prompt.protocol, Fences)
    assert prompt.opening(PROBLEM)[0].content == f"Q: {PROBLEM.text} {{braces}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("description: [", r"mine\.yaml:\d+:\d+: "),
        ("just text", "must be a YAML mapping"),
        ("description: d\nsytem: x\n", "sytem: "),
        ("description: d\nuser: no place for it\n", r"mine\.yaml:2:1: user: must contain \{problem\}"),
        ("description: d\nuser: '{problem} {gold}'\n", r"user: uses \{gold\}"),
        ("description: d\nuser: '{problem} {'\n", "user: "),
        (
            "description: d\nfeedback: {observation: nothing}\n",
            r"feedback.observation: must contain \{output\}",
        ),
        ("description: d\nfeedback: {last_turn: '{why}'}\n", r"2:12: feedback.last_turn: uses \{why\}"),
        ("description: d\nstop: [a, b, c, d, e]\n", "stop: "),
        ("description: d\nstop: ['']\n", "empty string"),
        ("description: d\nprotocol: {kind: smoke}\n", "protocol"),
        ("description: d\nexemplars: [{problem: p, turns: [{reply: r, output: o}]}]\n", "last turn"),
        ("description: d\nexemplars: [{problem: p, turns: [{reply: r}, {reply: r}]}]\n", "needs an output"),
        ("name: n\ndescription: d\n", "name: is made from the file"),
        ("user: '{problem}'\n", "description: "),
    ],
)
def test_a_broken_file_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        load_prompt(write(tmp_path, text))


def test_a_binary_file_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with pytest.raises(PromptError, match="No such file"):
        load_prompt(str(path))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PromptError, match="UTF-8"):
        load_prompt(str(path))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PromptError) as caught:
        load_prompt("tri")
    assert "tir_fewshot" in (caught.value.hint or "")
