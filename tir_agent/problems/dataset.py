"""Problems from a data set: read, guessed, checked, filtered, ordered."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from tir_agent.errors import DataError
from tir_agent.problems.drafts import Draft, drafts_of
from tir_agent.problems.fields import guess_fields
from tir_agent.problems.filters import Filter, parse_filter
from tir_agent.problems.guess import Guess
from tir_agent.problems.ids import made_unique
from tir_agent.problems.reading import read_rows
from tir_agent.problems.rows import Fault, Read, Row
from tir_agent.problems.values import paths_in
from tir_agent.settings import ProblemSource
from tir_agent.trajectory import Problem

__all__ = ["Counts", "ProblemSet", "load_problems"]

_SAMPLE: Final = 200
"""Rows from which the fields are guessed."""
_HOPELESS: Final = 1000
"""Lines of which none is a row, after which the rest is not read."""


@dataclass(frozen=True)
class Counts:
    """How many were left after each step."""

    rows: int
    """Lines or rows that were there, faulty ones included."""
    problems: int
    """Different problems."""
    filtered: int
    """Of these, what the filters let through."""
    taken: int
    """And what the limit left."""


@dataclass(frozen=True)
class ProblemSet:
    """Problems in the order in which they are to be taken, and how they were come by."""

    problems: tuple[Problem, ...]
    guess: Guess
    faults: tuple[Fault, ...]
    """Lines that are none, duplicates, golds that are missing, in the data's order; then ids."""
    digest: str
    """SHA-256 over ids, texts, golds and rules in order: equal for equal problems in equal order."""
    counts: Counts


def load_problems(source: ProblemSource) -> ProblemSet:
    """Read a data set as problems.

    Lines that cannot be read, problems without a text and (unless they are to be kept) duplicates are left
    out and reported; a problem
    without a gold answer is kept and reported. Ids depend neither on filters nor on order or limit.

    Raises:
        DataError: it cannot be read, has no problem in it, a field is missing, or a filter is none; or
            the filters let nothing through.
    """
    filters = [parse_filter(written) for written in source.filters]
    faults: list[Fault] = []
    reads = _Counted(read_rows(source))
    start = list(_start(reads))
    sample = [read for read in start if isinstance(read, Row)]
    if not sample:
        raise _nothing(source, [read for read in start if isinstance(read, Fault)])
    guess = guess_fields(sample, source.fields)
    found = drafts_of(chain(start, reads), guess, keep_fields=bool(filters), faults=faults)
    drafts = list(_distinct(found, faults, keep=source.keep_duplicates))
    if not drafts:
        raise _nothing(source, faults)
    problems, guess = _with_ids(drafts, guess, source.fields.id is not None, faults)
    passed = _filtered(problems, drafts, filters, sample)
    if not passed:
        raise DataError(f"None of the {len(problems):,} problems in {source.path} meets the filters")
    if source.shuffle:
        passed.sort(key=lambda problem: _order(source.seed, problem))
    taken = tuple(passed[: source.limit])
    counts = Counts(rows=reads.count, problems=len(problems), filtered=len(passed), taken=len(taken))
    return ProblemSet(taken, guess, tuple(faults), _digest(taken), counts)


class _Counted:
    """What was read, counted; ends early where nothing of it is a row."""

    def __init__(self, reads: Iterator[Read]) -> None:
        self._reads = reads
        self._found = False
        self.count = 0

    def __iter__(self) -> Iterator[Read]:
        return self

    def __next__(self) -> Read:
        if self.count >= _HOPELESS and not self._found:
            raise StopIteration
        read = next(self._reads)
        self.count += 1
        self._found = self._found or isinstance(read, Row)
        return read


def _start(reads: Iterator[Read]) -> Iterator[Read]:
    """What was read until there are enough rows to guess from."""
    rows = 0
    for read in reads:
        yield read
        rows += isinstance(read, Row)
        if rows == _SAMPLE:
            return


def _nothing(source: ProblemSource, faults: Sequence[Fault]) -> DataError:
    if not faults:
        return DataError(f"{source.path} is empty")
    first = faults[0]
    said = f"{source.path} holds no problem ({len(faults):,} faults)"
    return DataError(said, hint=f"The first, at {first.where}: {first.sentence}")


def _distinct(drafts: Iterator[Draft], faults: list[Fault], *, keep: bool) -> Iterator[Draft]:
    """The first of each problem: one of the same text and the same choices; with `keep`, the others too."""
    seen: dict[str, Problem] = {}
    copies: Counter[str] = Counter()
    for draft in drafts:
        problem = draft.problem
        first = seen.setdefault(problem.id, problem)
        if first is problem:
            yield draft
        elif keep:
            copies[problem.id] += 1
            numbered = f"{problem.id}-{copies[problem.id] + 1}"
            faults.append(Fault(problem.source or "", f"It is the same problem as {first.source}, and kept"))
            yield replace(draft, problem=problem.model_copy(update={"id": numbered}))
        elif first.gold == problem.gold:
            faults.append(Fault(problem.source or "", f"It is the same problem as {first.source}"))
        else:
            faults.append(
                Fault(
                    problem.source or "",
                    f"It conflicts with {first.source}: the same problem, whose gold answer is "
                    f"{first.gold!r} there and {problem.gold!r} here; the first was kept",
                )
            )


def _with_ids(
    drafts: Sequence[Draft], guess: Guess, given: bool, faults: list[Fault]
) -> tuple[list[Problem], Guess]:
    """With the data set's own ids, where the user wants them or they tell the problems apart."""
    hashed = [draft.problem for draft in drafts]
    if guess.id is None:
        return hashed, guess
    own = [draft.own_id for draft in drafts]
    name = guess.id.fields[0]
    if not given and (None in own or len(set(own)) < len(own)):
        why = "is not in every row" if None in own else "is not a row's alone"
        return hashed, replace(guess, id=None, id_refused=f"{name} {why}")
    wanted = [each or problem.id for each, problem in zip(own, hashed, strict=True)]
    problems: list[Problem] = []
    for draft, old, new in zip(drafts, wanted, made_unique(wanted), strict=True):
        where = draft.problem.source or ""
        if draft.own_id is None:
            faults.append(Fault(where, f"There is no id in {name}: it was made of the text"))
        elif old != new:
            faults.append(Fault(where, f"The id {old!r} is another problem's too: it was made {new!r}"))
        problems.append(draft.problem.model_copy(update={"id": new}))
    return problems, guess


def _filtered(
    problems: Sequence[Problem], drafts: Sequence[Draft], filters: Sequence[Filter], sample: Sequence[Row]
) -> list[Problem]:
    for each in filters:
        if not any(each.applies(draft.fields) for draft in drafts):
            names = dict.fromkeys(path for row in sample for path, _ in paths_in(row.fields))
            raise each.unknown(list(names)[:40])
    return [
        problem
        for problem, draft in zip(problems, drafts, strict=True)
        if all(each.holds(problem, draft.fields) for each in filters)
    ]


def _order(seed: int, problem: Problem) -> bytes:
    return hashlib.sha256(f"{seed}:{problem.id}".encode()).digest()


def _digest(problems: Sequence[Problem]) -> str:
    digest = hashlib.sha256()
    for problem in problems:
        row = [problem.id, problem.text, problem.gold, problem.rule.model_dump(mode="json")]
        digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()
