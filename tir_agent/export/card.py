"""The README.md of an export: a dataset card, with the front matter by which `datasets` finds the splits.

It says nothing that `export.json` does not, so that the same set has the same card; folders of the machine
that made it are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import yaml

from tir_agent.export.manifest import ExportManifest, Overlap, Source, Weights
from tir_agent.export.plain import cell, without_folders
from tir_agent.export.recipe_text import recipe_toml
from tir_agent.settings import ExportKind

__all__ = ["card"]

_WHAT: Final[Mapping[ExportKind, str]] = MappingProxyType(
    {
        ExportKind.SFT: "solutions to imitate: mathematical problems that a language model solved rightly",
        ExportKind.DPO: "pairs of a right and a wrong trajectory of the same mathematical problem",
        ExportKind.KTO: "trajectories on mathematical problems, each of them desirable or not",
        ExportKind.STEPS: "pairs of turns in which a right and a wrong trajectory of a problem part",
    }
)
_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_SHOWN: Final = 20
"""Problems left out for a benchmark's sake that are named; `export.json` names all."""


def card(manifest: ExportManifest, dialect_lines: str) -> str:
    """The page. `dialect_lines` says how rows of the dialect are to be read; it is Markdown."""
    return "\n".join([*_front(manifest), *_body(manifest, dialect_lines.strip())]) + "\n"


def _front(manifest: ExportManifest) -> Iterator[str]:
    recipe = manifest.recipe
    content: dict[str, object] = {}
    if recipe.licence is not None:
        content["license"] = recipe.licence
    content["tags"] = [
        "tir-agent",
        "tool-integrated-reasoning",
        "mathematics",
        recipe.kind.value,
        recipe.dialect.value,
    ]
    content["size_categories"] = [_size(manifest)]
    files = _data_files(manifest)
    if files:
        found = [{"split": split, "path": path} for split, path in files.items()]
        content["configs"] = [{"config_name": "default", "data_files": found}]
    yield "---"
    yield yaml.safe_dump(content, allow_unicode=True, sort_keys=False).rstrip()
    yield "---"


def _size(manifest: ExportManifest) -> str:
    rows = sum(counts.examples for counts in manifest.splits)
    return next((name for limit, name in _SIZES if rows < limit), "n>10M")


def _data_files(manifest: ExportManifest) -> dict[str, str]:
    """The tables of the splits; the same rows as JSON where a dialect has no tables."""
    listed = {file.path for file in manifest.files}
    found = {}
    for counts in manifest.splits:
        split = counts.split.value
        for path in (f"data/{split}.parquet", f"jsonl/{split}.jsonl"):
            if path in listed:
                found[split] = path
                break
    return found


def _body(manifest: ExportManifest, dialect_lines: str) -> Iterator[str]:
    recipe = manifest.recipe
    rows = sum(counts.examples for counts in manifest.splits)
    yield from ("", f"# Tool-integrated reasoning for {recipe.kind.value.upper()}", "")
    yield (
        f"{rows:,} {_WHAT[recipe.kind]}. In a trajectory a model reasons, writes Python, and sees what a "
        f"real Jupyter kernel answered, until it commits to an answer, which was compared with the reference "
        f"answer. Written by tir-agent {cell(manifest.tir_agent)} in the dialect `{recipe.dialect.value}`."
    )
    yield from _loading(manifest)
    if dialect_lines:
        yield from ("", "## Rows", "", dialect_lines)
    yield from _losses()
    yield from _splits(manifest)
    yield from _weights(manifest.weights)
    yield from _recipe(manifest)
    yield from _waterfall(manifest)
    yield from _problems(manifest)
    yield from _sources(manifest.sources)
    yield from _contamination(manifest)
    yield from ("", "## Licence", "")
    yield (
        cell(recipe.licence)
        if recipe.licence is not None
        else ("None was named. Those of the problems and of the models that wrote the trajectories bind.")
    )


def _loading(manifest: ExportManifest) -> Iterator[str]:
    yield from ("", "## Loading", "")
    if _data_files(manifest):
        yield from ("```python", "from datasets import load_dataset", "")
        yield from ('data = load_dataset("path/to/this/folder")', "```", "")
    yield (
        "`jsonl/` has the same rows as lines of JSON, `problems/` all problems of the runs by split, to "
        "evaluate on, and `export.json` this page's figures. `tir stats` shows lengths and balance, "
        "`tir stats --verify` compares all checksums, `tir diff` compares with another export."
    )


def _losses() -> Iterator[str]:
    yield from ("", "## Where a loss may stand", "")
    yield (
        "Only on what the model wrote behind the messages that were given: its text, its code and its calls "
        "of tools, and the end of its turn where it came to that end by itself. Never on outputs of the "
        "interpreter, the prompt, exemplars, nudges or a critic's words, in whatever role they stand, and in "
        "the rejected conversation as little as in the chosen one. Who wrote each character was recorded "
        "when it was written. A trainer that masks the prompt alone, as TRL does for DPO and KTO, trains on "
        "the interpreter's output; the training recipes of tir-agent do not."
    )


def _splits(manifest: ExportManifest) -> Iterator[str]:
    yield from ("", "## Splits", "")
    desirable = any(counts.desirable is not None for counts in manifest.splits)
    headings = ["split", "examples", "problems", "tokens", "of the model"]
    yield from _table(
        [*headings, "desirable"] if desirable else headings,
        (
            [
                counts.split.value,
                f"{counts.examples:,}",
                f"{counts.problems:,}",
                f"{counts.tokens:,}",
                f"{counts.model_tokens:,}",
                *([_amount(counts.desirable)] if desirable else []),
            ]
            for counts in manifest.splits
        ),
    )
    yield from ("", f"Tokens were counted by: {cell(without_folders(manifest.token_count))}.")


def _weights(weights: Weights | None) -> Iterator[str]:
    if weights is None:
        return
    yield from ("", "## Weights for KTO", "")
    yield (
        "The desirable rows' weight times their number should be 1 to 4/3 of the undesirable rows' weight "
        "times their number (arXiv:2402.01306, section 4.2). Either of these gives that:"
    )
    yield ""
    yield from _table(
        ["desirable_weight", "undesirable_weight"],
        [
            [f"{weights.desirable[0]:.4g} to {weights.desirable[1]:.4g}", "1"],
            ["1", f"{weights.undesirable[0]:.4g} to {weights.undesirable[1]:.4g}"],
        ],
    )


def _recipe(manifest: ExportManifest) -> Iterator[str]:
    text = recipe_toml(manifest.recipe)
    # Whatever a name holds, it does not end the block.
    fence = "```"
    while fence in text:
        fence += "`"
    yield from ("", "## Recipe", "")
    yield "As a file for `tir export RUN --config recipe.toml`. Folders were cut off paths from the root; a"
    yield from ("path is looked for beside that file first, then from the current folder.", "")
    yield from (f"{fence}toml", text, fence)


def _waterfall(manifest: ExportManifest) -> Iterator[str]:
    fall = manifest.waterfall
    yield from ("", "## What became of everything", "")
    yield from _table(
        ["stage", "of", "dropped", "of these right", "left", "problems with both"],
        [
            ["read", "trajectories", "", "", f"{fall.read:,} ({fall.right:,} right)", ""],
            *(
                [
                    stage.name,
                    stage.unit.value,
                    f"{stage.dropped:,}",
                    f"{stage.right:,}",
                    f"{stage.left:,}",
                    "" if stage.both is None else f"{stage.both:,}",
                ]
                for stage in fall.stages
            ),
        ],
        figures=2,
    )


def _problems(manifest: ExportManifest) -> Iterator[str]:
    counts = manifest.problems
    yield from ("", "## Problems", "")
    yield from _table(
        ["problems", "number"],
        [
            ["read", f"{counts.read:,}"],
            ["with right and wrong trajectories", f"{counts.both:,}"],
            ["all right", f"{counts.all_right:,}"],
            ["all wrong", f"{counts.all_wrong:,}"],
            ["without a decided one", f"{counts.undecided:,}"],
            ["in this set", f"{counts.left:,}"],
        ],
    )


def _sources(sources: Sequence[Source]) -> Iterator[str]:
    yield from ("", "## Made of", "")
    yield from _table(
        ["run", "id", "trajectories", "failures"],
        (
            [
                without_folders(one.name),
                one.run or "-",
                f"{one.trajectories:,}",
                f"{one.failures:,}",
            ]
            for one in sources
        ),
        figures=2,
    )
    prompts = {(prompt.name, prompt.sha256) for one in sources for prompt in one.prompts}
    rows = [
        *(["model", name] for name in _all(source.models for source in sources)),
        *(["prompt", f"{name}, sha256 {digest}"] for name, digest in sorted(prompts)),
        *(["sandbox", name] for name in _all(source.sandboxes for source in sources)),
        *(["grader", name] for name in _all(source.graders for source in sources)),
    ]
    if rows:
        yield ""
        yield from _table(["", "name"], rows, figures=2)


def _all(names: Iterator[tuple[str, ...]]) -> list[str]:
    return sorted({without_folders(name) for some in names for name in some})


def _contamination(manifest: ExportManifest) -> Iterator[str]:
    recipe = manifest.recipe.contamination
    yield from ("", "## Contamination", "")
    if not recipe.against:
        yield "The problems were compared with no benchmark."
        return
    names = ", ".join(cell(without_folders(source.path)) for source in recipe.against)
    yield (
        f"A problem that has {recipe.ngram} words in a row in common with one of these was left out, and a "
        f"shorter one that is contained in one: {names}. Found: {len(manifest.overlaps):,}."
    )
    if manifest.overlaps:
        yield ""
        yield from _table(
            ["problem", "benchmark", "where", "in common"],
            map(_overlap, manifest.overlaps[:_SHOWN]),
            figures=4,
        )
    if len(manifest.overlaps) > _SHOWN:
        yield from ("", f"And {len(manifest.overlaps) - _SHOWN:,} more, in `export.json`.")


def _overlap(one: Overlap) -> list[str]:
    return [one.problem, without_folders(one.benchmark), without_folders(one.line), one.shared]


def _amount(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _table(
    headings: Sequence[str], rows: Iterator[list[str]] | list[list[str]], figures: int = 1
) -> Iterator[str]:
    """Columns from number `figures` on are set to the right."""
    yield _line(headings)
    yield _line(["---:" if number >= figures else "---" for number in range(len(headings))])
    for row in rows:
        yield _line([cell(one) for one in row])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
