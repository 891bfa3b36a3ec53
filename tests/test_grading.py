r"""The grader, asked through every kind of sandbox: verdicts on pairs that people would agree on."""

from __future__ import annotations

from tir_agent.grades import AnswerKind, Comparison, GradingRule
from tir_agent.grading import grade_answer
from tir_agent.kernel.base import Sandbox
from tir_agent.trajectory import Verdict

CORRECT = [
    ("5", "5"),
    ("14.0", "14"),
    ("14", "14.0"),
    ("+5", "5"),
    ("−5", "-5"),
    ("7.", "7"),
    ("007", "7"),
    # Written in another way
    ("1,000", "1000"),
    ("1000", "1{,}000"),
    (r"1\,000\,000", "1000000"),
    ("$5", "5"),
    (r"\$5.00", "5"),
    ("5", r"\boxed{5}"),
    ("5", r"So the answer is $\boxed{5}$."),
    ("5", "$5$"),
    ("１２", "12"),
    ("6.02e23", r"6.02 \times 10^{23}"),
    # Fractions, roots, powers
    ("3/4", r"\frac{3}{4}"),
    (r"\dfrac{3}{4}", "0.75"),
    (r"\frac12", "0.5"),
    ("0.333333", r"\frac{1}{3}"),
    (r"-\frac{1}{2}", r"\frac{-1}{2}"),
    ("3 1/2", r"\frac{7}{2}"),
    ("sqrt(8)", r"2\sqrt{2}"),
    ("2**10", "1024"),
    ("5!", "120"),
    (r"\binom{5}{2}", "10"),
    # Percent
    (r"50\%", "50%"),
    ("50%", "0.5"),
    ("0.5", r"50\%"),
    ("12.5", r"12.5\%"),
    # Algebra
    ("x + 1", "1+x"),
    ("(x+1)^2", "x^2+2x+1"),
    ("x**2", "x²"),
    ("x = 5", "5"),
    ("5", "x=5"),
    ("y = 2x+1", "2x+1 = y"),
    ("2π/3", r"\frac{2\pi}{3}"),
    (r"\infty", "infinity"),
    # Tuples, sets, intervals, matrices
    ("(1, 2)", "(1,2)"),
    (r"\left(\frac{1}{2}, 3\right)", "(0.5, 3)"),
    ("2, 1", "1,2"),
    ("100, 200", r"\{200, 100\}"),
    (r"x = 1 \text{ or } x = 2", "1, 2"),
    ("x=1或x=2", "1,2"),
    (r"\pm 2", "2, -2"),
    (r"[1, 2)", r"1 \le x < 2"),
    ("x > 3", r"(3, \infty)"),
    (r"(0,1) \cup (2,3)", r"(2,3)\cup(0,1)"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    # Units
    ("5 cm", "5"),
    (r"5\text{ cm}^2", "5"),
    (r"864\text{ inches}^2", r"864 \mbox{ inches}^2"),
    ("5 centimeters", r"5\text{ cm}"),
    ("5 m", "5"),
    ("60 km/h", "60"),
    ("12 apples", "12"),
    ("5厘米", "5"),
    (r"90^\circ", "90 degrees"),
    (r"36\pi \text{ cm}^3", r"36\pi"),
    # Words
    ("east", r"\text{East}"),
    ("Yes", r"\text{yes}"),
    (r"\text{(C)}", "C"),
    ("偶数", r"\text{偶数}"),
    ("平行，相等", "平行,相等"),
    ("①③④", r"$\textcircled{1}\textcircled{3}\textcircled{4}$"),
    ("2516_8", "2516_{8}"),
]
WRONG = [
    ("4", "5"),
    ("-5", "5"),
    ("3.14159", r"\pi"),
    ("0.33", r"\frac{1}{3}"),
    ("(2,1)", "(1,2)"),
    ("(1,2)", "[1,2]"),
    ("1,2", "1,2,3"),
    ("1, 234", "1234"),
    ("3x", "3y"),
    ("2x+3", "2x+3t"),
    ("1", "2x+z=1"),
    ("(x+1)^2", "x^2+1"),
    ("2^{1000}", "2^{1000}+1"),
    ("1000000000000000000001", "1000000000000000000000"),
    # Known false positives of Math-Verify
    ("12_8", "12"),
    ("12", "12_8"),
    ("12_7", "12_8"),
    ("5 cm", "5 m"),
    (r"5\text{ cm}", r"5\text{ m}"),
    ("5 cm", r"5\text{ cm}^2"),
    ("0.0000001", "0.0000002"),
    ("east", "seat"),
    (r"60\%", "0.5"),
    # Words
    ("奇数", "偶数"),
    (r"\text{Alice}", "Bob"),
    ("east", "5"),
    ("5", "偶数"),
    ("B", r"\text{(C)}"),
    ("②⑥", "③④"),
    # What cannot be read is no way out
    ("", "5"),
    (r"\frac{", "5"),
    ("{{{", "5"),
    (r"\frac{0}{0}", "5"),
]
UNGRADABLE = [
    ("10^{10^{10}}", "5"),
    ("10**10**10", "5"),
    (r"9^{(9^{9})}", "5"),
    ("5", "2^{99999999}"),
    ("1000000!", "5"),
    ("((99!)!)", "5"),
    ("(" * 100 + "1" + ")" * 100, "1"),
    ("1+" * 100_000 + "1", "5"),
    ("5", r"\frac{"),
    ("5", ""),
    ("5", "   "),
]
PAIRS = [
    *((answer, gold, Verdict.CORRECT) for answer, gold in CORRECT),
    *((answer, gold, Verdict.WRONG) for answer, gold in WRONG),
    *((answer, gold, Verdict.UNGRADABLE) for answer, gold in UNGRADABLE),
]


async def test_every_pair_gets_its_verdict(sandbox: Sandbox) -> None:
    grades = await sandbox.grade_many([Comparison(answer=answer, gold=gold) for answer, gold, _ in PAIRS])
    assert [
        f"{answer[:60]!r} for {gold[:60]!r}: {grade.verdict}, {grade.reason}"
        for (answer, gold, verdict), grade in zip(PAIRS, grades, strict=True)
        if grade.verdict is not verdict
    ] == []
    assert all(grade.reason and grade.grader.startswith("math-verify ") for grade in grades)


async def test_a_grade_shows_what_was_read(sandbox: Sandbox) -> None:
    grade = await grade_answer(sandbox, r"\frac{1}{2}", "3/4")
    assert (grade.answer_parsed, grade.gold_parsed) == (("1/2",), ("3/4",))


async def test_what_is_shown_is_short(sandbox: Sandbox) -> None:
    grade = await grade_answer(sandbox, "+".join(f"x_{{{n}}}" for n in range(120)), "5")
    assert sum(map(len, grade.answer_parsed)) <= 300


async def test_an_answer_that_is_text_of_the_gold_one_is_right_however_complex(sandbox: Sandbox) -> None:
    assert (await grade_answer(sandbox, "10^{10^{10}}", "$10^{10^{10}}$")).verdict is Verdict.CORRECT


async def test_a_comparison_without_end_is_a_time_out(sandbox: Sandbox) -> None:
    grade = await grade_answer(sandbox, r"\int_0^\infty x^{x^x} dx", "5", timeout=2)
    assert grade.verdict is Verdict.TIMEOUT
    assert (await grade_answer(sandbox, "5", "5")).verdict is Verdict.CORRECT


async def test_no_answer_is_wrong(sandbox: Sandbox) -> None:
    grade = await grade_answer(sandbox, None, "5")
    assert (grade.verdict, grade.reason) == (Verdict.WRONG, "There is no answer")


async def test_a_rule_reaches_the_grader(sandbox: Sandbox) -> None:
    rule = GradingRule(kind=AnswerKind.CHOICE, choices=("10", "12"))
    assert (await grade_answer(sandbox, "12", "B", rule=rule)).verdict is Verdict.CORRECT
    assert (await grade_answer(sandbox, "12", "B")).verdict is Verdict.WRONG
    near = GradingRule(relative=0.01)
    assert (await grade_answer(sandbox, "3.15", r"\pi", rule=near)).verdict is Verdict.CORRECT


async def test_a_number_is_found_in_a_sentence_where_a_number_is_wanted(local_sandbox: Sandbox) -> None:
    rule = GradingRule(kind=AnswerKind.NUMBER)
    sentence = "Janet makes 18 dollars every day"
    assert (await grade_answer(local_sandbox, sentence, "18", rule=rule)).verdict is Verdict.CORRECT
    assert (await grade_answer(local_sandbox, sentence, "19", rule=rule)).verdict is Verdict.WRONG
    assert (await grade_answer(local_sandbox, sentence, "18")).verdict is Verdict.WRONG


async def test_letters_are_no_words_where_an_expression_is_wanted(local_sandbox: Sandbox) -> None:
    rule = GradingRule(kind=AnswerKind.EXPRESSION)
    assert (await grade_answer(local_sandbox, "True", "yes")).verdict is Verdict.CORRECT
    assert (await grade_answer(local_sandbox, "True", "yes", rule=rule)).verdict is Verdict.WRONG


async def test_no_mathematics_is_done_where_words_are_wanted(local_sandbox: Sandbox) -> None:
    rule = GradingRule(kind=AnswerKind.TEXT)
    assert (await grade_answer(local_sandbox, "The rule", "rule", rule=rule)).verdict is Verdict.CORRECT
    assert (await grade_answer(local_sandbox, "4", "2+2", rule=rule)).verdict is Verdict.WRONG
