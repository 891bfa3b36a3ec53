"""What a driver and its workers on other machines say to one another: JSON, whatever runs at either end.

API keys are among it. They go as arguments of calls, and are in no log and no text of an error.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tir_agent import errors
from tir_agent.collect.arms import prompt_of, server_of
from tir_agent.collect.local import Surroundings
from tir_agent.collect.tasks import Task
from tir_agent.costs import Price, PriceTable
from tir_agent.errors import MachineryError, PromptError, TirError
from tir_agent.models.choice import is_embedded
from tir_agent.prompts import find_prompt
from tir_agent.settings import Operation, Recipe
from tir_agent.trajectory import Failure, Grade, GradingRule, Problem, Sample, Trajectory

__all__ = ["Outcome", "Outfit", "PromptFile", "Question", "Report", "TaskLine", "error_of", "failure_of"]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PromptFile(_Line):
    """A prompt as it stands in its file: its name and the hash of its bytes are the prompt's identity."""

    name: str
    text: str


class Outfit(_Line):
    """All that a worker needs to be a crew."""

    recipe: Recipe
    operation: Operation
    prompts: tuple[PromptFile, ...]
    """One for each arm, in their order."""
    keys: dict[str, str] = Field(repr=False)
    """API keys by the environment variables that they were in; the usual one is ''."""
    shipped_prices: dict[str, Price]
    own_prices: dict[str, Price]
    cache: Path | None
    """Where to keep what servers were found to do."""
    folder: Path
    """What relative paths of models are relative to."""
    grades: bool

    @classmethod
    def pack(cls, recipe: Recipe, operation: Operation, surroundings: Surroundings) -> Outfit:
        """What `surroundings` says, as data.

        Raises:
            PromptError: a prompt cannot be read.
            UsageError: a key's variable is not set.
        """
        keys: dict[str, str] = {}
        for arm in recipe.arms:
            variable = server_of(arm, operation).api_key_env
            if not is_embedded(arm.model) and (key := surroundings.secrets(variable)) is not None:
                keys[variable or ""] = key
        prices = surroundings.prices or PriceTable.load(None)
        return cls(
            recipe=recipe,
            operation=operation,
            prompts=tuple(_read(prompt_of(arm).name, arm.prompt) for arm in recipe.arms),
            keys=keys,
            shipped_prices=dict(prices.shipped),
            own_prices=dict(prices.own),
            cache=surroundings.cache.folder if surroundings.cache else None,
            folder=Path.cwd(),
            grades=surroundings.grades,
        )

    def unpack_prompts(self, folder: Path) -> Recipe:
        """Write the prompts into `folder`; returns the recipe that finds them there."""
        arms = []
        for number, (arm, prompt) in enumerate(zip(self.recipe.arms, self.prompts, strict=True)):
            path = folder / str(number) / prompt.name
            path.parent.mkdir()
            path.write_bytes(prompt.text.encode("utf-8"))
            arms.append(arm.model_copy(update={"prompt": str(path)}))
        return self.recipe.model_copy(update={"arms": tuple(arms)})


class TaskLine(_Line):
    """A `Task`."""

    problem: Problem
    sample: Sample
    seed: int

    @classmethod
    def of(cls, task: Task) -> TaskLine:
        return cls(problem=task.problem, sample=task.sample, seed=task.seed)

    @property
    def task(self) -> Task:
        return Task(self.problem, self.sample, self.seed)


class Question(_Line):
    """Whether an answer is right."""

    answer: str
    gold: str
    rule: GradingRule


class Outcome(_Line):
    """What became of a call: what was asked for, or why there is none."""

    trajectory: Trajectory | None = None
    grade: Grade | None = None
    failure: Failure | None = None


class Report(_Line):
    """How a worker stands."""

    waiting_model: int = 0
    in_model: int = 0
    waiting_kernel: int = 0
    in_kernel: int = 0
    notes: tuple[str, ...] = ()
    """What was not done as asked, since the last report."""
    progress: str | None = None
    """Slow work that is under way."""


def failure_of(error: Exception) -> Failure:
    """An error for the wire."""
    if isinstance(error, TirError):
        return Failure(kind=type(error).__name__, message=error.message, hint=error.hint)
    return Failure(kind=type(error).__name__, message=f"{type(error).__name__}: {error}")


def error_of(failure: Failure, where: str) -> TirError:
    """The error that was put on the wire; one of another program's classes is a MachineryError."""
    kind = getattr(errors, failure.kind) if failure.kind in errors.__all__ else MachineryError
    error = kind(f"{failure.message} (on {where})", hint=failure.hint)
    assert isinstance(error, TirError)
    return error


def _read(name: str, given: str | None) -> PromptFile:
    path = find_prompt(given or name)
    try:
        return PromptFile(name=path.name, text=path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"Cannot read the prompt file {path}: {error}") from None
