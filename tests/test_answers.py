r"""The last box of a reply, as LaTeX reads it, and in time on hostile text."""

from __future__ import annotations

import random
import time

import pytest

from tir_agent.answers import extract_answer

FOUND = [
    # Plain
    (r"\boxed{7}", "7"),
    (r"Thus $x = \boxed{7}$, as was to be shown.", "7"),
    ("\\boxed{\n  7\n}", "7"),
    (r"\boxed {7}", "7"),
    (r"\fbox{7}", "7"),
    # The last one counts
    (r"\boxed{1} and \boxed{2}", "2"),
    (r"\boxed{1}, so \fbox{2}.", "2"),
    (r"\boxed{x = \boxed{5}}", "5"),
    # Braces
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{\sqrt{\frac{a^{2}}{b_{1}}}}", r"\sqrt{\frac{a^{2}}{b_{1}}}"),
    (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"\boxed{\left\{x : x > 1\right.}", r"\left\{x : x > 1\right."),
    (r"\boxed{\}}", r"\}"),
    (r"\boxed{a \\{b}}", r"a \\{b}"),
    (r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    (r"a stray } and \boxed{7} and }", "7"),
    (r"a stray { and \boxed{7}", "7"),
    # As models write them
    (r"\\boxed{7}", "7"),
    (r"a line\\\boxed{7}", "7"),
    # Not closed
    (r"\boxed{1} or rather \boxed{2", "1"),
    (r"\boxed{1 or rather \boxed{2}", "2"),
    # Empty
    (r"\boxed{7} in \boxed{} as you said", "7"),
    (r"\boxed{7} in \boxed{\boxed{ }} as you said", "7"),
    (r"\boxed{7} in \boxed{$$}", "7"),
    # Without braces
    (r"\boxed 7", "7"),
    (r"$\boxed7$", "7"),
    (r"\boxed 12, which", "12"),
    (r"\boxed -3.5.", "-3.5"),
    (r"\boxed 1,000.", "1,000"),
    (r"$\boxed x$", "x"),
    (r"\boxed C.", "C"),
    (r"\boxed\pi", r"\pi"),
    (r"\boxed\frac{1}{2}", r"\frac{1}{2}"),
    (r"\boxed\frac12 x", r"\frac12"),
    (r"\boxed \frac 1 {2} is it", r"\frac 1 {2}"),
    (r"\boxed\sqrt2", r"\sqrt2"),
    (r"\boxed\sqrt[3]{2}+1", r"\sqrt[3]{2}"),
    (r"\boxed\text{east} of it", "east"),
    # Wrappers around all of it, and only those
    (r"\boxed{$5$}", "5"),
    (r"\boxed{$$5$$}", "5"),
    (r"\boxed{\(5\)}", "5"),
    (r"\boxed{\text{east}}", "east"),
    (r"\boxed{\text{ $5$ }}", "5"),
    (r"\boxed{\textbf{(C)}}", "(C)"),
    (r"\boxed{5\text{ cm}}", r"5\text{ cm}"),
    (r"\boxed{\text{a} + \text{b}}", r"\text{a} + \text{b}"),
    (r"\boxed{$5$ or $6$}", "$5$ or $6$"),
    (r"\boxed{\$5}", r"\$5"),
    (r"\boxed{$5}", "$5"),
    # Any script
    (r"答案是\boxed{偶数}。", "偶数"),
]
NOT_FOUND = [
    "",
    "The answer is 7.",
    r"\boxed{7",
    r"\boxed{\frac{1}{2}",
    r"\boxed{7\}",
    r"\boxed{}",
    r"\boxed{ }",
    r"\boxed{\boxed{}}",
    r"\boxed{\text{}}",
    r"\boxed",
    r"Put it in \boxed.",
    r"Put it in \boxed and be done.",
    r"Put it in a \boxed environment.",
    r"\boxedin{7}",
    r"boxed{7}",
    r"\boxed\left(1, 2\right)",
    r"\boxed\frac",
    r"\boxed\frac{1}{2",
    "\\boxed\\",
]


@pytest.mark.parametrize(("text", "answer"), FOUND)
def test_found(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize("text", NOT_FOUND)
def test_not_found(text: str) -> None:
    assert extract_answer(text) is None


@pytest.mark.parametrize(("text", "answer"), FOUND)
def test_boxing_an_answer_again_changes_nothing(text: str, answer: str) -> None:
    assert extract_answer(f"{text} so $\\boxed{{{answer}}}$ it is") == answer


@pytest.mark.parametrize(
    "piece",
    [
        r"\boxed{", r"\boxed", r"\boxed ", r"\boxed\frac", r"\boxed\frac{", r"\boxed\sqrt[", "{", "}", "\\",
        "$", r"\boxed{}", r"\boxed{ {", r"\boxed{\text{", r"\text{", r"\boxed 1,", r"\boxed a", "\\boxed\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["", "}", "nested"])
def test_hostile_text_takes_no_time(piece: str, ending: str) -> None:
    count = 200_000 // len(piece)
    text = piece * count + ("}" * count * piece.count("{") if ending == "nested" else ending)
    started = time.perf_counter()
    extract_answer(text)
    extract_answer(r"\boxed{" + text + "}")
    assert time.perf_counter() - started < 2


def test_random_text_never_raises_and_answers_are_balanced() -> None:
    pieces = [
        "\\boxed",
        "\\fbox",
        "\\frac",
        "\\text",
        "{",
        "}",
        "\\{",
        "\\",
        "$",
        " ",
        "[",
        "]",
        "1",
        "x",
        "\n",
    ]
    dice = random.Random(0)
    for _ in range(5_000):
        text = "".join(dice.choices(pieces, k=dice.randrange(25)))
        answer = extract_answer(text)
        if answer is not None:
            assert answer
            assert answer == answer.strip()
            assert answer in text
