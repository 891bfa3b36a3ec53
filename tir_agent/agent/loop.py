"""The loop: model turn, parse, execute, observation, and again, until answered or a budget is spent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from tir_agent.agent.asking import ask
from tir_agent.agent.budget import is_crowded, room_for_reply, spent
from tir_agent.agent.cells import Cells
from tir_agent.agent.conversation import Part
from tir_agent.agent.critic import Critic
from tir_agent.agent.environment import environment_of
from tir_agent.agent.gate import Gate, OpenGate
from tir_agent.agent.observer import Observer
from tir_agent.agent.opening import suit
from tir_agent.agent.repetition import find_loop
from tir_agent.agent.run import Run
from tir_agent.agent.telling import answer_to, check_part, outcome
from tir_agent.answers import extract_answer
from tir_agent.costs import Price
from tir_agent.errors import ContextOverflow, MachineryError, SandboxLost
from tir_agent.grading import grade_answer
from tir_agent.kernel.base import Sandbox
from tir_agent.models.base import Model
from tir_agent.models.capabilities import Capabilities, Prefill
from tir_agent.prompts import Prompt, fill
from tir_agent.protocols import Action, protocol_for
from tir_agent.settings import ConversationForm, RunSettings
from tir_agent.trajectory import (
    Completion,
    Feedback,
    FinishReason,
    Problem,
    Sample,
    StopReason,
    Trajectory,
)

__all__ = ["Agent"]

_FORCED_TOKENS: Final = 64
"""Tokens of a forced answer: it is a number or a short formula."""
_SHORT_REPLIES: Final = (256, 64)
"""Tokens of a reply that is asked for where a longer one does not fit beside the prompt: several servers
refuse a limit that exceeds the window, though the reply itself might not."""
_FORCED_STOP: Final = ("\n",)
_NOT_FORCED: Final = frozenset({StopReason.ANSWERED, StopReason.CONTEXT_FULL, StopReason.TIME_LIMIT})


class Agent:
    """Solves problems. Safe for concurrent use: each call of `solve` has its own kernel session."""

    def __init__(
        self,
        model: Model,
        sandbox: Sandbox | None,
        prompt: Prompt,
        settings: RunSettings,
        *,
        critic: Model | None = None,
        model_server: str | None = None,
        price: Price | None = None,
        gate: Gate | None = None,
    ) -> None:
        """`sandbox` may be None for a prompt without a tool; answers are then not graded.

        `critic` reviews answers where the settings ask for it, `model` where it is None.
        `model_server` is what the server says of itself, for the record; `price` is what the model costs,
        where that is known. `gate` is where runs that share what there is wait for their turns.
        """
        if sandbox is None and prompt.uses_tool:
            raise ValueError(f"the prompt {prompt.name!r} runs code, so it needs a sandbox")
        self._model = model
        self._gate = gate or OpenGate()
        self._critic = Critic(critic or model, self._gate, prompt, settings)
        self._sandbox = sandbox
        self._prompt = prompt
        self._settings = settings
        self._protocol = protocol_for(prompt.protocol)
        self._environment = environment_of(sandbox, model_server)
        self._price = price

    async def solve(
        self,
        problem: Problem,
        *,
        observer: Observer | None = None,
        save: Callable[[Trajectory], None] = lambda trajectory: None,
        notes: tuple[str, ...] = (),
        sample: Sample | None = None,
        seed: int | None = None,
    ) -> Trajectory:
        """Run until there is an answer or a budget is spent.

        `sample` says which of a collection's samples this is; `seed` stands for the settings' seed.
        `save` gets the trajectory whatever happens, cancellation and errors of this program included.
        The machinery's failures are not raised but recorded (`stop` is ERROR, `failure` says why).
        """
        observer = observer or Observer()
        settings = self._settings if seed is None else self._settings.seeded(seed)
        run = Run(problem, self._prompt, settings, self._environment, self._price, sample)
        run.notes += notes
        try:
            await self._run(run, observer)
        except MachineryError as error:
            run.fail(error)
        except Exception as error:
            run.fail(error)
            raise
        finally:
            trajectory = run.record()
            observer.stopped(trajectory.stop, trajectory.answer)
            if trajectory.grade is not None:
                observer.graded(trajectory.grade)
            observer.recorded(trajectory)
            save(trajectory)
        return trajectory

    async def _run(self, run: Run, observer: Observer) -> None:
        # The first run waits until the server has shown what it can do, and the others with it.
        with run.queue():
            capabilities = await self._model.capabilities()
        suit(run, self._prompt, self._protocol, capabilities, self._settings)
        async with AsyncExitStack() as stack:
            cells = None
            if self._sandbox is not None and self._protocol.executes:
                cells = Cells(self._sandbox, self._gate, run, self._prompt, self._settings, observer)
                await stack.enter_async_context(cells)
            while True:
                stop = await self._attempt(run, cells, observer, capabilities)
                if not self._starts_again(run, stop):
                    break
                run.start_again(stop)
                observer.started_again()
            run.stop = stop
        await self._grade(run)

    async def _grade(self, run: Run) -> None:
        """Compare the answer with the gold one. What was solved stays so, whatever becomes of this."""
        problem = run.problem
        if self._sandbox is None or problem.gold is None:
            return
        try:
            async with AsyncExitStack() as place:
                # A grader that gets no processor would run into its deadline over a right answer.
                with run.queue():
                    await place.enter_async_context(self._gate.cell())
                run.grade = await grade_answer(self._sandbox, run.answer, problem.gold, rule=problem.rule)
        except SandboxLost as error:
            run.notes.append(f"The answer was not graded: {error.message}")

    async def _attempt(
        self, run: Run, cells: Cells | None, observer: Observer, capabilities: Capabilities
    ) -> StopReason:
        """From the opening to an answer or to the end of a budget."""
        run.last_turn_for = spent(self._settings.budget, run)
        try:
            stop = None
            while stop is None:
                stop = await self._turn(run, cells, observer)
        except ContextOverflow as error:
            run.notes.append(error.message)
            stop = StopReason.CONTEXT_FULL
        if stop is not StopReason.ANSWERED and run.checks.answer is not None:
            run.notes.append("The answer was given before the last check of it, which brought no other")
            run.answer = run.checks.answer
            return StopReason.ANSWERED
        if self._settings.stages.forced_answer and stop not in _NOT_FORCED:
            return await self._forced(run, stop, observer, capabilities)
        return stop

    async def _turn(self, run: Run, cells: Cells | None, observer: Observer) -> StopReason | None:
        """One reply and what comes of it; why the attempt ends with it, where it does."""
        if room_for_reply(self._settings.budget, self._settings.sampling, run) <= 0:
            return StopReason.TOKEN_LIMIT
        completion = await self._reply(run, observer)
        action = self._read(completion)
        answer = action.answer or extract_answer(action.prose)
        run.add_reply(completion, action, answer)
        observer.reply_ended(action)
        if completion.finish_reason is FinishReason.ABORTED:
            return StopReason.TIME_LIMIT
        if cells is not None:
            await cells.run(action)
        said = await self._said(run, action, completion)
        if isinstance(said, StopReason):
            return said
        observer.told(run.tell(said), [part.kind for part in said])
        return None

    async def _said(self, run: Run, action: Action, completion: Completion) -> StopReason | list[Part]:
        """Why the attempt ends with this reply, or what is said to it."""
        budget, answer = self._settings.budget, run.turns[-1].answer
        called = bool(action.blocks or action.bad_calls)
        acted = called or action.malformed is not None
        # An answer that came with code does not count until the code has run and its output was
        # seen, but for the last turn, after which there is nothing to see.
        if answer is not None and (not called or run.last_turn_for) and self._may_answer(run):
            check = None if run.last_turn_for else run.checks.next(answer)
            if check is None:
                run.answer = answer
                return StopReason.ANSWERED
            critique = await self._critic.review(run) if check is Feedback.CRITIQUE else ""
            run.last_turn_for = spent(budget, run)
            return [check_part(check, self._prompt, critique)]
        if run.last_turn_for:
            run.unsaid = outcome(run, action, self._prompt)
            return run.last_turn_for
        if not acted and run.checks.answer is not None:
            run.answer = run.checks.answer
            return StopReason.ANSWERED
        if not acted and run.nudged:
            return StopReason.NO_ACTION
        run.nudged = not acted
        if is_crowded(budget, run):
            run.make_room()
        looped = completion.finish_reason is FinishReason.REPETITION
        run.last_turn_for = StopReason.REPETITION if looped else spent(budget, run)
        return answer_to(run, action, self._prompt, budget)

    def _read(self, completion: Completion) -> Action:
        action = self._protocol.parse(completion)
        chars = self._settings.budget.max_loop_chars
        if completion.finish_reason is FinishReason.REPETITION and chars is not None:
            # The watch looked at the end of the text as it stood some characters earlier.
            loop = find_loop(completion.text, chars // 2)
            if loop is not None:
                action = replace(action, kept=min(action.kept, loop.start + loop.period))
        return action

    def _may_answer(self, run: Run) -> bool:
        return run.code_has_run or not (self._settings.stages.code_first and self._protocol.executes)

    async def _reply(self, run: Run, observer: Observer) -> Completion:
        """Ask for a reply; where it does not fit the context, for a shorter one, and then make room."""
        sampling = self._settings.sampling
        most = sampling.max_tokens
        while True:
            observer.reply_started(len(run.turns) + 1)
            room = min(room_for_reply(self._settings.budget, sampling, run), most)
            try:
                return await self._ask(run, observer, room, self._prompt.stop)
            except ContextOverflow:
                shorter = next((tokens for tokens in _SHORT_REPLIES if tokens < room), None)
                if shorter is None and not run.make_room():
                    raise
                most = shorter or sampling.max_tokens

    async def _ask(self, run: Run, observer: Observer, room: int, stop: tuple[str, ...]) -> Completion:
        return await ask(
            self._model,
            self._gate,
            run,
            self._settings,
            observer,
            sampling=run.sampling(room),
            stop=stop,
            tools=self._protocol.tools,
            keep=lambda completion: run.add_reply(completion, self._protocol.parse(completion), None),
        )

    async def _forced(
        self, run: Run, stop: StopReason, observer: Observer, capabilities: Capabilities
    ) -> StopReason:
        """Begin the answer, and let the model end it."""
        if run.form is not ConversationForm.COMPLETION and capabilities.prefill is Prefill.NONE:
            run.notes.append("No answer was forced: the server does not continue an assistant's message")
            return stop
        if run.unsaid:
            observer.told(run.tell(run.unsaid), [part.kind for part in run.unsaid])
        beginning = fill(self._prompt.feedback.force)
        observer.told(run.begin_reply(Feedback.FORCED, beginning), [Feedback.FORCED])
        completion = await self._ask(run, observer, _FORCED_TOKENS, _FORCED_STOP)
        begun = "".join(text for text, _ in beginning)
        run.answer = extract_answer(begun + completion.text)
        action = Action(kept=len(completion.text), blocks=(), prose=completion.text)
        run.add_reply(completion, action, run.answer)
        observer.reply_ended(action)
        return stop if run.answer is None else StopReason.ANSWERED

    def _starts_again(self, run: Run, stop: StopReason) -> bool:
        """Whether an attempt that ran no code is given up for a fresh one."""
        if len(run.attempts) >= self._settings.stages.restarts or not self._protocol.executes:
            return False
        if any(turn.cells for turn in run.turns) or stop is StopReason.TIME_LIMIT:
            return False
        if self._settings.sampling.temperature == 0:
            run.notes.append("Not started again: at temperature 0 the same replies would come")
            return False
        budget = self._settings.budget
        return run.model_tokens < budget.max_model_tokens - budget.reserve_tokens
