"""Before and after: pass@1 of every model, and what training changed on the same problems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from tir_agent.evaluate.paired import compare
from tir_agent.evaluate.passing import tallies
from tir_agent.evaluate.report import evaluate
from tir_agent.evaluate.results import Result, reduce
from tir_agent.store import RunReader

__all__ = ["BASE", "SFT", "Model", "draw", "report"]

BASE = "base, few-shot prompt"
SFT = "SFT"

_COLOURS = ("#555555", "#0072B2", "#D55E00", "#009E73", "#CC79A7")


class Model(NamedTuple):
    """A model that was evaluated."""

    name: str
    """What was done to it."""
    seed: int | None
    run: Path


class _Measured(NamedTuple):
    model: Model
    results: list[Result]
    rate: float
    low: float
    high: float

    @property
    def label(self) -> str:
        return self.model.name if self.model.seed is None else f"{self.model.name}, seed {self.model.seed}"


def report(models: list[Model], problems: Path) -> tuple[str, list[dict[str, object]]]:
    """The page, and its figures, over the problems in a file: those that were not trained on."""
    held = frozenset(json.loads(line)["id"] for line in problems.read_text("utf-8").splitlines())
    measured = [_measured(model, held) for model in models]
    lines = ["| model | pass@1 | 95 % interval | trajectories | code failed | no answer |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    lines += [_row(one) for one in measured]
    lines += ["", *_gains(measured), "", *_over_seeds(measured)]
    figures: list[dict[str, object]] = [
        {
            "model": one.model.name,
            "seed": one.model.seed,
            "pass@1": one.rate,
            "low": one.low,
            "high": one.high,
            "trajectories": len(one.results),
        }
        for one in measured
    ]
    return "\n".join(lines) + "\n", figures


def _measured(model: Model, held: frozenset[str]) -> _Measured:
    found = map(reduce, RunReader.open(model.run).trajectories())
    results = [result for result in found if result.problem in held]
    (first,) = (at.rate for at in evaluate(model.name, results, ks=[1]).passes)
    assert first is not None
    return _Measured(model, results, first.value, first.low, first.high)


def _row(one: _Measured) -> str:
    failed = sum(bool(result.errors) for result in one.results) / len(one.results)
    silent = sum(result.answer is None for result in one.results) / len(one.results)
    return (
        f"| {one.label} | {one.rate:.1%} | {one.low:.1%} to {one.high:.1%} | {len(one.results):,} "
        f"| {failed:.1%} | {silent:.1%} |"
    )


def _gains(measured: list[_Measured]) -> Iterator[str]:
    """What each training changed on the same problems: at each seed, and over all of them together."""
    yield "| change | pass@1 | 95 % interval, paired by problem | p |"
    yield "| --- | ---: | ---: | ---: |"
    befores = [one for one in measured if one.model.name == BASE]
    pairs: dict[str, list[tuple[_Measured, _Measured]]] = {}
    for one in measured:
        for start in befores if one.model.name == SFT else _sft_of(measured, one.model.seed):
            if one.model.seed is not None:
                pairs.setdefault(one.model.name, []).append((start, one))
                yield _gain(start.label, start.results, one.label, one.results)
    for name, found in pairs.items():
        if len(found) > 1:
            # The model before has no seeds, and counts once.
            before = {start.label: start.results for start, _ in found}.values()
            after = [result for _, one in found for result in one.results]
            yield _gain(
                found[0][0].model.name, [one for some in before for one in some], f"{name}, all seeds", after
            )


def _gain(start: str, before: list[Result], end: str, after: list[Result]) -> str:
    compared = compare((end, tallies(after)), (start, tallies(before)))
    assert compared is not None, "both were evaluated on the same problems"
    return (
        f"| {start} → {end} | {compared.difference:+.1%} | {compared.low:+.1%} to {compared.high:+.1%} "
        f"| {compared.p:.1g} |"
    )


def _sft_of(measured: list[_Measured], seed: int | None) -> list[_Measured]:
    return [one for one in measured if one.model.name == SFT and one.model.seed == seed]


def _over_seeds(measured: list[_Measured]) -> Iterator[str]:
    yield "| model | seeds | mean pass@1 | standard deviation |"
    yield "| --- | ---: | ---: | ---: |"
    for name in dict.fromkeys(one.model.name for one in measured if one.model.seed is not None):
        rates = [one.rate for one in measured if one.model.name == name]
        spread = f"{stdev(rates):.1%}" if len(rates) > 1 else "-"
        yield f"| {name} | {len(rates)} | {mean(rates):.1%} | {spread} |"


def draw(figures: list[dict[str, object]], path: Path) -> None:
    """Each model's pass@1 with its interval, as a picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(str(one["model"]) for one in figures))
    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.32 * len(figures)))
    labels: list[str] = []
    for row, one in enumerate(figures):
        rate, low, high = (float(str(one[key])) for key in ("pass@1", "low", "high"))
        colour = _COLOURS[names.index(str(one["model"])) % len(_COLOURS)]
        axes.errorbar(
            100 * rate, row, xerr=[[100 * (rate - low)], [100 * (high - rate)]], fmt="o", color=colour
        )
        labels.append(str(one["model"]) if one["seed"] is None else f"{one['model']}, seed {one['seed']}")
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("pass@1 on the held-out half, %, with 95 % intervals")
    axes.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=160)
    plt.close(figure)
