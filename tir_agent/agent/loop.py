"""The loop: model turn, parse, execute, observation, and again, until answered or a budget is spent."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Callable

import tir_agent
from tir_agent.agent.budget import reason_for, room_for_reply, spent
from tir_agent.agent.observer import Observer
from tir_agent.agent.run import CHARS_PER_TOKEN, Run
from tir_agent.answers import extract_answer
from tir_agent.errors import ContextOverflow, MachineryError, ModelUnavailable
from tir_agent.grading import grade_answer
from tir_agent.kernel.base import Sandbox, Session
from tir_agent.models.base import Model
from tir_agent.observation import observe
from tir_agent.prompts import Prompt, fill
from tir_agent.protocols import Action, Malformed, protocol_for
from tir_agent.settings import RunSettings
from tir_agent.trajectory import (
    Cell,
    Completion,
    Environment,
    Execution,
    ExecutionError,
    ExecutionStatus,
    Feedback,
    FinishReason,
    Message,
    Origin,
    Problem,
    StopReason,
    Trajectory,
)

__all__ = ["Agent"]


class Agent:
    """Solves problems. Safe for concurrent use: each call of `solve` has its own kernel session."""

    def __init__(
        self,
        model: Model,
        sandbox: Sandbox | None,
        prompt: Prompt,
        settings: RunSettings,
        *,
        model_server: str | None = None,
    ) -> None:
        """`sandbox` may be None for a prompt without a tool; answers are then not graded.

        `model_server` is what the server says of itself, for the record.
        """
        if sandbox is None and prompt.uses_tool:
            raise ValueError(f"the prompt {prompt.name!r} runs code, so it needs a sandbox")
        self._model = model
        self._sandbox = sandbox
        self._prompt = prompt
        self._settings = settings
        self._protocol = protocol_for(prompt.protocol)
        self._environment = _environment(sandbox, model_server)

    async def solve(
        self,
        problem: Problem,
        *,
        observer: Observer | None = None,
        save: Callable[[Trajectory], None] = lambda trajectory: None,
        notes: tuple[str, ...] = (),
    ) -> Trajectory:
        """Run until there is an answer or a budget is spent.

        `save` gets the trajectory whatever happens, cancellation and errors of this program included.
        The machinery's failures are not raised but recorded (`stop` is ERROR, `failure` says why).
        """
        observer = observer or Observer()
        run = Run(problem, self._prompt, self._settings, self._environment)
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
            save(trajectory)
        return trajectory

    async def _run(self, run: Run, observer: Observer) -> None:
        session: Session | None = None
        try:
            if self._sandbox is not None and self._protocol.executes:
                with run.kernel_time():
                    session = await self._sandbox.session()
            run.stop = await self._loop(run, session, observer)
        finally:
            if session is not None:
                await session.close()
        if self._sandbox is not None and run.problem.gold is not None:
            run.grade = await grade_answer(self._sandbox, run.answer, run.problem.gold)

    async def _loop(self, run: Run, session: Session | None, observer: Observer) -> StopReason:
        budget = self._settings.budget
        run.last_turn_for = spent(budget, run)
        while True:
            if room_for_reply(budget, self._settings.sampling, run) <= 0:
                return StopReason.TOKEN_LIMIT
            try:
                completion = await self._reply(run, observer)
            except ContextOverflow as error:
                run.notes.append(error.message)
                return StopReason.CONTEXT_FULL
            action = self._protocol.parse(completion)
            answer = extract_answer(action.prose)
            run.add_reply(completion, action, answer)
            observer.reply_ended(action)
            if completion.finish_reason is FinishReason.ABORTED:
                return StopReason.TIME_LIMIT
            if session is not None:
                await self._execute(run, session, action, observer)
            # An answer that came with code does not count until the code has run and its output was
            # seen, but for the last turn, after which there is nothing to see.
            if answer is not None and (not action.blocks or run.last_turn_for):
                run.answer = answer
                return StopReason.ANSWERED
            if run.last_turn_for:
                return run.last_turn_for
            acted = bool(action.blocks or action.malformed)
            if not acted and run.nudged:
                return StopReason.NO_ACTION
            run.nudged = not acted
            run.last_turn_for = spent(budget, run)
            observer.told(self._tell(run, action))

    async def _reply(self, run: Run, observer: Observer) -> Completion:
        """Ask the model; at the run's end of time, take what has come until then."""
        budget = self._settings.budget
        room = room_for_reply(budget, self._settings.sampling, run)
        sampling = self._settings.sampling.model_copy(update={"max_tokens": room})
        left = budget.max_seconds - run.seconds
        draft = _Draft(observer)
        observer.reply_started(len(run.turns) + 1)
        try:
            with run.model_time():
                async with asyncio.timeout(left):
                    return await self._model.complete(
                        run.messages, sampling, stop=self._prompt.stop, timeout=left + 1, listener=draft
                    )
        except asyncio.CancelledError:
            if draft.written:
                unfinished = draft.completion(run)
                run.add_reply(unfinished, self._protocol.parse(unfinished), None)
            raise
        except TimeoutError:
            # A server that has answered in this run was there; one that never did was not.
            if draft.written or run.turns:
                return draft.completion(run)
            raise ModelUnavailable(f"The model did not begin to answer within {left:.0f} seconds") from None

    async def _execute(self, run: Run, session: Session, action: Action, observer: Observer) -> None:
        """Run the reply's code in order, up to the first failure."""
        policy = self._prompt.observation
        not_run = ExecutionError(name="NotRun", message=policy.not_run, traceback=policy.not_run)
        failed = False
        for block in action.blocks:
            seconds = self._cell_seconds(run)
            if failed:
                execution = Execution(status=ExecutionStatus.REFUSED, error=not_run)
            else:
                observer.cell_started(block.code, session.interrupt)
                with run.kernel_time():
                    execution = await session.execute(block.code, timeout=seconds)
            failed = failed or execution.status is not ExecutionStatus.OK
            shown = observe(
                execution,
                policy,
                seconds=seconds,
                packages=self._sandbox.info.packages if self._sandbox else {},
            )
            cell = Cell(code=block.code, start=block.start, end=block.end, execution=execution, shown=shown)
            run.add_cell(cell)
            observer.cell_ended(cell)
        run.end_cells(malformed=action.malformed is not None)

    def _cell_seconds(self, run: Run) -> float:
        left = self._settings.budget.max_seconds - run.seconds
        return max(min(self._settings.limits.cell_seconds, left), 0.1)

    def _tell(self, run: Run, action: Action) -> Message:
        """Say what came of the reply, and that the next one is the last where it is."""
        feedback = self._prompt.feedback
        parts: list[list[tuple[str, Origin]]] = []
        kinds: list[Feedback] = []
        for cell in run.turns[-1].cells:
            failed = cell.execution.status is not ExecutionStatus.OK
            parts.append(self._prompt.observed(cell.shown, failed=failed))
            kinds.append(Feedback.OBSERVATION)
        if action.malformed:
            cut_off = action.malformed is Malformed.CUT_OFF
            parts.append(fill(feedback.cut_off if cut_off else feedback.empty_code))
            kinds.append(Feedback.MALFORMED)
        if run.last_turn_for:
            reason = reason_for(run.last_turn_for, feedback)
            parts.append(fill(feedback.last_turn, reason=(reason, Origin.PROMPT)))
            kinds.append(Feedback.LAST_TURN)
        elif not parts:
            parts.append(fill(feedback.nudge))
            kinds.append(Feedback.NUDGE)
        pieces = [*parts[0]]
        for part in parts[1:]:
            pieces += [("\n\n", Origin.PROMPT), *part]
        return run.tell(list(dict.fromkeys(kinds)), pieces)


class _Draft:
    """Keeps the reply as far as it has come, and passes it on."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._pieces: list[str] = []
        self._clock = time.monotonic()

    @property
    def written(self) -> bool:
        return bool(self._pieces)

    def text(self, piece: str) -> None:
        self._pieces.append(piece)
        self._observer.text(piece)

    def restart(self, reason: str) -> None:
        self._pieces.clear()
        self._observer.restart(reason)

    def completion(self, run: Run) -> Completion:
        text = "".join(self._pieces)
        return Completion(
            text=text,
            finish_reason=FinishReason.ABORTED,
            prompt_tokens=run.context_tokens,
            completion_tokens=-(-len(text) // CHARS_PER_TOKEN),
            estimated=True,
            duration=time.monotonic() - self._clock,
        )


def _environment(sandbox: Sandbox | None, model_server: str | None) -> Environment:
    info = sandbox.info if sandbox is not None else None
    return Environment(
        tir_agent=tir_agent.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        kernel=info.backend if info else "none",
        image=info.image if info else None,
        packages=info.packages if info else {},
        model_server=model_server,
    )
