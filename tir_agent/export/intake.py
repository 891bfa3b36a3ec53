"""Reading runs: filters that look at one trajectory, and what is left of it as a candidate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tir_agent.errors import MaskError
from tir_agent.evaluate.rewards import RecordedReward
from tir_agent.export.chance import problem_key
from tir_agent.export.contamination import Contaminated
from tir_agent.export.counting import TokenCounter
from tir_agent.export.ledger import Ledger
from tir_agent.export.manifest import Source
from tir_agent.export.reprompting import Reprompting, tools_of
from tir_agent.export.sources import Survey
from tir_agent.export.spool import Spool
from tir_agent.preferences import Conversation
from tir_agent.preferences.candidates import candidate_of
from tir_agent.preferences.filters import Filter, Scope, chosen_filters
from tir_agent.settings import ExportRecipe
from tir_agent.store import Fault, RunReader
from tir_agent.trajectory import Problem, Trajectory, Verdict

__all__ = ["Intake"]

REPEATED = "repeated"
CONTAMINATED = "contaminated"
TEMPLATE = "template"


class Intake:
    """Fills a spool with candidates, and a ledger with what was dropped and why."""

    def __init__(
        self,
        recipe: ExportRecipe,
        spool: Spool,
        ledger: Ledger,
        *,
        counter: TokenCounter,
        contaminated: Contaminated,
        rewards: RecordedReward | None,
        say: Callable[[str], None],
    ) -> None:
        """`say` hears of what someone should look at: a sentence each."""
        self._recipe = recipe
        self._spool = spool
        self._ledger = ledger
        self._counter = counter
        self._contaminated = contaminated
        self._rewards = rewards
        self._say = say
        self._reprompting = Reprompting(recipe.prompt)
        filters = chosen_filters(recipe.filters)
        self._always = [one for one in filters if one.always]
        self._filters = [one for one in filters if not one.always]
        self._refused: set[str] = set()
        self.candidates = 0
        """Trajectories that passed."""
        self.rewarded = 0
        """Those of them that have a reward."""
        ledger.announce(REPEATED, *(one.name for one in self._always))
        if contaminated.asked:
            ledger.announce(CONTAMINATED)
        ledger.announce(*(one.name for one in self._filters))
        if recipe.tokenizer is not None:
            ledger.announce(TEMPLATE)

    def read(self, reader: RunReader, progress: Callable[[], None] = lambda: None) -> Source:
        """All of one run; `progress` is called for each trajectory.

        Raises:
            RunError, StorageError: see `RunReader`.
        """
        survey = Survey(reader)
        for trajectory in self._all(reader, survey):
            progress()
            self._ledger.read += 1
            right = _right(trajectory)
            self._ledger.right += bool(right)
            if not self._spool.is_new(trajectory.id):
                self._ledger.drop(REPEATED, right=bool(right))
                continue
            key = problem_key(trajectory.problem.id, trajectory.problem.text)
            self._spool.count(key, trajectory.problem, right)
            dropped = self._dropped(trajectory, key, bool(right))
            if dropped is not None:
                self._ledger.drop(dropped, right=bool(right))
                if right is not None:
                    self._spool.drop(key, dropped, right)
        return survey.source()

    def _all(self, reader: RunReader, survey: Survey) -> Iterator[Trajectory]:
        def skipped(fault: Fault) -> None:
            survey.skipped()
            self._say(f"skipped {fault}")

        for trajectory in reader.trajectories(skipped):
            survey.see(trajectory)
            yield trajectory
        for trajectory in reader.failures(skipped):
            survey.failed(1)
            yield trajectory

    def _dropped(self, trajectory: Trajectory, key: str, right: bool) -> str | None:
        """The first stage that drops the trajectory; a candidate is made of it where none does."""
        name = _first(self._always, trajectory, right)
        if name is not None:
            return name
        if self._contaminated.holds(key, trajectory.problem):
            return CONTAMINATED
        name = _first(self._filters, trajectory, right)
        if name is not None:
            return name
        try:
            candidate = candidate_of(
                trajectory,
                tools=tools_of(trajectory),
                reward=self._rewards.of(trajectory.id) if self._rewards else None,
                change=partial(_changed, self._reprompting, trajectory.problem),
                count=self._counter.count if self._counter.exact else None,
            )
        except MaskError as error:
            if error.message not in self._refused:
                self._refused.add(error.message)
                self._say(f"{TEMPLATE}: {error.message}")
            return TEMPLATE
        self.candidates += 1
        self.rewarded += candidate.reward is not None
        self._spool.add(key, candidate)
        return None


def _first(filters: list[Filter], trajectory: Trajectory, right: bool) -> str | None:
    for one in filters:
        if (right or one.scope is Scope.ALL) and one.drops(trajectory):
            return one.name
    return None


def _right(trajectory: Trajectory) -> bool | None:
    verdict = trajectory.grade.verdict if trajectory.grade else None
    if verdict is Verdict.CORRECT:
        return True
    return False if verdict is Verdict.WRONG else None


def _changed(reprompting: Reprompting, problem: Problem, conversation: Conversation) -> Conversation:
    return reprompting.change(conversation, problem)
