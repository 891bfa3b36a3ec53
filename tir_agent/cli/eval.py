"""`tir eval`: how good runs are, and what is better than what."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tir_agent.cli.eval_inputs import Run, clustered, different_answers, read_runs, sandbox_equality
from tir_agent.cli.eval_tables import grids, notes
from tir_agent.cli.grid import draw, markdown
from tir_agent.cli.places import api_key
from tir_agent.cli.terminal import EXIT_INTERRUPTED, Progress
from tir_agent.errors import RunError, SandboxUnavailable, StorageError, UsageError
from tir_agent.evaluate.paired import Comparison, compare
from tir_agent.evaluate.passing import tallies
from tir_agent.evaluate.report import Evaluation, Grouping, evaluate, largest_k, usual_ks
from tir_agent.evaluate.reward_server import RewardForm, ServerReward
from tir_agent.evaluate.rewards import RecordedReward, Reward, load_function
from tir_agent.settings import KernelChoice

__all__ = ["eval_runs"]


class PlotFormat(StrEnum):
    """Of the files of plots."""

    PNG = "png"
    SVG = "svg"


@dataclass(frozen=True)
class _Job:
    paths: list[Path]
    ks: list[int] | None
    """None: what the runs have samples for."""
    every_k: bool
    vote: bool | None
    by_text: bool
    by: list[Grouping]
    reward: Reward | None
    kernel: KernelChoice
    compare: bool
    seed: int
    grades: str | None


def eval_runs(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, .jsonl files of trajectories, or folders of .json files."),
    ],
    k: Annotated[
        str | None,
        typer.Option(help="Numbers of samples, as 1,2,4, or 'all' (default: powers of two that there are)."),
    ] = None,
    vote: Annotated[
        bool | None,
        typer.Option("--vote/--no-vote", help="Majority votes (default: where there are several samples)."),
    ] = None,
    by_text: Annotated[
        bool, typer.Option("--by-text", help="Equal answers are those of equal text: needs no sandbox.")
    ] = False,
    by: Annotated[str, typer.Option(help="Parts to tell apart: level,subject,arm,stop.")] = "",
    reward: Annotated[
        str | None,
        typer.Option(help="module:function, a server's address, or a .jsonl file with id and reward."),
    ] = None,
    reward_model: Annotated[str | None, typer.Option(help="The reward server's name of its model.")] = None,
    reward_form: Annotated[
        RewardForm | None, typer.Option(help="How the reward server is asked (default: as its address says).")
    ] = None,
    reward_key_env: Annotated[
        str | None, typer.Option(help="Environment variable with the reward server's key.")
    ] = None,
    grades: Annotated[
        str | None, typer.Option(help="Take the grades that this grader gave later (tir grade).")
    ] = None,
    kernel: Annotated[KernelChoice, typer.Option(help="Where answers are compared.")] = KernelChoice.AUTO,
    compare_runs: Annotated[
        bool,
        typer.Option("--compare", help="The first run beside each other one, or the arms of a single run."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn at random.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; '-': print them, and nothing else.")
    ] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", help="Write the tables here as a page.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Draw the figures into this folder (needs matplotlib).")
    ] = None,
    plot_format: Annotated[PlotFormat, typer.Option("--format", help="Of the plots.")] = PlotFormat.PNG,
) -> None:
    """Rates with their errors, votes, use of the tool, and comparisons of runs.

    Exit status: 0 done, 1 something around it failed, 2 wrong usage, 130 interrupted.
    """
    job = _Job(
        paths=runs,
        ks=_numbers(k),
        every_k=k == "all",
        vote=vote,
        by_text=by_text,
        by=_groupings(by),
        reward=_reward(reward, reward_model, reward_form, reward_key_env),
        kernel=kernel,
        compare=compare_runs,
        seed=seed,
        grades=grades,
    )
    if plots is not None:
        _check_matplotlib()
    try:
        evaluations, comparisons, said = asyncio.run(_evaluate(job))
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    tables = grids(evaluations, comparisons)
    said = [*notes(evaluations, comparisons), *said]
    figures = {
        "runs": [one.model_dump(mode="json") for one in evaluations],
        "comparisons": [one.model_dump(mode="json") for one in comparisons],
        "notes": said,
    }
    text = json.dumps(figures, ensure_ascii=False, indent=1)
    if json_file == Path("-"):
        typer.echo(text)
    else:
        draw(tables, said)
        _write(json_file, text + "\n")
    _write(markdown_file, markdown("Evaluation", tables, said))
    if plots is not None:
        from tir_agent.cli.eval_plots import plot

        try:
            plot(evaluations, comparisons, plots, plot_format.value)
        except OSError as error:
            raise StorageError(f"Cannot write to {plots}: {error.strerror}") from None


def _numbers(text: str | None) -> list[int] | None:
    if text is None or text == "all":
        return None
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1:
        raise UsageError(f"{text!r} is no list of numbers of samples", hint="--k 1,2,4,8, or --k all")
    return numbers


def _groupings(text: str) -> list[Grouping]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = ", ".join(Grouping)
    for name in names:
        if name not in set(Grouping):
            raise UsageError(f"Results cannot be told apart by {name!r}", hint=f"There are: {known}")
    return [Grouping(name) for name in dict.fromkeys(names)]


def _reward(name: str | None, model: str | None, form: RewardForm | None, key: str | None) -> Reward | None:
    if name is None:
        if model or form or key:
            raise UsageError("A reward server's options need --reward", hint="--reward http://...")
        return None
    if name.startswith(("http://", "https://")):
        return ServerReward(name, model=model, form=form, key=api_key(key) if key else None)
    if name.endswith(".jsonl"):
        return RecordedReward.read(Path(name))
    if ":" in name:
        # As with `python -m`: modules of the folder one stands in are found.
        sys.path.append(str(Path.cwd()))
        return load_function(name)
    raise UsageError(
        f"{name!r} is no reward",
        hint="module:function, http://host/pooling, or a .jsonl file with id and reward",
    )


def _check_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError("Plots need matplotlib", hint="pip install 'tir-agent[plot]'") from None


def _write(path: Path | None, text: str) -> None:
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror}") from None


async def _evaluate(job: _Job) -> tuple[list[Evaluation], list[Comparison], list[str]]:
    try:
        runs = await read_runs(job.paths, job.reward, job.grades)
    finally:
        if job.reward is not None:
            await job.reward.close()
    most = max(largest_k(run.results) for run in runs)
    if job.ks and job.ks[-1] > max(most, 1):
        raise UsageError(
            f"There are at most {most} samples of a problem, so that {job.ks[-1]} of them cannot be told of",
            hint=f"--k with numbers up to {max(most, 1)}",
        )
    compared = _pairs(runs) if job.compare else []
    clusters, said = await _clusters(job, runs, most)
    evaluations = []
    for number, run in enumerate(runs):
        ks = job.ks or (list(range(1, most + 1)) if job.every_k else usual_ks(run.results))
        evaluations.append(
            evaluate(
                run.name,
                run.results,
                ks=ks,
                clusters=None if clusters is None else clusters[number],
                by=job.by,
                duplicates=run.duplicates,
                seed=job.seed,
            )
        )
    comparisons = []
    for a, b in compared:
        found = compare((a.name, tallies(a.results)), (b.name, tallies(b.results)), seed=job.seed)
        if found is None:
            said.append(f"{a.name} and {b.name} have no graded problem in common")
        else:
            comparisons.append(found)
    return evaluations, comparisons, said


def _pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """The first beside each other one."""
    beside = runs if len(runs) > 1 else runs[0].by_arm()
    if len(beside) < 2:
        raise RunError("There is one run with one arm: nothing to compare", hint="tir eval RUN RUN --compare")
    return [(beside[0], other) for other in beside[1:]]


async def _clusters(
    job: _Job, runs: Sequence[Run], most: int
) -> tuple[list[dict[tuple[str, str, int], int | None]] | None, list[str]]:
    """Which answers are the same, or None where there is no vote; and what there is to say of it."""
    if job.vote is False or most < 1 or (job.vote is None and most < 2):
        return None, []
    with Progress() as progress:
        if job.by_text or not different_answers(runs):
            found, _ = await clustered(runs, None, progress.line)
            return found, ["Votes count equal texts as equal answers"] if job.by_text else []
        try:
            async with sandbox_equality(job.kernel, progress.line) as equal:
                found, unknown = await clustered(runs, equal, progress.line)
        except SandboxUnavailable as error:
            raise SandboxUnavailable(
                error.message, hint="--by-text compares answers as texts, --no-vote does not compare them"
            ) from None
    said = f"{unknown} pairs of answers could not be compared and count as different" if unknown else ""
    return found, [said] if said else []
