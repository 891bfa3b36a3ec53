"""Carrying out `tir collect`: the crew, the folder, the display, the end."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from tir_agent.cli.collect_view import say_data, say_plan, say_sifted
from tir_agent.cli.interrupts import graceful_stop
from tir_agent.cli.places import api_key, cache_dir
from tir_agent.cli.terminal import Progress as Spinner
from tir_agent.cli.terminal import say
from tir_agent.collect.collector import Collector
from tir_agent.collect.crew import Crew
from tir_agent.collect.event_listener import EventListener
from tir_agent.collect.event_log import EVENT_LOG, EventLog
from tir_agent.collect.events import Ending
from tir_agent.collect.local import LocalCrew, Surroundings
from tir_agent.collect.progress import Progress
from tir_agent.collect.session import (
    Sifted,
    check_unwritten,
    draft_of,
    is_run,
    load,
    open_session,
    problems_of,
    sift,
)
from tir_agent.collect.tasks import Task
from tir_agent.console import CollectView, collect_summary
from tir_agent.costs import PriceTable
from tir_agent.errors import TirError
from tir_agent.models.cache import CapabilityCache
from tir_agent.settings import Operation, Recipe
from tir_agent.tracing import Tracing
from tir_agent.trajectory import Problem

__all__ = ["CrewOpener", "Job", "collect", "dry_run"]

_FILES: Final = 65_536
CrewOpener = Callable[[Recipe, Operation, Surroundings], Awaitable[Crew]]


@dataclass(frozen=True)
class Job:
    """What was asked for."""

    recipe: Recipe
    operation: Operation
    folder: Path
    prices: PriceTable
    check_golds: bool
    resumed: bool
    """The problems are those of the run in `folder`, and not read again."""
    console: Console
    tracing: Tracing | None = None
    open_crew: CrewOpener = LocalCrew.open


async def collect(job: Job) -> tuple[Ending, Progress]:
    """Begin or go on, until all is done or the user stops it.

    Raises:
        TirError: it could not be begun, or came to a bad end; the log holds what was done.
    """
    _allow_many_files()
    async with AsyncExitStack() as stack:
        stopper = _Stopper()
        stack.enter_context(graceful_stop(stopper.first, stopper.second))
        if job.tracing is not None:
            await stack.enter_async_context(job.tracing)
        crew, sifted = await _prepare(job, stack, stopper)
        draft = draft_of(job.recipe, job.operation)
        session = await open_session(job.folder, draft, sifted.problems, crew)
        stack.callback(session.close)
        log = EventLog(job.folder / EVENT_LOG, on_failure=lambda text: say(text, "yellow"))
        stack.callback(log.close)
        listener = EventListener(log, lambda sentence: stopper.note(sentence))
        session.collector.listen(listener)
        stopper.tell(listener)
        for fault in session.writer.repairs:
            say(f"in the log: {fault}", "yellow")
        collector = session.collector
        listener.started(collector.progress)
        view = CollectView(lambda: collector.progress, job.console)
        ending, message = Ending.FAILED, None
        try:
            async with view:
                stopper.watch(collector, view)
                await collector.run()
            ending = _ending(collector.progress)
        except asyncio.CancelledError:
            ending = Ending.CANCELLED
        except TirError as error:
            message = error.message
            raise
        finally:
            listener.ended(ending, collector.progress, message)
            _say_summary(job, collector.progress)
        return ending, collector.progress


def _allow_many_files() -> None:
    """As many open files as this user may have: each live kernel takes several."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def dry_run(job: Job) -> None:
    """Say what would be run, and look whether the golds can be graded. Asks no model anything.

    Raises:
        TirError: it could not be run.
    """
    found = load(job.recipe, job.operation)
    say_data(job.console, found)
    sifted = await sift(job.recipe, found.problems, None)
    say_sifted(job.console, sifted)
    draft_of(job.recipe, job.operation)
    say_plan(job.console, job.recipe, job.operation, sifted.problems, job.folder, job.prices)
    if is_run(job.folder):
        say(f"{job.folder} is the folder of a run: it would be gone on with", "yellow")


async def _prepare(job: Job, stack: AsyncExitStack, stopper: _Stopper) -> tuple[Crew, Sifted]:
    """The crew, and the problems that it can work on."""
    check_unwritten(job.folder)
    before = problems_of(job.folder) if is_run(job.folder) else ()
    problems: tuple[Problem, ...] = before
    if not job.resumed:
        found = load(job.recipe, job.operation)
        say_data(job.console, found)
        problems = found.problems
    with Spinner() as spinner:
        spinner.line("starting the models and the sandbox")
        crew = await job.open_crew(job.recipe, job.operation, _surroundings(job, problems, spinner, stopper))
        stack.push_async_callback(crew.close)
        if job.resumed:
            return crew, Sifted(problems)
        checker = crew if job.check_golds else None
        new = len(problems) - len(before)
        sifted = await sift(
            job.recipe,
            problems,
            checker,
            before=before,
            progress=lambda done: (
                spinner.line(f"checking gold answers: {done} of {new}") if done % 100 == 0 else None
            ),
        )
    say_sifted(job.console, sifted)
    return crew, sifted


def _surroundings(
    job: Job, problems: tuple[Problem, ...], spinner: Spinner, stopper: _Stopper
) -> Surroundings:
    tracing = job.tracing
    return Surroundings(
        secrets=api_key,
        prices=job.prices,
        cache=CapabilityCache(cache_dir() / "capabilities"),
        progress=spinner.line,
        deviate=stopper.note,
        observer=None
        if tracing is None
        else lambda task, settings: tracing.observer(task.problem, settings, task.sample),
        given=stopper.given,
        lost=stopper.lost,
        grades=any(problem.gold is not None for problem in problems),
    )


def _ending(progress: Progress) -> Ending:
    if progress.stopping and progress.done < progress.expected:
        return Ending.STOPPED
    return Ending.INCOMPLETE if progress.given_up else Ending.COMPLETE


def _say_summary(job: Job, progress: Progress) -> None:
    folder = str(job.folder)
    commands = [f"tir eval {folder}", f"tir show {folder}"] if progress.done else []
    if progress.done < progress.expected or progress.given_up:
        commands.insert(0, f"tir collect --resume {folder}")
    job.console.print(collect_summary(progress, folder, commands), soft_wrap=True)


class _Stopper:
    """Between the signals, the crew, the collector and the display, from before there are any until after."""

    def __init__(self) -> None:
        self._collector: Collector | None = None
        self._view: CollectView | None = None
        self._listener: EventListener | None = None
        self._asked = False

    def watch(self, collector: Collector, view: CollectView) -> None:
        self._collector, self._view = collector, view
        if self._asked:
            collector.stop()

    def tell(self, listener: EventListener) -> None:
        self._listener = listener

    def given(self, task: Task, worker: str) -> None:
        if self._listener is not None:
            self._listener.given(task, worker)

    def lost(self, worker: str, reason: str, running: int) -> None:
        if self._listener is not None:
            self._listener.lost_worker(worker, reason, running)
        else:
            self.note(f"{worker} is gone ({reason})")

    def note(self, sentence: str) -> None:
        if self._view is not None:
            self._view.note(sentence, "yellow")
        else:
            say(sentence, "yellow")

    def first(self) -> None:
        self._asked = True
        if self._collector is None:
            self.note("Stopping as soon as it has begun; press Ctrl-C again to stop now")
        else:
            self._collector.stop()
        if self._view is not None:
            self._view.refresh()

    def second(self) -> None:
        self.note("Stopping now: what is under way is dropped")
