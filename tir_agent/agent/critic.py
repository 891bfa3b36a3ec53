"""A critic: a model that judges a solution in a conversation apart, and solves nothing."""

from __future__ import annotations

from contextlib import AsyncExitStack

from tir_agent.agent.gate import Gate
from tir_agent.agent.run import Run
from tir_agent.agent.telling import solution_text
from tir_agent.messages import Message, Origin, Role
from tir_agent.models.base import Model
from tir_agent.prompts import Prompt, fill
from tir_agent.settings import ConversationForm, RunSettings

__all__ = ["Critic"]


class Critic:
    """Sees the problem and the solution alone: no system text, no exemplars, no tool."""

    def __init__(self, model: Model, gate: Gate, prompt: Prompt, settings: RunSettings) -> None:
        self._model = model
        self._gate = gate
        self._prompt = prompt
        self._settings = settings

    async def review(self, run: Run) -> str:
        """What the critic says of the run's solution; it is recorded with the newest reply.

        Raises:
            ModelError: as `Model.complete`.
        """
        request = fill(
            self._prompt.feedback.critic,
            problem=(run.problem.text, Origin.PROBLEM),
            solution=(solution_text(run.turns), Origin.PROMPT),
        )
        raw = run.form is ConversationForm.COMPLETION
        async with AsyncExitStack() as place:
            with run.queue():
                await place.enter_async_context(self._gate.request())
            left = max(self._settings.budget.max_seconds - run.seconds, 1.0)
            with run.model_time():
                critique = await self._model.complete(
                    [Message.of(Role.RAW if raw else Role.USER, *request)],
                    run.sampling(self._settings.sampling.max_tokens),
                    timeout=left,
                )
        run.add_critique(critique)
        return critique.text.strip()
