"""`tir stats` as a user meets it: real processes, pipes and terminals."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tir_agent.cli.waterfall import bar
from tir_agent.export.manifest import Overlap, Split
from tir_agent.settings import ExportKind, ExportRecipe

from export_command import on_terminal, tir
from export_samples import labelled, pair, solution, source, write_export

DPO = ExportRecipe(kind=ExportKind.DPO)
EVIL = "x\n\x1b[31m| [bold]$y_^$ 數"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [
        pair(
            str(number),
            f"p{number // 2}",
            chosen={"model_tokens": 90, "tokens": 200 + number, "errors": number % 2, "reward": 0.5},
            rejected={"arm": "large", "cells": 0},
            margin=0.5,
        )
        for number in range(30)
    ]
    split = {Split.TRAIN: rows[:24], Split.VALIDATION: rows[24:]}
    problems: list[Any] = [
        {"id": "p0", "right": 1, "wrong": 3},
        {"id": "not in the set", "right": 4, "wrong": 0},
    ]
    return write_export(tmp_path / "pairs", split, recipe=DPO, problems=problems)


def test_a_set_is_shown_as_aligned_text(pairs: Path) -> None:
    ran = tir("stats", pairs)
    assert ran.status == 0, ran.err
    assert ran.out.startswith("pairs: dpo for trl\n")
    assert ran.row("train", "24")[2:] == ["12", "7,476", "3,600"]
    assert ran.row("guess_after_error")[1:] == ["trajectories", "3", "2", "7"]
    assert ran.row("with right and wrong trajectories")[1:] == ["3", "50.0 %"]
    assert ran.row("train", "chosen", "tokens")[3:] == ["24", "212", "200", "211", "222", "223", "5,076"]
    assert ran.row("validation", "chosen longer")[2:] == ["6", "100.0 %"]
    assert ran.row("train", "chosen", "100.0 %")[3:] == ["1.00", "1", "12", "50.0 %", "50.0 %"]
    assert ran.row("train", "rejected", "large")[3:] == ["24", "100.0 %"]
    assert ran.row("train", "examples of a problem")[2:4] == ["12", "2"]
    assert ran.row("train", "pass rate, all problems of the split")[2:4] == ["2", "0.625"]
    assert ran.row("train", "margin")[2:4] == ["24", "0.5"]
    assert "train: the chosen one is the longer in 100.0 % of the pairs" in ran.out
    assert "turns of the prefix" not in ran.out
    assert "\x1b" not in ran.out
    assert "█" not in ran.out
    assert ran.out == tir("stats", pairs, COLUMNS="30").out
    assert not [line for line in ran.out.splitlines() if line != line.rstrip()]


def test_on_a_terminal_the_waterfall_has_bars(pairs: Path) -> None:
    lines = on_terminal(120, "stats", pairs)
    (read,) = (line for line in lines if line.startswith("read") and "trajectories" in line)
    (late,) = (line for line in lines if line.startswith("guess_after_error"))
    assert read.endswith("█" * 24)
    assert late.endswith(bar(7, 12))
    assert late.count("█") == 14


@pytest.mark.parametrize("columns", [20, 50, 79])
def test_a_narrow_terminal_has_no_bars_and_figures_stay_whole(pairs: Path, columns: int) -> None:
    lines = on_terminal(columns, "stats", pairs)
    assert not any("█" in line for line in lines)
    if columns == 79:
        assert max(map(len, lines)) <= columns
        assert any(line.startswith("guess_after_error") and line.endswith("7") for line in lines)


def test_bars_are_in_proportion() -> None:
    assert bar(0, 10) == "·" * 24
    assert bar(10, 10) == "█" * 24
    assert bar(1, 192).startswith("▏·")
    assert bar(3, 0) == "·" * 24
    assert {len(bar(value, 97)) for value in range(98)} == {24}


def test_the_figures_are_json(pairs: Path) -> None:
    ran = tir("stats", pairs, "--json")
    content = json.loads(ran.out)
    assert content["manifest"]["waterfall"]["read"] == 12
    assert content["splits"][0]["longer"] == {"chosen": 24, "rejected": 0, "equal": 0}
    assert content["splits"][1]["parts"][0]["tokens"]["median"] == 226
    assert ran.err == ""


def test_other_kinds_and_empty_sets_are_shown(tmp_path: Path) -> None:
    kto = ExportRecipe(kind=ExportKind.KTO)
    rows = [labelled(str(n), n < 2, "問題") for n in range(3)]
    ran = tir("stats", write_export(tmp_path / "k", {Split.TRAIN: rows}, recipe=kto))
    assert ran.row("train", "desirable", "2")[3] == "66.7 %"
    assert "Arms" not in ran.out
    ran = tir("stats", write_export(tmp_path / "empty", {Split.TRAIN: []}), "--verify")
    assert ran.status == 0, ran.err
    assert "sound" in ran.err
    assert "The set is empty: the waterfall says why" in ran.out


def test_damage_is_told_and_fails(pairs: Path) -> None:
    assert tir("stats", pairs, "--verify").status == 0
    path = pairs / "jsonl" / "train.jsonl"
    path.write_text(path.read_text().replace("\\\\boxed{7}", "\\\\boxed{9}", 1))
    assert tir("stats", pairs).status == 0
    ran = tir("stats", pairs, "--verify")
    assert ran.status == 1
    assert ran.err == "jsonl/train.jsonl: its checksum differs from the one in export.json\n"
    assert ran.out == ""
    with path.open("a") as file:
        file.write("garbage\x1b[31m\n")
    ran = tir("stats", pairs)
    assert ran.status == 2
    assert "is damaged: jsonl/train.jsonl, line 25: " in ran.err
    assert "hint: tir stats --verify" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "There is no nowhere"),
        (["."], "is not an export: it has no export.json"),
        (["nowhere", "--plot", "x.pdf"], "x.pdf ends neither in .png nor in .svg"),
    ],
)
def test_a_mistake_gets_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = tir("stats", *arguments)
    assert ran.status == 2
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("form", ["png", "SVG"])
def test_the_plot_is_a_picture(pairs: Path, tmp_path: Path, form: str) -> None:
    path = tmp_path / "new" / f"plot.{form}"
    ran = tir("stats", pairs, "--plot", path)
    assert ran.status == 0, ran.err
    assert ran.err == ""
    if form == "SVG":
        root = ET.parse(path).getroot()
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 10
        first = path.read_bytes()
        tir("stats", pairs, "--plot", path)
        assert path.read_bytes() == first
        return
    from PIL import Image

    with Image.open(path) as image:
        assert min(image.size) > 400
        assert len(image.convert("RGB").getcolors(2**24) or ()) > 10


def test_a_plot_that_cannot_be_written_is_said_so(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = tir("stats", pairs, "--plot", tmp_path / "file" / "x.png")
    assert ran.status == 1
    assert "Cannot write " in ran.err


def test_names_of_others_break_no_table_and_no_plot(tmp_path: Path) -> None:
    rows: list[Any] = [solution(EVIL, EVIL, arm=EVIL), solution("b", arm="b")]
    made = source(name=EVIL, models=(EVIL,))
    overlap = Overlap(problem=EVIL, benchmark=EVIL, line=EVIL, shared=EVIL)
    folder = write_export(
        tmp_path / "[red]$x_^$", {Split.TRAIN: rows}, sources=(made,), overlaps=(overlap,), token_count=EVIL
    )
    for path in ("a.png", "a.svg"):
        ran = tir("stats", folder, "--plot", tmp_path / path)
        assert ran.status == 0, ran.err
        assert ran.err == ""
    assert "\x1b" not in ran.out
    assert ran.row("train", "solutions", "x | [bold]$y_^$ 數")[3] == "1"
    assert tir("stats", folder, "--verify").status == 0
