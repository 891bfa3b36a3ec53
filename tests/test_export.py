"""From runs to a training set: what is in it, what is not, and the account of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from preference_samples import ERROR, answered, program, trajectory

from tir_agent.errors import RunError, StorageError, UsageError
from tir_agent.export.chance import split_of
from tir_agent.export.exporter import Exporter, Progress
from tir_agent.export.manifest import ExportManifest, Split, Stage, Unit
from tir_agent.grades import UNGRADED
from tir_agent.preferences.dialects import conversations_of
from tir_agent.problems import problem_from_text
from tir_agent.settings import (
    Balance,
    Contamination,
    Dialect,
    ExportKind,
    ExportRecipe,
    FilterSettings,
    Pairing,
    PairRule,
    ProblemSource,
)
from tir_agent.store import RunWriter
from tir_agent.trajectory import Problem, Sample, StopReason, Trajectory, Turn, Verdict

from run_samples import draft

pytest.importorskip(
    "pyarrow", reason="a training set is written by pyarrow: pip install 'tir-agent[collect]'"
)


def problem(number: int) -> Problem:
    return problem_from_text(f"What is {number} plus 1?", gold=str(number + 1))


def one(number: int, index: int, *turns: Turn, verdict: Verdict | None = Verdict.CORRECT) -> Trajectory:
    """A trajectory on problem `number` whose id says what it is."""
    made = trajectory(*turns, text=f"What is {number} plus 1?", verdict=verdict)
    identity = hashlib.sha256(f"{number} {index}".encode()).hexdigest()[:32]
    return made.model_copy(
        update={"id": identity, "problem": problem(number), "sample": Sample(arm="base", index=index)}
    )


def right(number: int, index: int = 0) -> Trajectory:
    code = program(f"print({number} + 1) # {index}", printed=str(number + 1))
    return one(number, index, code, answered(str(number + 1), before=f"{index}: "))


def wrong(number: int, index: int = 1) -> Trajectory:
    code = program(f"print({number} + 2) # {index}", printed=str(number + 2))
    return one(number, index, code, answered(str(number + 2), before=f"{index}: "), verdict=Verdict.WRONG)


async def run_of(folder: Path, *trajectories: Trajectory) -> Path:
    """A run that holds these."""
    asked = {one.problem.id: one.problem for one in trajectories}
    with RunWriter.open(folder, draft(samples=9), asked.values()) as writer:
        for made in trajectories:
            if made.stop in (StopReason.ERROR, StopReason.INTERRUPTED):
                await writer.append_failure(made)
            else:
                await writer.append(made)
    return folder


def made(runs: Sequence[Path], out: Path, **recipe: object) -> ExportManifest:
    return Exporter(ExportRecipe.model_validate(recipe)).export(runs, out)


def rows(out: Path, split: str = "train") -> list[dict[str, Any]]:
    lines = (out / "jsonl" / f"{split}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def dropped(manifest: ExportManifest) -> dict[str, int]:
    return {stage.name: stage.dropped for stage in manifest.waterfall.stages if stage.dropped}


async def test_pairs_are_one_right_and_one_wrong_of_a_problem(tmp_path: Path) -> None:
    both = [right(1), wrong(1), right(2), wrong(2, 1), wrong(2, 2), right(3), wrong(4)]
    run = await run_of(tmp_path / "run", *both)
    manifest = made([run], tmp_path / "set", kind=ExportKind.DPO)
    found = rows(tmp_path / "set")
    assert {row["problem_id"] for row in found} == {problem(1).id, problem(2).id}
    assert all((row["chosen_verdict"], row["rejected_verdict"]) == ("correct", "wrong") for row in found)
    assert dropped(manifest) == {"no_counterpart": 2, "unpaired": 1}
    counts = manifest.problems
    assert (counts.read, counts.both, counts.all_right, counts.all_wrong, counts.left) == (4, 2, 1, 1, 2)


async def test_a_problem_is_lost_to_the_stage_that_takes_its_last_counterpart(tmp_path: Path) -> None:
    guessed = one(2, 5, program("x", status=ERROR), answered("3"))
    talked = one(3, 6, answered("9"), verdict=Verdict.WRONG)
    run = await run_of(tmp_path / "run", right(1), wrong(1), guessed, wrong(2), right(3), talked, right(4))
    manifest = made([run], tmp_path / "set", kind=ExportKind.DPO)
    both = {stage.name: stage.both for stage in manifest.waterfall.stages}
    assert (both["silent"], both["no_code"], both["guess_after_error"], both["unpaired"]) == (3, 2, 1, 1)
    assert manifest.problems.both == 3


async def test_every_trajectory_is_accounted_for(tmp_path: Path) -> None:
    failed = one(3, 0, program("x"), verdict=None).model_copy(update={"stop": StopReason.ERROR})
    doubted = one(3, 1, program("x"), answered("4"), verdict=Verdict.TIMEOUT)
    guessed = one(3, 2, program("x", status=ERROR), answered("4"))
    run = await run_of(tmp_path / "run", right(1), wrong(1), failed, doubted, guessed)
    manifest = made([run, run], tmp_path / "set", kind=ExportKind.KTO)
    assert dropped(manifest) == {"repeated": 5, "environment": 1, "undecided": 1, "guess_after_error": 1}
    waterfall = manifest.waterfall
    assert (waterfall.read, waterfall.right) == (10, 4)
    left, of = waterfall.read, Unit.TRAJECTORIES
    for stage in waterfall.stages:
        left = stage.left + stage.dropped if stage.unit is not of else left
        of = stage.unit
        assert stage.left == left - stage.dropped, stage
        left = stage.left
    assert left == sum(split.examples for split in manifest.splits) == 2


async def test_a_trajectory_without_an_answer_names_no_grader(tmp_path: Path) -> None:
    silent = one(2, 0, program("x"), verdict=Verdict.WRONG)
    assert silent.grade is not None
    ungraded = silent.grade.model_copy(update={"grader": UNGRADED})
    run = await run_of(tmp_path / "run", right(1), wrong(1), silent.model_copy(update={"grade": ungraded}))
    (source,) = made([run], tmp_path / "set", kind=ExportKind.DPO).sources
    assert source.trajectories == 3
    assert source.graders == ("g",)


async def test_the_machinerys_failures_are_never_examples(tmp_path: Path) -> None:
    """Whatever filters are off."""
    off = {name: False for name, field in FilterSettings.model_fields.items() if field.annotation is bool}
    stopped = wrong(1, 1).model_copy(update={"stop": StopReason.INTERRUPTED})
    lost = wrong(1, 2).model_copy(update={"stop": StopReason.ERROR})
    run = await run_of(tmp_path / "run", right(1), stopped, lost, wrong(1, 3))
    recipe = {"kind": ExportKind.KTO, "filters": off, "balance": Balance(ratio=None)}
    made([run], tmp_path / "set", **recipe)
    assert {row["trajectory"] for row in rows(tmp_path / "set")} == {right(1).id, wrong(1, 3).id}


async def test_the_same_seed_gives_the_same_bytes_in_whatever_order_the_runs_are_named(
    tmp_path: Path,
) -> None:
    first = await run_of(tmp_path / "a", *(right(n) for n in range(20)), *(wrong(n) for n in range(20)))
    second = await run_of(
        tmp_path / "b", *(wrong(n, 2) for n in range(20)), *(right(n, 3) for n in range(20))
    )

    def bytes_of(out: Path, runs: Sequence[Path], seed: int) -> dict[str, bytes]:
        made(runs, out, kind=ExportKind.DPO, seed=seed, validation=0.3)
        return {path.name + path.parent.name: path.read_bytes() for path in out.rglob("*.*l*")}

    here = bytes_of(tmp_path / "x", [first, second], 1)
    assert here == bytes_of(tmp_path / "y", [first, second], 1)
    swapped = bytes_of(tmp_path / "z", [second, first], 1)
    assert here["train.jsonljsonl"] == swapped["train.jsonljsonl"]
    assert here["train.jsonljsonl"] != bytes_of(tmp_path / "w", [first, second], 2)["train.jsonljsonl"]


async def test_the_order_of_rows_is_the_seeds(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", *(right(n) for n in range(20)))
    orders = []
    for seed in (1, 2):
        made([run], tmp_path / str(seed), kind=ExportKind.SFT, seed=seed)
        orders.append([row["id"] for row in rows(tmp_path / str(seed))])
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


async def test_a_filter_for_winners_leaves_bad_examples_alone(tmp_path: Path) -> None:
    """A last cell that failed is nothing to imitate, and all the better to avoid."""

    def failing(index: int, verdict: Verdict) -> Trajectory:
        turns = program("print(2)"), answered("2"), program(f"oops({index})", status=ERROR)
        return one(1, index, *turns, verdict=verdict).model_copy(update={"answer": "2"})

    run = await run_of(tmp_path / "run", failing(0, Verdict.CORRECT), failing(1, Verdict.WRONG), right(1, 2))
    off = FilterSettings(guess_after_error=False, answer_before_code=False)
    manifest = made([run], tmp_path / "set", kind=ExportKind.KTO, filters=off)
    assert dropped(manifest) == {"last_error": 1}
    assert {row["label"]: row["trajectory"] for row in rows(tmp_path / "set")} == {
        True: right(1, 2).id,
        False: failing(1, Verdict.WRONG).id,
    }


async def test_what_a_killed_export_left_is_in_no_ones_way(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1))
    left = tmp_path / ".set.new"
    left.mkdir()
    (left / "spool").write_text("half")
    made([run], tmp_path / "set", kind=ExportKind.SFT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "set"]


async def test_a_problem_is_in_one_split_and_every_export_has_it_there(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", *(made for n in range(60) for made in (right(n), wrong(n))))
    for kind in (ExportKind.DPO, ExportKind.KTO):
        made([run], tmp_path / kind, kind=kind, validation=0.5)
    for kind in (ExportKind.DPO, ExportKind.KTO):
        train, other = ({row["problem_id"] for row in rows(tmp_path / kind, split)} for split in Split)
        assert not train & other
        assert 15 < len(train) < 45
        assert len(train | other) == 60
    sets = [{row["problem_id"] for row in rows(tmp_path / kind)} for kind in (ExportKind.DPO, ExportKind.KTO)]
    assert sets[0] == sets[1]
    held = [
        json.loads(line) for line in (tmp_path / "dpo/problems/validation.jsonl").read_text().splitlines()
    ]
    assert {row["id"] for row in held} == {row["problem_id"] for row in rows(tmp_path / "dpo", "validation")}


def test_spacing_and_capitals_do_not_move_a_problem_to_the_other_split() -> None:
    for number in range(50):
        text = f"What is {number} plus 1?"
        assert split_of(text, 0, 0.5) is split_of(f" what IS\n{number}  plus 1? ", 0, 0.5)


async def test_kto_rows_are_balanced_and_weights_are_said(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1), *(wrong(1, n) for n in range(1, 6)))
    manifest = made([run], tmp_path / "one", kind=ExportKind.KTO)
    assert sorted(bool(row["label"]) for row in rows(tmp_path / "one")) == [False, True]
    assert dropped(manifest) == {"balance": 4}
    assert manifest.weights is not None
    assert manifest.weights.desirable == pytest.approx((1, 4 / 3))
    whole = made([run], tmp_path / "all", kind=ExportKind.KTO, balance=Balance(ratio=None))
    assert whole.splits[0].examples == 6
    assert whole.weights is not None
    assert whole.weights.desirable == pytest.approx((5, 20 / 3))


async def test_solutions_are_right_ones(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1), right(1, 2), wrong(1), right(2))
    manifest = made([run], tmp_path / "set", kind=ExportKind.SFT)
    assert {row["trajectory"] for row in rows(tmp_path / "set")} == {right(1).id, right(1, 2).id, right(2).id}
    assert dropped(manifest) == {"wrong": 1}


async def test_steps_carry_the_shared_turns_in_the_prompt(tmp_path: Path) -> None:
    start = program("a = 1")
    good = one(1, 0, start, program("b = 2"), answered("2"))
    bad = one(1, 1, start, program("b = 3"), answered("3"), verdict=Verdict.WRONG)
    run = await run_of(tmp_path / "run", good, bad)
    made([run], tmp_path / "set", kind=ExportKind.STEPS)
    (row,) = rows(tmp_path / "set")
    assert [message["role"] for message in row["prompt"]] == ["user", "assistant", "user"]
    assert [message["content"] for side in ("chosen", "rejected") for message in row[side]] == [
        "```python\nb = 2\n```\n",
        "```python\nb = 3\n```\n",
    ]
    assert row["prefix_turns"] == 1


async def test_what_is_written_can_be_read_as_the_conversations_that_were_sampled(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1), wrong(1))
    made([run], tmp_path / "set", kind=ExportKind.DPO)
    (row,) = rows(tmp_path / "set")
    chosen, rejected = conversations_of(row)
    assert list(chosen.model_text()) == list(right(1).model_text())
    assert list(rejected.model_text()) == list(wrong(1).model_text())


async def test_another_prompt_takes_the_place_of_the_sampled_one(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1))
    made([run], tmp_path / "set", kind=ExportKind.SFT, prompt="tir")
    (row,) = rows(tmp_path / "set")
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    assert row["prompt"][1]["content"] == "What is 1 plus 1?"
    (conversation,) = conversations_of(row)
    assert list(conversation.model_text()) == list(right(1).model_text())


async def test_problems_of_a_benchmark_are_left_out_and_named(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1), right(2))
    bench = tmp_path / "bench.jsonl"
    bench.write_text(json.dumps({"question": "what is 1 PLUS 1?", "answer": "2"}) + "\n")
    settings = Contamination(against=(ProblemSource(path=str(bench)),))
    manifest = made([run], tmp_path / "set", kind=ExportKind.SFT, contamination=settings)
    assert {row["problem_id"] for row in rows(tmp_path / "set")} == {problem(2).id}
    (overlap,) = manifest.overlaps
    assert (overlap.problem, overlap.benchmark) == (problem(1).id, str(bench))
    assert dropped(manifest) == {"contaminated": 1}


async def test_rewards_become_columns_and_margins(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1), wrong(1), wrong(1, 2))
    rewards = tmp_path / "rewards.jsonl"
    scores = {right(1).id: 0.5, wrong(1).id: 0.25, wrong(1, 2).id: 0.75}
    rewards.write_text(
        "".join(json.dumps({"id": key, "reward": value}) + "\n" for key, value in scores.items())
    )
    pairing = Pairing(rule=PairRule.HARDEST_NEGATIVE)
    made([run], tmp_path / "set", kind=ExportKind.DPO, pairing=pairing, rewards=str(rewards))
    (row,) = rows(tmp_path / "set")
    assert (row["chosen_reward"], row["rejected_reward"], row["margin"]) == (0.5, 0.75, -0.25)
    with pytest.raises(UsageError, match="rewards"):
        Exporter(ExportRecipe(kind=ExportKind.DPO, pairing=pairing))


async def test_rewards_of_nobody_are_refused(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1), wrong(1))
    rewards = tmp_path / "rewards.jsonl"
    rewards.write_text('{"id": "someone", "reward": 1}\n')
    with pytest.raises(UsageError, match="no reward for any"):
        made([run], tmp_path / "set", kind=ExportKind.DPO, rewards=str(rewards))


async def test_where_nothing_was_graded_grading_is_what_helps(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", one(1, 0, program("x"), answered("2"), verdict=None))
    with pytest.raises(RunError) as caught:
        made([run], tmp_path / "set", kind=ExportKind.SFT)
    assert "tir grade RUN" in (caught.value.hint or "")
    talked = await run_of(tmp_path / "talk", one(1, 0, answered("2")))
    with pytest.raises(RunError) as caught:
        made([talked], tmp_path / "set", kind=ExportKind.SFT)
    assert "--no-filter no_code" in (caught.value.hint or "")


async def test_nothing_is_written_where_nothing_is_left(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", wrong(1))
    with pytest.raises(RunError, match="Nothing is left") as caught:
        made([run], tmp_path / "set", kind=ExportKind.SFT)
    assert "wrong dropped 1 trajectory" in (caught.value.hint or "")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


async def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1))
    out = tmp_path / "set"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something that is no export"):
        Exporter(ExportRecipe(kind=ExportKind.SFT)).export([run], out, replace=True)
    assert (out / "mine.txt").read_text() == "mine"
    made([run], tmp_path / "other", kind=ExportKind.SFT)
    with pytest.raises(UsageError, match="holds an export already"):
        made([run], tmp_path / "other", kind=ExportKind.SFT)
    again = Exporter(ExportRecipe(kind=ExportKind.SFT))
    (tmp_path / "other" / "model.bin").write_text("weights")
    with pytest.raises(UsageError, match=r"model\.bin, which is no part of the export"):
        again.export([run], tmp_path / "other", replace=True)
    assert (tmp_path / "other" / "model.bin").read_text() == "weights"
    (tmp_path / "other" / "model.bin").unlink()
    again.export([run], tmp_path / "other", replace=True)
    with pytest.raises(UsageError, match="inside the run"):
        made([run], run / "set", kind=ExportKind.SFT)


async def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1))
    with pytest.raises(StorageError):
        made([run], Path("/dev/full/set"), kind=ExportKind.SFT)
    with pytest.raises(StorageError):
        made([run], Path("/proc/set"), kind=ExportKind.SFT)


async def test_a_dialect_without_a_form_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="verl"):
        made([tmp_path / "nothing"], tmp_path / "set", kind=ExportKind.KTO, dialect=Dialect.VERL)


async def test_examples_that_do_not_fit_a_dialect_are_counted_by_reason(tmp_path: Path) -> None:
    run = await run_of(tmp_path / "run", right(1), right(2))
    said: list[str] = []
    exporter = Exporter(
        ExportRecipe(kind=ExportKind.SFT, dialect=Dialect.TRL_TEXT), Progress(say=said.append)
    )
    with pytest.raises(RunError, match="Nothing is left"):
        exporter.export([run], tmp_path / "set")
    (sentence,) = said
    assert sentence.startswith("2 examples do not fit the dialect trl-text: ")


def test_stages_are_named_once() -> None:
    with pytest.raises(ValueError, match="unit"):
        Stage.model_validate({"name": "x", "unit": "apples", "dropped": 0, "left": 0})
