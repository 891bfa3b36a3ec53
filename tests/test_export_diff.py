"""Two exports beside each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tir_agent.errors import DataError
from tir_agent.export.accounts import FieldDiff
from tir_agent.export.diff import ExportDiff, diff
from tir_agent.export.manifest import Split, Stage, Unit
from tir_agent.export.reading import ExportReader
from tir_agent.settings import Dialect, ExportKind, ExportRecipe, FilterSettings
from tir_agent.trajectory import PromptIdentity

from export_command import tir
from export_samples import FALL, pair, solution, source, write_export

TRAIN, VALIDATION = Split.TRAIN, Split.VALIDATION


def compared(a: Path, b: Path, show: int = 10) -> ExportDiff:
    return diff(ExportReader.open(a), ExportReader.open(b), show=show)


def made(tmp_path: Path, name: str, rows: Any, **changes: Any) -> Path:
    return write_export(tmp_path / name, rows, tables=False, **changes)


def test_an_export_equals_itself_in_any_order(tmp_path: Path) -> None:
    rows = [solution("a"), solution("b"), solution("c", "p1")]
    a = made(tmp_path, "a", {TRAIN: rows})
    b = made(tmp_path, "b", {TRAIN: rows[::-1]}, tir_agent="9.9")
    found = compared(a, b)
    assert found.equal
    assert (found.both, found.problems_both) == (3, 2)
    assert not compared(a, made(tmp_path, "c", {TRAIN: rows[:2]})).equal


def test_examples_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    a = made(
        tmp_path,
        "a",
        {
            TRAIN: [solution("a"), solution("same", "p1"), solution("other", "p2"), solution("x", "p5")],
            VALIDATION: [solution("moves", "p3")],
        },
    )
    b = made(
        tmp_path,
        "b",
        {
            TRAIN: [
                solution("moves", "p3"),
                solution("b1"),
                solution("b2"),
                solution("same", "p1"),
                solution("other", "p2", tokens=7),
            ],
            VALIDATION: [solution("y", "p6")],
        },
    )
    found = compared(a, b, show=1)
    assert not found.equal
    assert (found.rows_a, found.rows_b, found.both) == (5, 6, 3)
    assert (found.only_a.count, [one.id for one in found.only_a.first]) == (2, ["a"])
    assert (found.only_b.count, [one.id for one in found.only_b.first]) == (3, ["b1"])
    assert found.only_b.first[0].problem == "p0"
    assert [one.id for one in found.changed.first] == ["other"]
    assert found.changed.count == 1
    assert [one.id for one in found.moved.first] == ["moves"]
    assert [one.id for one in found.other_trajectories.first] == ["p0"]
    assert found.other_trajectories.count == 1
    assert [one.id for one in found.crossed.first] == ["p3"]
    assert (found.problems_a, found.problems_b, found.problems_both) == (5, 5, 4)


def test_pairs_of_the_same_trajectories_the_other_way_round_are_others(tmp_path: Path) -> None:
    one = pair("a", chosen={"trajectory": "t"}, rejected={"trajectory": "u"})
    other = pair("b", chosen={"trajectory": "u"}, rejected={"trajectory": "t"})
    recipe = ExportRecipe(kind=ExportKind.DPO)
    a = made(tmp_path, "a", {TRAIN: [one]}, recipe=recipe)
    assert compared(a, made(tmp_path, "b", {TRAIN: [other]}, recipe=recipe)).other_trajectories.count == 1
    again = made(tmp_path, "c", {TRAIN: [one | {"id": "c"}]}, recipe=recipe)
    assert compared(a, again).other_trajectories.count == 0
    assert compared(a, again).only_a.count == 1


def test_a_problem_of_both_splits_is_not_one_of_either(tmp_path: Path) -> None:
    both = made(tmp_path, "a", {TRAIN: [solution("a")], VALIDATION: [solution("b")]})
    one = made(tmp_path, "b", {VALIDATION: [solution("a"), solution("b")]})
    assert compared(both, one).crossed.count == 1
    assert compared(both, both).crossed.count == 0


def test_an_example_that_is_there_twice_is_a_difference(tmp_path: Path) -> None:
    a = made(tmp_path, "a", {TRAIN: [solution("a"), solution("a")]})
    b = made(tmp_path, "b", {TRAIN: [solution("a")]})
    for one, other in [(a, b), (b, a)]:
        found = compared(one, other)
        assert not found.equal
        assert (found.both, found.only_a.count, found.only_b.count) == (1, 0, 0)


def test_the_recipe_is_compared_field_by_field(tmp_path: Path) -> None:
    rows = {TRAIN: [solution("a")]}
    recipe = ExportRecipe(
        kind=ExportKind.SFT, seed=3, filters=FilterSettings(last_error=False, max_tokens=9), licence="mit"
    )
    found = compared(made(tmp_path, "a", rows), made(tmp_path, "b", rows, recipe=recipe))
    assert found.recipe == (
        FieldDiff(field="seed", a=0, b=3),
        FieldDiff(field="filters.last_error", a=True, b=False),
        FieldDiff(field="filters.max_tokens", a=None, b=9),
        FieldDiff(field="licence", a=None, b="mit"),
    )
    assert not found.equal


def test_waterfalls_stand_side_by_side(tmp_path: Path) -> None:
    rows = {TRAIN: [solution("a")]}
    more = Stage(name="last_error", unit=Unit.TRAJECTORIES, dropped=1, left=6)
    stages = (FALL.stages[0], FALL.stages[1], more, FALL.stages[2])
    fall = FALL.model_copy(update={"stages": stages})
    a, b = made(tmp_path, "a", rows), made(tmp_path, "b", rows, waterfall=fall)
    for found in (compared(a, b), compared(b, a)):
        names = ["failures", "guess_after_error", "last_error", "pairing"]
        assert [one.name for one in found.waterfall] == names
        assert not found.equal
    assert (found.waterfall[2].dropped_a, found.waterfall[2].dropped_b) == (1, None)


def test_what_they_were_made_with_is_compared(tmp_path: Path) -> None:
    rows = {TRAIN: [solution("a")]}
    other = source(
        graders=("math-verify 0.9", "own"), prompts=(PromptIdentity(name="tir", sha256="00" * 32),)
    )
    found = compared(made(tmp_path, "a", rows), made(tmp_path, "b", rows, sources=(source(), other)))
    assert [(one.what, one.only_a, one.only_b) for one in found.members] == [
        ("prompts", (), (f"tir {'00' * 32}",)),
        ("graders", (), ("own",)),
    ]


def test_of_other_dialects_only_ids_are_compared(tmp_path: Path) -> None:
    a = made(tmp_path, "a", {TRAIN: [solution("a")]})
    recipe = ExportRecipe(kind=ExportKind.SFT, dialect=Dialect.TRL_TEXT)
    found = compared(a, made(tmp_path, "b", {TRAIN: [{"text": "x", "id": "a"}]}, recipe=recipe))
    assert (found.both, found.changed.count) == (1, 0)


def test_rows_without_ids_are_compared_by_what_they_hold(tmp_path: Path) -> None:
    recipe = ExportRecipe(kind=ExportKind.SFT, dialect=Dialect.MESSAGES)
    rows: list[Any] = [{"messages": [{"role": "user", "content": str(number)}]} for number in range(3)]
    a = made(tmp_path, "a", {TRAIN: rows}, recipe=recipe)
    assert compared(a, made(tmp_path, "b", {TRAIN: rows[::-1]}, recipe=recipe)).equal
    found = compared(a, made(tmp_path, "c", {TRAIN: rows[:2]}, recipe=recipe))
    assert (found.both, found.only_a.count, found.problems_both) == (2, 1, 0)


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    a = made(tmp_path, "a", {TRAIN: [solution("a")]})
    b = made(tmp_path, "b", {TRAIN: [solution("a")]})
    (b / "jsonl" / "train.jsonl").write_text("garbage\n")
    with pytest.raises(DataError, match="line 1"):
        compared(a, b)


def test_the_command_says_what_differs(tmp_path: Path) -> None:
    a = made(tmp_path, "a", {TRAIN: [solution("a"), *(solution(f"n{n}", "數") for n in range(5))]})
    b = made(
        tmp_path,
        "b",
        {TRAIN: [solution("a"), solution("evil\x1b[31m\n|")], VALIDATION: [solution("v", "數")]},
        recipe=ExportRecipe(kind=ExportKind.SFT, seed=1),
        sources=(source(graders=("own",)),),
    )
    ran = tir("diff", a, b, "--show", 2)
    assert ran.status == 1, ran.err
    assert ran.row("examples")[1:] == ["6", "3", "1"]
    assert ran.row("seed")[1:] == ["0", "1"]
    assert ran.row("graders", "own")[2] == "b"
    assert ran.row("guess_after_error")[1:] == ["trajectories", "3", "3", "7", "7"]
    assert "Only in a: 5" in ran.out
    assert ran.row("n1")[1] == "數"
    assert "n2" not in ran.out
    assert "And 3 more: --show 5 names all." in ran.out
    assert ran.row("evil |")[1] == "p0"
    assert "Problems that one trains on and the other validates with: 1" in ran.out
    assert "\x1b" not in ran.out
    content = json.loads(tir("diff", a, b, "--json").out)
    assert content["equal"] is False
    assert content["only_a"]["count"] == 5
    none = tir("diff", a, b, "--show", 0)
    assert "Only in a: 5" in none.out
    assert "n0" not in none.out


def test_the_command_says_that_they_are_equal(tmp_path: Path) -> None:
    rows = {TRAIN: [solution("a")]}
    a, b = made(tmp_path, "a", rows), made(tmp_path / "x", "a", rows, tir_agent="9.9")
    ran = tir("diff", a, b)
    assert ran.status == 0, ran.err
    assert "The two are equal" in ran.out
    assert "Written by tir-agent 1.2.3 and 9.9" in ran.out
    assert ran.row("", "A", "B") == ["", "A", "B", "in both"]
    assert f"A is {a}, B is {b}" in ran.out
    assert max(len(line) for line in ran.out.splitlines() if " is " not in line) < 80


@pytest.mark.parametrize("arguments", [["a", "nowhere"], ["a"], ["a", "a", "--show", "-1"]])
def test_a_mistake_has_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    made(tmp_path, "a", {TRAIN: [solution("a")]})
    monkeypatch.chdir(tmp_path)
    assert tir("diff", *arguments).status == 2
