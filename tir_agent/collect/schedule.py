"""What is to be sampled next. Bookkeeping alone: it starts nothing, waits for nothing, and knows no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from tir_agent.collect.plans import Seen, most, wanted
from tir_agent.collect.tasks import Task, drawings, seed_for
from tir_agent.settings import Recipe
from tir_agent.store import Key
from tir_agent.trajectory import Problem, Verdict

__all__ = ["Schedule"]


@dataclass
class _Progress:
    """One problem on its way."""

    problem: Problem
    seen: list[Seen] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    waiting: deque[int] = field(default_factory=deque)
    """Numbers that the plan has asked for and that were not handed out yet; in `running` too."""
    lost: set[int] = field(default_factory=set)
    closed: bool = False

    def next_numbers(self, count: int) -> list[int]:
        """The lowest ones that were never drawn: a resumed run has holes, and fills them first."""
        taken = {one.number for one in self.seen} | self.running | self.lost
        free = (number for number in range(len(taken) + count) if number not in taken)
        return [next(free) for _ in range(count)]


class Schedule:
    """Hands out tasks, and hears what became of each.

    Problems are taken in order, and all samples of one before those of the next: a server that keeps
    prefixes reads the problem once, and problems end early. There is no barrier: the next problem begins
    as soon as there is room.
    """

    def __init__(self, recipe: Recipe, problems: Iterable[Problem]) -> None:
        self._recipe = recipe
        self._order = drawings(recipe.arms, most(recipe.samples))
        self._numbers = {(one.arm, one.index): number for number, one in enumerate(self._order)}
        self._problems = {problem.id: _Progress(problem) for problem in problems}
        self._fresh = deque(self._problems)
        self._open: dict[str, _Progress] = {}
        """Problems that have tasks to hand out; the oldest first."""
        self._expected = len(self._problems) * len(self._order)
        self._ended = 0

    @property
    def expected(self) -> int:
        """Trajectories in the end, as far as it is known: at most so many."""
        return self._expected

    @property
    def problems(self) -> int:
        return len(self._problems)

    @property
    def problems_ended(self) -> int:
        """Those that need no more samples, or can get none."""
        return self._ended

    @property
    def is_over(self) -> bool:
        """Whether every problem has come to its end."""
        return self._ended == len(self._problems)

    def known(self, key: Key) -> bool:
        """Whether such a sample can come up in this run."""
        return key.problem in self._problems and (key.arm, key.index) in self._numbers

    def restore(self, key: Key, verdict: Verdict | None, votes_for: int | None = None) -> None:
        """A sample that is in the log already; to be told before the first task is asked for."""
        progress = self._problems[key.problem]
        progress.seen.append(Seen(self._numbers[key.arm, key.index], verdict, votes_for))

    def next(self, *, elsewhere: bool = False) -> Task | None:
        """A task to begin now; None where the next one hangs on those under way, or all is over.

        `elsewhere` prefers a problem that has not begun: after a failure, to see whether others fare better.
        """
        while True:
            if self._open and not (elsewhere and self._fresh):
                progress = next(iter(self._open.values()))
                return self._task(progress, self._take(progress))
            if not self._fresh:
                return None
            fresh = self._problems[self._fresh.popleft()]
            self._look(fresh)
            if elsewhere and fresh.waiting:
                return self._task(fresh, self._take(fresh))

    def done(self, task: Task, verdict: Verdict | None, votes_for: int | None = None) -> bool:
        """The task's trajectory is in the log; returns whether that is its problem's end."""
        progress, number = self._find(task)
        progress.running.discard(number)
        progress.seen.append(Seen(number, verdict, votes_for))
        self._look(progress)
        return progress.closed

    def again(self, task: Task) -> None:
        """The task came to nothing, and is to be handed out once more, after all that can begin now."""
        progress, number = self._find(task)
        progress.waiting.append(number)
        self._open.pop(progress.problem.id, None)
        self._open[progress.problem.id] = progress

    def lost(self, task: Task) -> None:
        """The task failed too often: it is given up, and its problem goes on without it."""
        progress, number = self._find(task)
        progress.running.discard(number)
        progress.lost.add(number)
        self._look(progress)

    def _look(self, progress: _Progress) -> None:
        """Ask the plan."""
        running, lost = len(progress.running), len(progress.lost)
        count = wanted(self._recipe.samples, progress.seen, running=running, lost=lost)
        numbers = progress.next_numbers(count)
        progress.running.update(numbers)
        progress.waiting.extend(numbers)
        if progress.waiting:
            self._open[progress.problem.id] = progress
        if not progress.running and not progress.closed:
            progress.closed = True
            self._ended += 1
            self._expected -= len(self._order) - len(progress.seen) - len(progress.lost)
            # No one asks about it any more, and there may be a hundred thousand such.
            progress.seen.clear()

    def _take(self, progress: _Progress) -> int:
        number = progress.waiting.popleft()
        if not progress.waiting:
            del self._open[progress.problem.id]
        return number

    def _task(self, progress: _Progress, number: int) -> Task:
        sample = self._order[number]
        key = Key(progress.problem.id, sample.arm, sample.index)
        return Task(progress.problem, sample, seed_for(self._recipe.seed, key))

    def _find(self, task: Task) -> tuple[_Progress, int]:
        return self._problems[task.problem.id], self._numbers[task.sample.arm, task.sample.index]
