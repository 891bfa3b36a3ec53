"""The tags protocol: the marks of MARIO, AlphaMath, ReTool, MINT and MathCoder."""

from __future__ import annotations

import pytest

from tir_agent.protocols import Action, Malformed, TagsProtocol
from tir_agent.settings import Marks, Tags
from tir_agent.trajectory import Completion, FinishReason

RETOOL = Tags(
    output=Marks(open="<interpreter>", close="</interpreter>"),
    answer=Marks(open="<answer>", close="</answer>"),
)
MATHCODER = Tags(
    code=Marks(open="<|code|>", close="<|endofblock|>"),
    output=Marks(open="<|execution|>", close="<|endofblock|>"),
    text=Marks(open="<|text|>", close="<|endofblock|>"),
)
MINT = Tags(
    code=Marks(open="<execute>", close="</execute>"),
    output=Marks(open="Observation:", close="\n"),
    answer=Marks(open="<solution>", close="</solution>"),
)
ALPHAMATH = Tags(
    text=Marks(open="<p>", close="</p>"),
    answer=Marks(open="Final Answer:", close="</p>"),
)


def parse(text: str, choice: Tags = RETOOL, finish: FinishReason = FinishReason.STOP) -> Action:
    action = TagsProtocol(choice).parse(
        Completion(text=text, finish_reason=finish, prompt_tokens=1, completion_tokens=1, duration=0.0)
    )
    for block in action.blocks:
        assert text[block.start : block.end] == block.code
    return action


def codes(text: str, choice: Tags = RETOOL) -> list[str]:
    return [block.code for block in parse(text, choice).blocks]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I see.\n<code>\nprint(1)\n</code>\n", ["print(1)\n"]),
        ("<code>print(1)</code>", ["print(1)"]),
        ("<code>\r\nprint(1)\r\n</code>", ["print(1)\r\n"]),
        ("<code>\n    indented\n</code>", ["    indented\n"]),
        ("<code> \nprint(1)</code>", [" \nprint(1)"]),
        ("<code>a = 1</code> and <code>print(a)</code>", ["a = 1", "print(a)"]),
        ("<code>\n```python\nprint(1)\n```\n</code>", ["print(1)\n"]),
        ("<code>```py\nprint('''\n```\n''')\n```</code>", ["print('''\n```\n''')\n"]),
        ("<code>\n```python\nprint(1)\n</code>", ["print(1)\n"]),
        ("<code>\nprint(1)", ["print(1)"]),
        ("<code>\nprint(1)\n```\n</code>", ["print(1)\n```\n"]),
        ("I put it between `<code>` and `</code>` marks.", []),
        ("nothing here </code>", []),
        ("", []),
    ],
)
def test_finds_code(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    "code",
    ['print("</code>")', "s = '''\n</code>\n'''", 's = """<interpreter>"""', "s = 'it\\'s </code>'"],
)
def test_a_mark_inside_a_string_closes_nothing(code: str) -> None:
    action = parse(f"<code>{code}</code> So much.")
    assert [block.code for block in action.blocks] == [code]
    assert action.prose.strip() == "So much."


@pytest.mark.parametrize("code", ["x = '''", "x = 'abc", "# don't"])
def test_a_quote_that_is_never_closed_does_not_swallow_the_reply(code: str) -> None:
    action = parse(f"<code>{code}</code> Therefore <answer>1</answer>")
    assert [block.code for block in action.blocks] == [code]
    assert action.answer == "1"


@pytest.mark.parametrize(
    "text",
    [
        "<code>print(1)</code>\n<interpreter>7</interpreter><answer>7</answer>",
        "<code>print(1)\n<interpreter>7</interpreter><answer>7</answer>",
        "So <interpreter>7</interpreter><code>print(2)</code><answer>7</answer>",
    ],
)
def test_invented_output_and_all_after_it_is_cut_off(text: str) -> None:
    action = parse(text)
    assert text[action.kept :].startswith("<interpreter>7")
    assert len(action.blocks) == text[: action.kept].count("<code>")
    assert action.answer is None


def test_the_answer_is_what_the_marks_hold_and_the_last_one_counts() -> None:
    assert parse("<answer> 3 </answer> no: <answer>\n4\n</answer>").answer == "4"
    assert parse("<answer></answer>").answer is None
    assert parse("It is <answer>5").answer == "5"
    assert parse("It is <answer>5", finish=FinishReason.LENGTH).answer is None
    assert parse("<code>print('<answer>1</answer>')</code>").answer is None
    assert parse("<answer>1</answer> Use the <answer> mark.").answer == "1"
    assert parse("Use the <answer> mark: <answer>2</answer>").answer == "2"


def test_an_answer_that_is_never_closed_hides_no_code() -> None:
    action = parse("<answer>\n<code>print(1)</code>")
    assert [block.code for block in action.blocks] == ["print(1)"]
    assert action.answer is None


def test_a_box_inside_the_answer_marks_is_the_answer_and_no_other() -> None:
    action = parse("<answer>\\boxed{5}</answer> as opposed to \\boxed{6}")
    assert action.answer is None
    assert action.prose == "\\boxed{5}"


def test_without_marks_for_an_answer_they_are_prose() -> None:
    assert parse("<answer>5</answer>", Tags()).answer is None


def test_code_is_not_prose() -> None:
    action = parse("a <code>print('\\\\boxed{1}')</code> b")
    assert "boxed" not in action.prose
    assert action.prose.split() == ["a", "b"]


def test_code_cut_off_by_the_token_limit_is_not_run() -> None:
    for finish in (FinishReason.LENGTH, FinishReason.FILTERED, FinishReason.ABORTED):
        action = parse("<code>a = 1</code><code>print(1", finish=finish)
        assert [block.code for block in action.blocks] == ["a = 1"]
        assert action.malformed is Malformed.CUT_OFF


@pytest.mark.parametrize("text", ["<code></code>", "<code>\n</code>", "<code>\n```python\n```\n</code>"])
def test_empty_code_is_malformed(text: str) -> None:
    assert parse(text).malformed is Malformed.EMPTY


def test_mathcoders_blocks_share_one_closing_mark() -> None:
    text = "<|text|>Add.<|endofblock|><|code|>1 + 1<|endofblock|><|execution|>2<|endofblock|><|text|>Two."
    action = parse(text, MATHCODER)
    assert [block.code for block in action.blocks] == ["1 + 1"]
    assert action.prose.strip() == "Add."
    assert text[action.kept :].startswith("<|execution|>2")


def test_mints_solution_is_an_answer_and_its_observation_an_output() -> None:
    action = parse("<thought>t</thought>\n<execute>\nprint(1)\n</execute>\nObservation: 1", MINT)
    assert [block.code for block in action.blocks] == ["print(1)\n"]
    assert action.prose.strip().endswith("</thought>")
    assert parse("<solution> 40 </solution>", MINT).answer == "40"


def test_alphamaths_steps_are_unwrapped() -> None:
    text = "<step>\n<p>\nMultiply.\n</p>\n<code>\n```python\nprint(6*7)\n```\n</code>\n<output>\n42"
    action = parse(text, ALPHAMATH)
    assert [block.code for block in action.blocks] == ["print(6*7)\n"]
    assert "<p>" not in action.prose
    assert parse("<step>\n<p>\nSo.\n</p>\n<p>\nFinal Answer: $42$\n</p>\n</step>", ALPHAMATH).answer == "$42$"


def repeated(text: str) -> str:
    return text * (200_000 // len(text))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        repeated("<code>"),
        repeated("`"),
        repeated("<code>1</code>"),
        repeated("<code>#</code>"),
        repeated('<code>"</code>\\"'),
        repeated("<code>'''</code>\\'''"),
        repeated("<answer>"),
        repeated("<answer></answer>"),
        "<code>" + repeated("'</code>") + "'",
        "<code>\n```python\n" + repeated("```\n"),
    ],
)
def test_hostile_replies_are_read_in_linear_time(text: str) -> None:
    for finish in (FinishReason.STOP, FinishReason.LENGTH):
        assert parse(text, finish=finish).kept <= len(text)
