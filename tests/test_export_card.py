"""The dataset card: `datasets` finds the splits by it, and it says how the set was made."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tir_agent.export.card import card
from tir_agent.export.manifest import ExportManifest, Overlap, Split, Weights
from tir_agent.export.reading import ExportReader
from tir_agent.export.recipe_text import recipe_toml
from tir_agent.settings import (
    Balance,
    Contamination,
    Dialect,
    ExportKind,
    ExportRecipe,
    FilterSettings,
    ProblemSource,
)

from export_samples import DIALECT_LINES, labelled, pair, solution, source, write_export

EVIL = 'a|b`c` <b>\n## x\x1b[31m "q" \\ ``` 數'


def account(tmp_path: Path, **changes: Any) -> ExportManifest:
    rows = {Split.TRAIN: [solution("a"), solution("b", "p1")], Split.VALIDATION: [solution("c", "p2")]}
    return ExportReader.open(write_export(tmp_path / "set", rows, **changes)).manifest


def front(page: str) -> Any:
    return yaml.safe_load(page.split("---\n")[1])


def recipe_of(page: str) -> ExportRecipe:
    found = re.search(r"^(`{3,})toml\n(.*?)\n\1$", page, re.M | re.S)
    assert found is not None
    return ExportRecipe.model_validate(tomllib.loads(found[2]))


def loaded(folder: Path, cache: Path) -> Any:
    datasets = pytest.importorskip("datasets")
    return datasets.load_dataset(str(folder), cache_dir=str(cache))


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (ExportKind.SFT, [solution("a", "問 題"), solution("b", "p1"), solution("c", "p2")]),
        (ExportKind.DPO, [pair("a"), pair("b", "p1", margin=0.5), pair("c", "p2")]),
        (ExportKind.KTO, [labelled("a", True), labelled("b", False), labelled("c", True, "p2")]),
    ],
)
@pytest.mark.parametrize("tables", [True, False])
def test_datasets_finds_the_splits_by_the_card(
    tmp_path: Path, kind: ExportKind, rows: list[Any], tables: bool
) -> None:
    split = {Split.TRAIN: rows[:2], Split.VALIDATION: rows[2:]}
    folder = write_export(tmp_path / "set", split, recipe=ExportRecipe(kind=kind), tables=tables)
    (config,) = front((folder / "README.md").read_text("utf-8"))["configs"]
    suffix = ".parquet" if tables else ".jsonl"
    assert [Path(one["path"]).suffix for one in config["data_files"]] == [suffix, suffix]
    found = loaded(folder, tmp_path / "cache")
    assert set(found) == {"train", "validation"}
    assert found["train"]["id"][:] == ["a", "b"]
    assert found["train"][0]["problem"] == rows[0]["problem"]
    assert found["validation"]["id"][:] == ["c"]


def test_a_set_with_one_split_has_that_one(tmp_path: Path) -> None:
    rows = {Split.TRAIN: [solution("a")]}
    found = loaded(write_export(tmp_path / "set", rows), tmp_path / "cache")
    assert set(found) == {"train"}
    # Every problem may have gone to the other split.
    rows = {Split.TRAIN: [], Split.VALIDATION: [solution("a")]}
    found = loaded(write_export(tmp_path / "other", rows), tmp_path / "cache")
    assert set(found) == {"validation"}


def test_the_front_matter_says_licence_tags_and_size(tmp_path: Path) -> None:
    recipe = ExportRecipe(kind=ExportKind.DPO, licence="apache-2.0")
    content = front(card(account(tmp_path, recipe=recipe), ""))
    assert content["license"] == "apache-2.0"
    assert {"tool-integrated-reasoning", "dpo", "trl"} <= set(content["tags"])
    assert content["size_categories"] == ["n<1K"]
    manifest = account(tmp_path)
    assert "license" not in front(card(manifest, ""))
    for rows, size in [(999, "n<1K"), (1_000, "1K<n<10K"), (123_456, "100K<n<1M"), (10**8, "n>10M")]:
        splits = (manifest.splits[0].model_copy(update={"examples": rows}),)
        page = card(manifest.model_copy(update={"splits": splits}), "")
        assert front(page)["size_categories"] == [size]


def test_the_recipe_on_the_card_is_the_recipe(tmp_path: Path) -> None:
    recipe = ExportRecipe(
        kind=ExportKind.KTO,
        dialect=Dialect.MESSAGES,
        seed=7,
        validation=0.1,
        filters=FilterSettings(all_right=True, max_tokens=4096, min_pass_rate=0.125),
        balance=Balance(ratio=None),
        contamination=Contamination(
            against=(ProblemSource(path="org/bench", filters=("level>=4",)),), ngram=8
        ),
        licence=EVIL,
    )
    page = card(account(tmp_path, recipe=recipe), "")
    assert recipe_of(page) == recipe
    for kind in ExportKind:
        plain = ExportRecipe(kind=kind)
        assert ExportRecipe.model_validate(tomllib.loads(recipe_toml(plain))) == plain


def test_the_card_holds_no_folder_of_the_machine_and_is_always_the_same(tmp_path: Path) -> None:
    secret = "/home/ann/secret"
    recipe = ExportRecipe(
        kind=ExportKind.SFT,
        prompt=f"{secret}/mine.yaml",
        tokenizer=f"{secret}/small.gguf",
        rewards=r"C:\Users\ann\rewards.jsonl",
        contamination=Contamination(against=(ProblemSource(path=f"{secret}/bench.jsonl"),)),
    )
    overlap = Overlap(
        problem="p9", benchmark=f"{secret}/bench.jsonl", line=f"{secret}/bench.jsonl:3", shared="x y"
    )
    made = source(name=f"{secret}/night", models=(f"{secret}/small.gguf",), sandboxes=(f"~/{secret}/jail",))
    changes = {"sources": (made,), "overlaps": (overlap,), "token_count": f"{secret}/small.gguf"}
    manifest = account(tmp_path, recipe=recipe, **changes)
    page = card(manifest, DIALECT_LINES)
    assert "ann" not in page
    assert "bench.jsonl:3" in page
    assert recipe_of(page).tokenizer == "small.gguf"
    assert recipe_of(page).rewards == "rewards.jsonl"
    assert "is looked for beside that file first, then from the current folder" in page
    again = ExportManifest.model_validate_json(manifest.model_dump_json())
    assert card(again, DIALECT_LINES) == page


def test_the_card_accounts_for_everything(tmp_path: Path) -> None:
    manifest = account(
        tmp_path,
        recipe=ExportRecipe(
            kind=ExportKind.KTO, contamination=Contamination(against=(ProblemSource(path="org/bench"),))
        ),
        weights=Weights(desirable=(0.5, 2 / 3), undesirable=(1.5, 2.0)),
        overlaps=tuple(
            Overlap(problem=f"o{number}", benchmark="org/bench", line="test:3", shared="one two")
            for number in range(23)
        ),
    )
    page = card(manifest, DIALECT_LINES)
    for line in [
        "| train | 2 | 2 | 200 | 120 | 0 |",
        "| read | trajectories |  |  | 12 (7 right) |  |",
        "| guess_after_error | trajectories | 3 | 2 | 7 |  |",
        "| with right and wrong trajectories | 3 |",
        "| 0.5 to 0.6667 | 1 |",
        "| night | 0123456789abcdef | 12 | 2 |",
        "| model | small-7b |",
        f"| prompt | tir, sha256 {'ab' * 32} |",
        "| grader | math-verify 0.9 |",
        "| o19 | org/bench | test:3 | one two |",
        "And 3 more, in `export.json`.",
        DIALECT_LINES,
    ]:
        assert f"\n{line}\n" in page, line
    assert "o20" not in page
    assert "no benchmark" in card(account(tmp_path), "")


def test_names_of_others_break_no_table_and_no_block(tmp_path: Path) -> None:
    recipe = ExportRecipe(kind=ExportKind.SFT, licence=EVIL, grades=EVIL)
    overlap = Overlap(problem=EVIL, benchmark=EVIL, line=EVIL, shared=EVIL)
    made = source(name=EVIL, models=(EVIL,), graders=(EVIL,))
    contamination = Contamination(against=(ProblemSource(path=EVIL),))
    recipe = recipe.model_copy(update={"contamination": contamination})
    page = card(account(tmp_path, recipe=recipe, sources=(made,), overlaps=(overlap,)), "")
    assert front(page)["license"] == EVIL
    assert recipe_of(page) == recipe
    assert "\x1b" not in page
    assert "\n## x" not in page
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    bars = [len(re.findall(r"(?<!\\)\|", line)) for line in rows]
    assert set(bars) <= {3, 4, 5, 6, 7}
    assert sum("數" in line for line in rows) == 4
