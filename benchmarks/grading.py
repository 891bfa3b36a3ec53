"""The grader beside Math-Verify alone and a plain comparison of texts, on labelled pairs, inside the sandbox.

    python benchmarks/grading.py [--kernel docker] [--data FOLDER] [--hostile] [--write]

Prints what each gets right, misses (a false negative) and wrongly accepts (a false positive), by category,
for the pairs of `grading_pairs.jsonl`; and every pair that this grader gets wrong. With `--data`, gold
answers of benchmark files against themselves and against perturbed copies, ToRA's recorded predictions, and
samples with a reference's labels. With `--hostile`, answers that mean harm. Writes
`docs/benchmarks/grading.md` with `--write`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tir_agent.grades import Comparison, Grade, GradingRule, Verdict
from tir_agent.kernel.base import Sandbox
from tir_agent.kernel.choice import open_sandbox
from tir_agent.messages import Record
from tir_agent.settings import KernelChoice, Limits

from grading_data import Recorded, golds, perturbed, tora, votes
from grading_hostile import HOSTILE, MARKER

__all__ = ["Pair", "load_pairs"]

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parent / "docs" / "benchmarks" / "grading.md"
SECONDS: Final = 10.0
_CHUNK: Final = 50
_NOTE: Final = """\
The pairs were written by this project, and what the grader got wrong of them was then repaired, so its own
column shows what is covered, not what an unseen set would give. At their first run, of the 617 pairs in all
categories but the last 19 were missed and 2 wrongly accepted. Of 125 written after that repair ("assorted"),
10 were missed and 2 wrongly accepted; one of the missed was mislabelled, and left out. Math-Verify gets no
rule (choices, tolerance, modulo), since it has none."""


class Pair(Record):
    """Two answers and whether they are equal, as a person sees it."""

    category: str
    answer: str
    gold: str
    equal: bool
    rule: GradingRule = GradingRule()


def load_pairs(file: Path = HERE / "grading_pairs.jsonl") -> list[Pair]:
    """The labelled pairs."""
    return [Pair.model_validate_json(line) for line in file.read_text(encoding="utf-8").splitlines()]


@dataclass
class Score:
    """What one grader makes of the pairs of a category."""

    right: int = 0
    missed: int = 0
    wrongly: int = 0
    unknown: int = 0
    """Ended by the deadline or an error."""

    def add(self, equal: bool, said: bool | None) -> None:
        self.right += said is equal
        self.missed += equal and said is not True
        self.wrongly += not equal and said is True
        self.unknown += said is None


async def graded(
    sandbox: Sandbox, asked: Sequence[tuple[str, str]], rules: Sequence[GradingRule] = ()
) -> list[Grade]:
    pairs = [
        Comparison(answer=answer, gold=gold, rule=rules[number] if rules else GradingRule())
        for number, (answer, gold) in enumerate(asked)
    ]
    return await sandbox.grade_many(pairs, timeout=SECONDS)


async def math_verify(sandbox: Sandbox, asked: Sequence[tuple[str, str]]) -> list[bool | None]:
    """Math-Verify alone, in a session: it reads models' texts."""
    program = (HERE / "grading_rival.py").read_text(encoding="utf-8")
    found: list[bool | None] = []
    session = await sandbox.session()
    for start in range(0, len(asked), _CHUNK):
        chunk = asked[start : start + _CHUNK]
        code = f"PAIRS = {[list(pair) for pair in chunk]!r}\n{program}"
        execution = await session.execute(code, timeout=300)
        try:
            found += json.loads(execution.stdout)
        except ValueError:
            found += [None] * len(chunk)
    await session.close()
    return found


async def labelled(sandbox: Sandbox) -> list[str]:
    """The table of the labelled pairs."""
    pairs = load_pairs()
    asked = [(pair.answer, pair.gold) for pair in pairs]
    started = time.monotonic()
    grades = await graded(sandbox, asked, [pair.rule for pair in pairs])
    seconds = time.monotonic() - started
    said: dict[str, Sequence[bool | None]] = {
        "tir-agent": [grade.verdict is Verdict.CORRECT for grade in grades],
        "Math-Verify": await math_verify(sandbox, asked),
        "texts": [answer.strip() == gold.strip() for answer, gold in asked],
    }
    scores: dict[str, dict[str, Score]] = {name: {} for name in said}
    for name, verdicts in said.items():
        for pair, verdict in zip(pairs, verdicts, strict=True):
            for category in (pair.category, "all"):
                scores[name].setdefault(category, Score()).add(pair.equal, verdict)
    for pair, grade in zip(pairs, grades, strict=True):
        if (grade.verdict is Verdict.CORRECT) is not pair.equal:
            print(f"wrong: {pair.answer!r} for {pair.gold!r}: {grade.verdict}, {grade.reason}")
    lines = [
        _NOTE,
        "",
        "Right, missed (equal, but refused) and wrongly accepted, of so many pairs:",
        "",
        f"| category | pairs | {' | '.join(said)} |",
        f"|---|---|{'---|' * len(said)}",
    ]
    for category in sorted(scores["texts"], key="all".__eq__):
        cells = [_cell(scores[name][category]) for name in said]
        count = sum(category in (pair.category, "all") for pair in pairs)
        lines.append(f"| {category} | {count} | {' | '.join(cells)} |")
    ends = Counter(str(grade.verdict) for grade in grades)
    lines += ["", f"{len(pairs)} pairs took {seconds:.1f} s, {seconds / len(pairs) * 1000:.1f} ms each"]
    lines[-1] += f"; {ends['timeout']} timeouts, {ends['ungradable']} ungradable."
    return lines


def _cell(score: Score) -> str:
    return f"{score.right}, {score.missed} missed, {score.wrongly} wrongly"


async def self_check(sandbox: Sandbox, data: Path) -> list[str]:
    """Every gold answer accepts itself, and refuses a perturbed copy."""
    kept = list(golds(data))
    copies = await graded(sandbox, [(f" ${gold}$ ", gold) for _, gold in kept])
    changed = await graded(sandbox, [(perturbed(gold), gold) for _, gold in kept])
    counts: Counter[tuple[str, str]] = Counter()
    exceptions = []
    for (file, gold), copy, other in zip(kept, copies, changed, strict=True):
        counts[file, "gold"] += 1
        counts[file, "itself"] += copy.verdict is Verdict.CORRECT
        counts[file, "refused"] += other.verdict is Verdict.WRONG
        if copy.verdict is not Verdict.CORRECT:
            exceptions.append(f"- {file}: `{gold}` against itself: {copy.verdict}, {copy.reason}")
        if other.verdict is not Verdict.WRONG:
            exceptions.append(f"- {file}: `{perturbed(gold)}` for `{gold}`: {other.verdict}, {other.reason}")
    lines = ["| gold answers of | | accept themselves | refuse a perturbed copy |", "|---|---|---|---|"]
    for file in dict.fromkeys(file for file, _ in kept):
        lines.append(
            f"| {file} | {counts[file, 'gold']} | {counts[file, 'itself']} | {counts[file, 'refused']} |"
        )
    return [*lines, "", "Exceptions:" if exceptions else "No exceptions.", *dict.fromkeys(exceptions)]


async def beside(sandbox: Sandbox, title: str, recorded: Sequence[Recorded]) -> list[str]:
    """Ours beside Math-Verify's verdict, and the source's label where it has one."""
    asked = [(one.answer or "", one.gold) for one in recorded]
    grades = await graded(sandbox, asked)
    rival = await math_verify(sandbox, asked)
    ours = [grade.verdict is Verdict.CORRECT for grade in grades]
    lines = [f"{title}: {len(asked)} answers, {sum(ours)} right; Math-Verify says {rival.count(True)}."]
    differ = Counter(
        f"- `{answer}` for `{gold}`: {grade.verdict} ({grade.reason}); Math-Verify says {other}"
        for (answer, gold), grade, mine, other in zip(asked, grades, ours, rival, strict=True)
        if mine is not (other is True)
    )
    lines += [f"{line}{f', {count} times' if count > 1 else ''}" for line, count in differ.items()]
    if any(one.label is not None for one in recorded):
        labels = Counter(
            f"- problem {one.source}: `{one.answer}` for `{one.gold}`: {grade.verdict} ({grade.reason}); "
            f"the reference says {'right' if one.label else 'wrong'}"
            for one, grade, mine in zip(recorded, grades, ours, strict=True)
            if one.label is not None and mine is not one.label
        )
        share = sum(ours) / len(ours)
        lines += ["", f"Share of right ones: {share:.4f}. {sum(labels.values())} differ from the label:"]
        lines += [f"{line}{f', {count} times' if count > 1 else ''}" for line, count in labels.items()]
    return lines


async def hostile(sandbox: Sandbox) -> list[str]:
    """Each ends in time, none is right, nothing is left behind, and the next honest answer is graded."""
    verdicts: Counter[Verdict] = Counter()
    slowest = 0.0
    for answer in HOSTILE:
        started = time.monotonic()
        grade = await sandbox.grade(answer, "5", timeout=3)
        slowest = max(slowest, time.monotonic() - started)
        verdicts[grade.verdict] += 1
        if grade.verdict is Verdict.CORRECT:
            print(f"accepted: {answer[:80]!r}")
    honest = await sandbox.grade("5.0", "5", timeout=SECONDS)
    session = await sandbox.session()
    seen = await session.execute(f"import os; print(os.path.exists({MARKER!r}))", timeout=10)
    await session.close()
    load = await sandbox.load()
    made = seen.stdout.strip() != "False" or Path(MARKER).exists()
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return [
        f"{len(HOSTILE)} hostile answers for `5`, with a deadline of 3 s: {counts}. "
        f"The slowest took {slowest:.1f} s.",
        f"The honest answer after them: {honest.verdict}. Files made: {'some' if made else 'none'}. "
        f"Jails that had to be replaced: {load.restarts}.",
    ]


async def run(arguments: argparse.Namespace) -> list[str]:
    lines = [
        "# Grading",
        "",
        "`python benchmarks/grading.py --kernel docker --data FOLDER --hostile --write`",
        "",
    ]
    async with await open_sandbox(KernelChoice(arguments.kernel), Limits()) as sandbox:
        lines += ["## Labelled pairs", "", *await labelled(sandbox)]
        if arguments.data is not None:
            lines += ["", "## Gold answers", "", *await self_check(sandbox, arguments.data)]
            lines += ["", "## Recorded answers", ""]
            lines += await beside(sandbox, "ToRA on GSM8K", list(tora(arguments.data)))
            lines += ["", *await beside(sandbox, "Qwen2.5-Math on MATH", list(votes(arguments.data)))]
        if arguments.hostile:
            lines += ["", "## Hostile answers", "", *await hostile(sandbox)]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kernel", choices=["docker", "bubblewrap", "local"], default="docker")
    parser.add_argument("--data", type=Path, help="folder with benchmarks/, replay/ and voting/")
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    lines = asyncio.run(run(arguments))
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.write:
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
