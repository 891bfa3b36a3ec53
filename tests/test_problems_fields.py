"""Which field is what: the shapes that data sets have, ids, choices, golds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tir_agent.errors import DataError
from tir_agent.grades import AnswerKind
from tir_agent.problems import ProblemSet, load_problems, problem_from_text
from tir_agent.settings import FieldMap, GoldForm, ProblemSource

Rows = list[dict[str, object]]


def load(folder: Path, rows: Rows, **fields: object) -> ProblemSet:
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_problems(ProblemSource(path=str(path), fields=FieldMap.model_validate(fields)))


USER = {"role": "user", "content": "1 + 1?"}
WORKED = "First this.\n" * 40

SHAPES: dict[str, tuple[dict[str, object], str, str | None]] = {
    "gsm8k": ({"question": "1 + 1?", "answer": "It is <<1+1=2>>2\n#### 1,002"}, "1 + 1?", "1002"),
    "math": ({"problem": "1 + 1?", "solution": r"So \boxed{\frac{4}{2}}."}, "1 + 1?", r"\frac{4}{2}"),
    "math-500": (
        {"problem": "1 + 1?", "solution": r"\boxed{1}", "answer": r"\text{two}", "unique_id": "test/1.json"},
        "1 + 1?",
        r"\text{two}",
    ),
    "aime": ({"ID": "2024-I-1", "Problem": "1 + 1?", "Solution": "So 2", "Answer": 2}, "1 + 1?", "2"),
    "svamp": ({"Body": "One and one.", "Question": "Sum?", "Answer": 145.0}, "One and one. Sum?", "145"),
    "mawps": ({"input": "1 + 1?", "target": 14.0}, "1 + 1?", "14"),
    "short float": ({"problem": "1 / 10?", "answer": 0.1}, "1 / 10?", "0.1"),
    "numina": (
        {"source": "x", "problem": "1 + 1?", "solution": r"\boxed{2}", "messages": [USER]},
        "1 + 1?",
        "2",
    ),
    "agieval": (
        {"passage": "One.", "question": "Sum?", "options": None, "answer": "$5$;$10$"},
        "One. Sum?",
        "$5$;$10$",
    ),
    "verl": (
        {
            "data_source": "x",
            "prompt": [{"role": "system", "content": "be brief"}, USER],
            "reward_model": {"style": "rule", "ground_truth": "2"},
            "extra_info": {"index": 0, "answer": WORKED},
        },
        "1 + 1?",
        "2",
    ),
    "messages": (
        {"messages": [USER, {"role": "assistant", "content": r"It is \boxed{2}"}]},
        "1 + 1?",
        "2",
    ),
    "message parts": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "1 + 1?"}]}], "answer": "2"},
        "1 + 1?",
        "2",
    ),
    "sharegpt": (
        {"conversations": [{"from": "human", "value": "1 + 1?"}, {"from": "gpt", "value": r"\boxed{2}"}]},
        "1 + 1?",
        "2",
    ),
    "alpaca": ({"instruction": "Add.", "input": "1 + 1", "output": "2"}, "Add. 1 + 1", "2"),
    "list of one": ({"question": "1 + 1?", "final_answer": ["$2$"], "solution": ["long"]}, "1 + 1?", "$2$"),
    "row of the hub's viewer": ({"row_idx": 0, "row": {"question": "1 + 1?", "answer": "2"}}, "1 + 1?", "2"),
    "answer itself": ({"problem": "1 + 1?", "answer": "#### 3", "final_answer": "2"}, "1 + 1?", "2"),
    "boxed without braces": ({"problem": "1 + 1?", "solution": r"so $\boxed 2$."}, "1 + 1?", "2"),
    "framed": ({"problem": "1 + 1?", "solution": r"so $\framebox{204}$."}, "1 + 1?", "204"),
    "text alone": ({"text": "1 + 1?", "label": True}, "1 + 1?", None),
}


@pytest.mark.parametrize("name", SHAPES)
def test_fields_are_guessed(name: str, tmp_path: Path) -> None:
    row, text, gold = SHAPES[name]
    (problem,) = load(tmp_path, [row]).problems
    assert (problem.text, problem.gold) == (text, gold)


LETTERS: dict[str, dict[str, object]] = {
    "mmlu": {"question": "2?", "subject": "s", "choices": ["one", "two", "three"], "answer": 1},
    "aqua": {"question": "2?", "options": ["A)one", "B)two", "C)three"], "rationale": WORKED, "correct": "B"},
    "agieval": {"question": "2?", "options": ["(A)one", "(B)two", "(C)three"], "label": "B", "answer": None},
    "arc": {
        "question": "2?",
        "choices": {"text": ["one", "two", "three"], "label": ["1", "2", "3"]},
        "answerKey": "2",
    },
    "letters": {"question": "2?", "A": "one", "B": "two", "C": "three", "answer": "B"},
    "named letters": {
        "question": "2?",
        "option_a": "one",
        "option_b": "two",
        "option_c": "three",
        "answer": "B",
    },
    "mapping": {"question": "2?", "options": {"A": "one", "B": "two", "C": "three"}, "answer": "b"},
    "pairs": {
        "question": "2?",
        "options": [{"key": "A", "text": "one"}, {"key": "B", "text": "two"}, {"key": "C", "text": "three"}],
        "answer": "(B)",
    },
    "one text": {"Problem": "2?", "options": "a ) one , b ) two , c ) three", "correct": "b"},
    "worked": {"question": "2?", "options": ["one", "two", "three"], "solution": r"A. No. \boxed{B}"},
    "label": {"question": "2?", "options": ["one", "two", "three"], "label": "B", "solution": r"\boxed{2x}"},
    "content": {"question": "2?", "choices": ["one", "two", "three"], "answer": "two"},
    "letter and content": {"question": "2?", "choices": ["one", "two", "three"], "answer": "B. two"},
}


@pytest.mark.parametrize("name", LETTERS)
def test_the_gold_of_a_multiple_choice_row_is_a_letter(name: str, tmp_path: Path) -> None:
    (problem,) = load(tmp_path, [LETTERS[name]]).problems
    assert problem.text == "2?\n(A) one\n(B) two\n(C) three"
    assert problem.gold == "B"
    assert problem.rule.kind is AnswerKind.CHOICE
    assert problem.rule.choices == ("one", "two", "three")


def test_choices_that_stand_in_the_text_are_not_laid_out_again(tmp_path: Path) -> None:
    text = r"Two? $\textbf{(A)}\ one \qquad \textbf{(B)}\ two$"
    (problem,) = load(tmp_path, [{"problem": text, "choices": ["one", "two"], "answer": "B"}]).problems
    assert problem.text == text
    assert problem.rule.choices == ("one", "two")


def test_numbers_of_choices_are_counted_from_where_the_data_set_does(tmp_path: Path) -> None:
    rows: Rows = [{"question": f"q{n}", "choices": ["x", "y"], "answer": n} for n in (1, 2)]
    assert [problem.gold for problem in load(tmp_path, rows).problems] == ["A", "B"]
    rows = [{"question": f"q{n}", "choices": ["x", "y"], "answer": str(n)} for n in (0, 1)]
    assert [problem.gold for problem in load(tmp_path, rows).problems] == ["A", "B"]
    rows = [{"question": "q", "choices": ["5", "7"], "answer": 7}]
    assert [problem.gold for problem in load(tmp_path, rows).problems] == ["B"]


def test_several_right_choices_are_several_letters_and_a_wrong_one_is_a_fault(tmp_path: Path) -> None:
    rows: Rows = [
        {"question": "a", "choices": ["x", "y", "z"], "answer": ["A", "C"]},
        {"question": "b", "choices": ["x", "y", "z"], "answer": "AC"},
        {"question": "c", "choices": ["x", "y", "z"], "answer": "F"},
        {"question": "d", "choices": None, "answer": "4"},
    ]
    found = load(tmp_path, rows)
    assert [problem.gold for problem in found.problems] == ["A, C", "A, C", None, "4"]
    assert found.problems[3].rule.kind is AnswerKind.AUTO
    assert found.faults == (("a.jsonl:3", "The gold answer in answer is none of the choices"),)


def test_what_was_guessed_is_told_in_three_lines(tmp_path: Path) -> None:
    found = load(tmp_path, [{"question": "a", "answer": "x\n#### 2", "id": 7, "level": 3}])
    assert list(found.guess.lines()) == [
        "text: question (by its name)",
        "gold: answer, behind #### (by its name, and so in 1 of the first 1)",
        "id: id; level: level",
    ]
    (second,) = [line for line in load(tmp_path, [{"text": "a"}]).guess.lines() if "gold" in line]
    assert "--field gold=NAME" in second


def test_what_the_user_says_wins(tmp_path: Path) -> None:
    row: dict[str, object] = {
        "problem": "no",
        "answer": "no",
        "mine": {"q": "yes?", "a": r"\boxed{3} #### 4"},
    }
    (problem,) = load(tmp_path, [row], text=["mine.q"], gold="mine.a", gold_form="boxed").problems
    assert (problem.text, problem.gold) == ("yes?", "3")
    (problem,) = load(tmp_path, [row], text=["mine.q", "problem"], gold="mine.a", level="answer").problems
    assert (problem.text, problem.gold, problem.level) == ("yes? no", "4", "no")
    (problem,) = load(tmp_path, [row], gold="mine.a", gold_form=GoldForm.PLAIN).problems
    assert problem.gold == r"\boxed{3} #### 4"


def test_a_field_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no field 'q', named for the text") as caught:
        load(tmp_path, [{"a": "b", "c": {"d": 1}}], text=["q"])
    assert caught.value.hint == "The fields are: a, c, c.d"
    with pytest.raises(DataError, match="looks like the text") as caught:
        load(tmp_path, [{"a": "b", "c": {"d": 1}}])
    assert caught.value.hint == "The fields are: a, c, c.d. Name one: --field text=NAME"


def test_ids_are_the_data_sets_own_where_they_tell_its_problems_apart(tmp_path: Path) -> None:
    rows: Rows = [{"id": n, "problem": f"p{n}", "answer": "1"} for n in (3, 5)]
    assert [problem.id for problem in load(tmp_path, rows).problems] == ["3", "5"]
    same = load(tmp_path, [*rows, {"id": 5, "problem": "p7", "answer": "1"}])
    assert [problem.id for problem in same.problems] == [
        problem_from_text(text).id for text in ("p3", "p5", "p7")
    ]
    assert "id: made of the text (id is not a row's alone)" in list(same.guess.lines())
    lacking = load(tmp_path, [*rows, {"problem": "p7", "answer": "1"}])
    assert "id: made of the text (id is not in every row)" in list(lacking.guess.lines())


def test_an_id_does_not_depend_on_the_rows_beside_it_where_a_row_comes_twice(tmp_path: Path) -> None:
    row: dict[str, object] = {"id": "x", "problem": "p", "answer": "1"}
    assert [problem.id for problem in load(tmp_path, [row, row]).problems] == ["x"]


def test_ids_that_the_user_wants_are_made_unique(tmp_path: Path) -> None:
    rows: Rows = [{"n": n, "problem": f"p{i}"} for i, n in enumerate(["a", "a", "a-2", "a", None])]
    found = load(tmp_path, rows, id="n")
    assert [problem.id for problem in found.problems] == [
        "a",
        "a-3",
        "a-2",
        "a-4",
        problem_from_text("p4").id,
    ]
    assert [fault.where for fault in found.faults] == ["a.jsonl:2", "a.jsonl:4", "a.jsonl:5"]


def test_the_same_text_with_other_choices_is_another_problem(tmp_path: Path) -> None:
    rows: Rows = [{"question": "Which?", "choices": pair, "answer": 0} for pair in (["a", "b"], ["c", "d"])]
    assert len({problem.id for problem in load(tmp_path, rows).problems}) == 2


def test_duplicates_are_dropped_and_conflicts_called_out(tmp_path: Path) -> None:
    rows: Rows = [
        {"problem": "p", "answer": "1"},
        {"problem": " p ", "answer": 1.0},
        {"problem": "p", "answer": "2"},
        {"problem": "", "answer": "3"},
        {"problem": "q", "answer": None},
    ]
    found = load(tmp_path, rows)
    assert [(problem.text, problem.gold) for problem in found.problems] == [("p", "1"), ("q", None)]
    assert found.faults == (
        ("a.jsonl:2", "It is the same problem as a.jsonl:1"),
        (
            "a.jsonl:3",
            "It conflicts with a.jsonl:1: the same problem, whose gold answer is '1' there and '2' here; "
            "the first was kept",
        ),
        ("a.jsonl:4", "The problem is empty"),
        ("a.jsonl:5", "There is no gold answer in answer"),
    )
    assert (found.counts.rows, found.counts.problems) == (5, 2)


def test_the_digest_is_of_ids_texts_golds_and_rules(tmp_path: Path) -> None:
    row: dict[str, object] = {"id": 1, "problem": "p", "answer": "1", "level": 1}
    first = load(tmp_path, [row]).digest
    assert load(tmp_path, [{**row, "level": 2}]).digest == first
    for change in ({"id": 2}, {"problem": "q"}, {"answer": "2"}, {"choices": ["1", "2"]}):
        assert load(tmp_path, [{**row, **change}]).digest != first
