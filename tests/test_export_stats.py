"""An export is read back, counted and checked."""

from __future__ import annotations

import json
import random
import statistics
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tir_agent.errors import DataError, UsageError
from tir_agent.export.histogram import Histogram
from tir_agent.export.manifest import Split, Stage, Unit
from tir_agent.export.reading import ExportReader
from tir_agent.export.stats import Part, PartFigures, SplitFigures, stats
from tir_agent.export.verify import verify
from tir_agent.settings import Balance, Dialect, ExportKind, ExportRecipe

from export_samples import FALL, labelled, pair, solution, write_export

DPO = ExportRecipe(kind=ExportKind.DPO)
KTO = ExportRecipe(kind=ExportKind.KTO)


def figures(folder: Path) -> SplitFigures:
    return stats(ExportReader.open(folder)).splits[0]


def part(found: SplitFigures, wanted: Part) -> PartFigures:
    return next(one for one in found.parts if one.part is wanted)


def faults(folder: Path) -> list[str]:
    return [str(fault) for fault in verify(ExportReader.open(folder))]


def test_a_histogram_has_the_quantiles_of_the_sorted_values() -> None:
    chance = random.Random(1)
    for values in (
        [chance.randrange(5_000) for _ in range(999)],
        [7],
        [0, 0, 0],
        [chance.randrange(-50, 50) for _ in range(20)],
    ):
        histogram = Histogram()
        for value in values:
            histogram.add(value)
        histogram.add(None)
        found = histogram.spread()
        assert found is not None
        ordered = sorted(values)
        assert found.count == len(values)
        assert found.mean == pytest.approx(statistics.fmean(values))
        assert found.median == ordered[(len(values) - 1) // 2]
        assert found.p95 == ordered[max(0, -(-95 * len(values) // 100) - 1)]
        assert (found.least, found.most) == (ordered[0], ordered[-1])
        assert 1 <= len(found.bins) <= 26
        assert sum(one.count for one in found.bins) == len(values)
        for one in found.bins:
            assert one.count == sum(one.low <= value < one.high for value in values)


def test_a_histogram_of_rewards_is_right_to_three_digits_and_stays_small() -> None:
    chance = random.Random(2)
    values = [chance.gauss(-0.2, 1) for _ in range(50_000)]
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    found = histogram.spread()
    assert found is not None
    assert found.median == pytest.approx(sorted(values)[24_999], rel=0.005, abs=1e-3)
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert len(histogram._counts) < 15_000
    assert Histogram().spread() is None


def test_of_pairs_lengths_margins_and_who_is_longer_are_counted(tmp_path: Path) -> None:
    rows = [
        pair(
            f"{number}",
            f"p{number // 2}",
            chosen={"tokens": 100 + number, "model_tokens": 50 + number, "cells": 2, "errors": number % 2},
            rejected={"tokens": 90, "model_tokens": 52, "arm": "large", "cells": 0, "reward": -1.5},
            margin=0.25 * number,
            prefix_turns=number % 3,
        )
        for number in range(6)
    ]
    found = figures(write_export(tmp_path / "set", {Split.TRAIN: rows}, recipe=DPO))
    assert (found.rows, found.problems) == (6, 3)
    assert [one.part for one in found.parts] == [Part.CHOSEN, Part.REJECTED]
    assert found.longer is not None
    assert (found.longer.chosen, found.longer.equal, found.longer.rejected) == (3, 1, 2)
    chosen, rejected = found.parts
    assert chosen.tokens is not None
    assert (chosen.tokens.median, chosen.tokens.most, chosen.tokens.total) == (102, 105, 615)
    assert (chosen.with_code, chosen.failed) == (6, 3)
    assert (rejected.with_code, rejected.failed) == (0, 0)
    assert [(arm.name, arm.rows) for arm in rejected.arms] == [("large", 6)]
    assert rejected.rewards is not None
    assert rejected.rewards.mean == -1.5
    assert chosen.rewards is None
    assert found.margins is not None
    assert (found.margins.least, found.margins.median, found.margins.most) == (0, 0.5, 1.25)
    assert found.prefix_turns is not None
    assert found.prefix_turns.mean == 1
    assert found.per_problem is not None
    assert (found.per_problem.count, found.per_problem.mean) == (3, 2)


def test_of_kto_rows_both_labels_are_counted(tmp_path: Path) -> None:
    rows = [labelled(str(n), n < 3, f"p{n}", tokens=10 * n) for n in range(8)]
    found = figures(write_export(tmp_path / "set", {Split.TRAIN: rows}, recipe=KTO))
    assert part(found, Part.DESIRABLE).rows == 3
    assert part(found, Part.UNDESIRABLE).rows == 5
    lengths = part(found, Part.UNDESIRABLE).tokens
    assert lengths is not None
    assert lengths.least == 30
    assert found.longer is None
    assert found.margins is None


def test_pass_rates_are_those_of_the_list_of_problems(tmp_path: Path) -> None:
    rows = {Split.TRAIN: [solution("a")]}
    problems: list[Any] = [
        {"id": "p0", "right": 1, "wrong": 3},
        {"id": "p1", "right": 0, "wrong": 4},
        {"id": "p2", "right": 0, "wrong": 0},
        {"id": "p3"},
    ]
    found = figures(write_export(tmp_path / "set", rows, problems=problems)).pass_rates
    assert found is not None
    assert (found.count, found.least, found.most) == (2, 0, 0.25)
    assert figures(write_export(tmp_path / "other", rows, problems=[{"id": "p"}])).pass_rates is None


def test_columns_that_a_dialect_lacks_are_not_counted(tmp_path: Path) -> None:
    recipe = ExportRecipe(kind=ExportKind.SFT, dialect=Dialect.MESSAGES)
    rows: list[Any] = [{"messages": [], "label": "x", "id": 3, "tokens": 5}, {"messages": []}]
    found = figures(write_export(tmp_path / "set", {Split.TRAIN: rows}, recipe=recipe))
    assert (found.rows, found.problems) == (2, None)
    assert found.parts[0].tokens is not None
    assert found.parts[0].tokens.count == 1
    with pytest.raises(DataError, match="line 1: id: Input should be a valid string"):
        figures(write_export(tmp_path / "own", {Split.TRAIN: rows}))


def test_a_split_without_rows_has_no_figures(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "set", {Split.TRAIN: [], Split.VALIDATION: [solution("a")]})
    empty, other = stats(ExportReader.open(folder)).splits
    assert (empty.rows, empty.problems, empty.parts) == (0, 0, ())
    assert other.rows == 1
    assert faults(folder) == []


def test_rows_are_not_kept(tmp_path: Path) -> None:
    long: Any = [{"role": "user", "content": "x" * 20_000}]
    rows = [solution(str(number)) | {"messages": long} for number in range(1_000)]
    reader = ExportReader.open(write_export(tmp_path / "set", {Split.TRAIN: rows}, tables=False))
    assert reader.rows_path(Split.TRAIN).stat().st_size > 20_000_000
    del rows
    tracemalloc.start()
    try:
        stats(reader)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not an export: it has no export.json"),
        ("", "does not describe an export"),
        ("[]", "does not describe an export"),
        ('{"format": "tir-agent/run", "version": 1}', "its format is not 'tir-agent/export'"),
        ('{"format": "tir-agent/export", "version": 2}', "has version 2 of the format"),
        ('{"format": "tir-agent/export", "version": 1}', "is damaged: tir_agent: Field required"),
        ("\udc80", "does not describe an export"),
    ],
)
def test_what_is_no_export_is_said_so(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "export.json").write_text(content, "utf-8", "surrogateescape")
    with pytest.raises(UsageError, match=message):
        ExportReader.open(tmp_path)


def test_a_folder_that_is_none_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no "):
        ExportReader.open(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is not an export"):
        ExportReader.open(tmp_path / "file")


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b'{"id": "x"',
        b"[1]",
        b"\xff\xfe",
        b'{"id": "x", "tokens": -1}',
        b'{"id": "x", "tokens": 1e400}',
        b'{"id": "x", "reward": NaN}',
        b'{"id": "x", "cells": 99999999999999999999999999}',
        b'{"id": "\\ud800"}',
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    folder = write_export(tmp_path / "set", {Split.TRAIN: [solution("a"), solution("b")]})
    path = folder / "jsonl" / "train.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], line, lines[1]]))
    with pytest.raises(DataError, match=r"is damaged: jsonl/train\.jsonl, line 2: "):
        figures(folder)
    found = faults(folder)
    assert any(one.startswith("jsonl/train.jsonl, line 2: ") for one in found)
    assert any("jsonl/train.jsonl: it has" in one for one in found)


def test_a_sound_export_has_no_faults(tmp_path: Path) -> None:
    rows = {Split.TRAIN: [solution("a"), solution("é數")], Split.VALIDATION: [solution("c")]}
    assert faults(write_export(tmp_path / "set", rows)) == []


def test_the_account_satisfies_its_schema(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "set", {Split.TRAIN: [labelled("a", True)]}, recipe=KTO)
    schema = Path(__file__).parent.parent / "docs" / "schema" / "export.schema.json"
    validator = Draft202012Validator(json.loads(schema.read_text("utf-8")))
    account = json.loads((folder / "export.json").read_text("utf-8"))
    assert validator.is_valid(account)
    assert not validator.is_valid(account | {"surprise": 1})


def test_everything_that_is_wrong_is_found(tmp_path: Path) -> None:
    rows = {Split.TRAIN: [solution("a"), solution("a")], Split.VALIDATION: [solution("c")]}
    folder = write_export(tmp_path / "set", rows)
    (folder / "data" / "train.parquet").unlink()
    table = folder / "data" / "validation.parquet"
    data = bytearray(table.read_bytes())
    data[10] ^= 1
    table.write_bytes(data)
    (folder / "jsonl" / "more.jsonl").touch()
    account = json.loads((folder / "export.json").read_text())
    account["files"].append({"path": "../../etc/passwd", "sha256": "0", "bytes": 1})
    account["splits"][1]["examples"] = 5
    (folder / "export.json").write_text(json.dumps(account))
    assert faults(folder) == [
        "data/train.parquet: it is missing",
        "data/validation.parquet: its checksum differs from the one in export.json",
        "../../etc/passwd: it is not in the export's folder",
        "jsonl/more.jsonl: export.json does not speak of it",
        "jsonl/train.jsonl: example a is there twice",
        "jsonl/validation.jsonl: it has 1 rows, and export.json speaks of 5",
    ]
    (folder / "jsonl" / "train.jsonl").unlink()
    assert "jsonl/train.jsonl: The export is damaged: jsonl/train.jsonl is missing" in faults(folder)
    with pytest.raises(DataError, match="is missing"):
        figures(folder)


def test_a_file_that_is_not_listed_is_found_wherever_it_lies(tmp_path: Path) -> None:
    recipe = ExportRecipe(kind=ExportKind.SFT, dialect=Dialect.LLAMA_FACTORY)
    folder = write_export(tmp_path / "set", {Split.TRAIN: [solution("a")]}, recipe=recipe)
    (folder / "dataset_info.json").write_text("{}")
    (folder / "empty").mkdir()
    assert faults(folder) == []
    for name in (".hidden", "data/train.csv", "jsonl/deep/er/train.jsonl", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "link").symlink_to(tmp_path)
    assert faults(folder) == [
        f"{name}: export.json does not speak of it"
        for name in (".hidden", "data/train.csv", "jsonl/deep/er/train.jsonl", "link", "notes.txt")
    ]
    other = write_export(tmp_path / "other", {Split.TRAIN: [solution("a")]})
    (other / "dataset_info.json").write_text("{}")
    assert faults(other) == ["dataset_info.json: export.json does not speak of it"]


@pytest.mark.parametrize(
    ("number", "left", "found"),
    [
        (
            0,
            9,
            ["of 12 trajectories, failures dropped 2, and left 9", "of 9 trajectories, guess_after_error"],
        ),
        (1, 8, ["of 10 trajectories, guess_after_error dropped 3, and left 8"]),
        (2, 3, ["of 3 examples, balance dropped 1, and left 3"]),
        (3, 2, ["of 4 examples, balance dropped 1, and left 2"]),
    ],
)
def test_a_waterfall_that_does_not_add_up_is_found(
    tmp_path: Path, number: int, left: int, found: list[str]
) -> None:
    stages = (*FALL.stages, Stage(name="balance", unit=Unit.EXAMPLES, dropped=1, left=3))
    fall = FALL.model_copy(update={"stages": stages})
    folder = write_export(tmp_path / "set", {Split.TRAIN: [solution("a")]}, waterfall=fall)
    assert faults(folder) == []
    account = json.loads((folder / "export.json").read_text())
    account["waterfall"]["stages"][number]["left"] = left
    (folder / "export.json").write_text(json.dumps(account))
    told = faults(folder)
    assert len(told) == len(found)
    for one, begin in zip(told, found, strict=True):
        assert one.startswith(f"export.json: {begin}")


def test_a_balance_of_all_is_none() -> None:
    assert Balance.model_validate({"ratio": "all"}).ratio is None
    assert Balance.model_validate({"ratio": None}) == Balance(ratio=None)
    assert Balance().ratio == 1
