"""Rates, votes and best-of-N on recorded samples, beside the figures that a reference evaluation gave.

    python benchmarks/voting.py [--data FOLDER] [--kernel auto] [--write PAGE]

Reads `voting/qwen25_math_cot.jsonl` in the data folder: one object a line with `problem`, `gold`, eight
`responses`, and the reference's `reference_pred` and `reference_score` of each, and the `reward` that an
outcome reward model gave it. First the reference's own answers and scores go into the estimators here: the
figures must be its own. Then answers are extracted and graded here, and every sample on which the verdict
is another, and every vote that ends otherwise, is listed with the reason.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tir_agent.answers import extract_answer
from tir_agent.errors import TirError
from tir_agent.evaluate.clusters import AskedOnce, cluster
from tir_agent.evaluate.report import Evaluation, evaluate
from tir_agent.evaluate.results import Result
from tir_agent.grading import grade_answer
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice, Limits
from tir_agent.trajectory import Grade, StopReason, Verdict

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
REFERENCE = {"pass@1": 0.9245, "maj@8": 0.9623, "rm@8": 0.9434}
AT_ONCE = 8
Clusters = Mapping[tuple[str, str, int], int | None]


@dataclass(frozen=True)
class Read:
    """The samples as one reader sees them."""

    name: str
    results: list[Result]
    clusters: Clusters
    grades: Mapping[tuple[str, str, int], Grade]

    def evaluation(self) -> Evaluation:
        return evaluate(self.name, self.results, ks=[1, 2, 4, 8], clusters=self.clusters)

    def figures(self) -> dict[str, float]:
        """By the reference's conventions: the vote of all samples in their order."""
        evaluation = self.evaluation()
        vote = evaluation.votes[-1]
        assert evaluation.pass_at_1 is not None
        assert vote.best is not None
        return {"pass@1": evaluation.pass_at_1.value, "maj@8": vote.first, "rm@8": vote.best.value}


def result(row: dict[str, Any], index: int, answer: str | None, verdict: Verdict) -> Result:
    return Result(
        problem=str(row["id"]),
        arm="qwen25_math_cot",
        index=index,
        stop=StopReason.ANSWERED if answer is not None else StopReason.NO_ACTION,
        verdict=verdict,
        answer=answer,
        reward=row["reward"][index],
    )


async def theirs(rows: Sequence[dict[str, Any]]) -> Read:
    """The reference's answers and scores; its vote counts equal texts."""
    results: list[Result] = []
    clusters: dict[tuple[str, str, int], int | None] = {}
    for row in rows:
        answers = [pred or None for pred in row["reference_pred"]]
        texts: dict[str, int] = {}
        for index, (answer, right) in enumerate(zip(answers, row["reference_score"], strict=True)):
            one = result(row, index, answer, Verdict.CORRECT if right else Verdict.WRONG)
            clusters[one.key] = None if answer is None else texts.setdefault(answer, len(texts))
            results.append(one)
    return Read("their answers and scores", results, clusters, {})


async def ours(rows: Sequence[dict[str, Any]], sandbox: Sandbox) -> Read:
    """Extracted, graded and clustered here."""
    places = asyncio.Semaphore(AT_ONCE)

    async def grade(answer: str | None, gold: str) -> Grade:
        async with places:
            return await grade_answer(sandbox, answer, gold)

    async def equal(one: str, other: str) -> bool | None:
        verdict = (await grade_answer(sandbox, one, other)).verdict
        undecided = verdict in {Verdict.UNGRADABLE, Verdict.TIMEOUT}
        return None if undecided else verdict is Verdict.CORRECT

    async def one(row: dict[str, Any]) -> tuple[list[Result], list[int | None], list[Grade]]:
        answers = [extract_answer(response) for response in row["responses"]]
        grades = await asyncio.gather(*(grade(answer, row["gold"]) for answer in answers))
        numbers = await cluster(answers, AskedOnce(equal, places))
        return (
            [result(row, n, answer, grades[n].verdict) for n, answer in enumerate(answers)],
            numbers,
            grades,
        )

    read = await asyncio.gather(*(one(row) for row in rows))
    results = [result for found, _, _ in read for result in found]
    numbers = [number for _, found, _ in read for number in found]
    grades = [grade for _, _, found in read for grade in found]
    keys = [result.key for result in results]
    return Read(
        "our extraction, grading and equality",
        results,
        dict(zip(keys, numbers, strict=True)),
        dict(zip(keys, grades, strict=True)),
    )


def differences(rows: Sequence[dict[str, Any]], there: Read, here: Read) -> list[str]:
    """One line for each way in which a problem is read otherwise, with what the grader says."""
    lines: list[str] = []
    golds = {str(row["id"]): row["gold"] for row in rows}
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for old, new in zip(there.results, here.results, strict=True):
        if old.correct != new.correct:
            reason = here.grades[new.key].reason
            what = f"`{old.answer}` was {_word(old)} there; `{new.answer}` is {_word(new)} here"
            found.setdefault((new.problem, golds[new.problem], what, reason), []).append(new.index)
    for (problem, gold, what, reason), samples in found.items():
        lines.append(f"- problem {problem}, samples {samples}, gold `{gold}`: {what} ({reason})")
    return lines


def split_votes(there: Read, here: Read) -> list[str]:
    """The problems of which votes or clusters differ, one line each."""
    lines = []
    for problem in dict.fromkeys(result.problem for result in here.results):
        parts = [_sizes(read, problem) for read in (there, here)]
        if parts[0] != parts[1]:
            lines.append(f"- problem {problem}: answers in groups of {parts[0]} there, {parts[1]} here")
    return lines


def _sizes(read: Read, problem: str) -> list[int]:
    numbers = [read.clusters[one.key] for one in read.results if one.problem == problem]
    return sorted((numbers.count(n) for n in set(numbers) if n is not None), reverse=True)


def _word(result: Result) -> str:
    return "right" if result.correct else str(result.verdict)


def page(rows: Sequence[dict[str, Any]], reads: Sequence[Read], kernel: str) -> str:
    there, here = reads
    figures = [read.figures() for read in reads]
    lines = [
        "# Rates and votes beside a reference evaluation",
        "",
        f"{len(rows)} problems of MATH with eight samples each by Qwen2.5-Math (chain of thought), and the "
        f"scores of an outcome reward model. Sandbox: {kernel}.",
        "",
        "| | " + " | ".join(REFERENCE) + " |",
        "|---|" + "---:|" * len(REFERENCE),
        "| reported by the reference | " + " | ".join(f"{value:.4f}" for value in REFERENCE.values()) + " |",
    ]
    for read, figure in zip(reads, figures, strict=True):
        lines.append(f"| {read.name} | " + " | ".join(f"{figure[name]:.4f}" for name in REFERENCE) + " |")
    lines += ["", "maj@8 here is the vote of all eight in their order, ties to the answer seen first."]
    lines += ["", "With errors, and expected over all subsets and orders (ties shared):", ""]
    lines += ["| | k | pass@k | 95 % | maj@k | 95 % | ties | rm@k | wmaj@k |", "|---|" + "---:|" * 8]
    for read in reads:
        evaluation = read.evaluation()
        for at, vote in zip(evaluation.passes, evaluation.votes, strict=True):
            assert at.rate is not None
            assert vote.best is not None
            assert vote.weighted is not None
            cells = [read.name, str(at.k), f"{at.rate.value:.4f}", f"{at.rate.low:.3f} to {at.rate.high:.3f}"]
            cells += [f"{vote.majority.value:.4f}", f"{vote.majority.low:.3f} to {vote.majority.high:.3f}"]
            cells += [f"{vote.tied:.4f}", f"{vote.best.value:.4f}", f"{vote.weighted.value:.4f}"]
            lines.append("| " + " | ".join(cells) + " |")
    verdicts, groups = differences(rows, there, here), split_votes(there, here)
    lines += ["", f"## Samples with another verdict ({len(verdicts)} kinds)", "", *(verdicts or ["None."])]
    lines += [
        "",
        f"## Problems whose answers fall into other groups ({len(groups)})",
        "",
        *(groups or ["None."]),
    ]
    lines += ["", "Written by `python benchmarks/voting.py --write docs/benchmarks/voting.md`."]
    return "\n".join(lines) + "\n"


async def run(rows: Sequence[dict[str, Any]], kernel: KernelChoice) -> tuple[list[Read], str]:
    async with await open_sandbox(kernel, Limits(), pool=0) as sandbox:
        return [await theirs(rows), await ours(rows, sandbox)], sandbox.info.backend


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--kernel", default="auto")
    parser.add_argument("--write", type=Path, help="write the page here")
    arguments = parser.parse_args()
    path = arguments.data / "voting" / "qwen25_math_cot.jsonl"
    if not path.is_file():
        print(f"there is no {path}; name the data folder with --data", file=sys.stderr)
        return 2
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    try:
        reads, kernel = asyncio.run(run(rows, KernelChoice(arguments.kernel)))
    except TirError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    text = page(rows, reads, kernel)
    print(text)
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")
    same = all(round(value, 4) == REFERENCE[name] for name, value in reads[0].figures().items())
    return 0 if same else 3


if __name__ == "__main__":
    sys.exit(main())
