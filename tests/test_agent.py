"""The loop: a scripted model, the real agent, a real kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tir_agent.agent import Agent, Observer
from tir_agent.errors import ContextOverflow, ModelUnavailable
from tir_agent.kernel.base import Sandbox
from tir_agent.messages import Message, Origin, Role, Tool
from tir_agent.models.base import Listener
from tir_agent.models.capabilities import Capabilities
from tir_agent.models.scripted import ScriptedModel
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import Budget, Limits, RunSettings, Sampling
from tir_agent.trajectory import (
    Completion,
    ExecutionStatus,
    Feedback,
    FinishReason,
    StopReason,
    Trajectory,
    Verdict,
)

PROBLEM = problem_from_text("What is 6 times 7?", gold="42")
ANSWER = "So it is \\boxed{42}."


def code(source: str) -> str:
    return f"Let me compute.\n```python\n{source}\n```\n"


async def solve(
    sandbox: Sandbox,
    replies: Sequence[str | Completion | Exception],
    *,
    prompt: str = "tir",
    budget: Budget | None = None,
    cell_seconds: float = 10.0,
    observer: Observer | None = None,
) -> Trajectory:
    settings = RunSettings(
        model="scripted", budget=budget or Budget(), limits=Limits(cell_seconds=cell_seconds, grace_seconds=1)
    )
    agent = Agent(ScriptedModel(replies), sandbox, load_prompt(prompt), settings)
    return await agent.solve(PROBLEM, observer=observer)


def feedback(trajectory: Trajectory) -> list[str]:
    return [message.content for message in trajectory.messages if message.role is Role.USER][1:]


async def test_code_is_run_seen_and_answered_in_every_sandbox(sandbox: Sandbox) -> None:
    trajectory = await solve(sandbox, [code("x = 6\nprint(x * 7)"), code("x + 1"), ANSWER])
    assert (trajectory.stop, trajectory.answer) == (StopReason.ANSWERED, "42")
    assert feedback(trajectory) == ["```output\n42\n```", "```output\n7\n```"]
    assert trajectory.grade is not None
    assert trajectory.grade.verdict is Verdict.CORRECT
    assert trajectory.environment.kernel == sandbox.info.backend
    assert trajectory.usage.cells == 2


async def test_the_record_reads_back_as_it_was(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("6*7"), ANSWER])
    assert Trajectory.model_validate_json(trajectory.model_dump_json()) == trajectory


async def test_the_models_words_and_no_others_are_marked_as_its_own(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("print('from the interpreter')"), ANSWER])
    own = "".join(trajectory.model_text())
    assert own == "".join(turn.completion.text[: turn.kept] for turn in trajectory.turns)
    written = [
        message.content[span.start : span.end]
        for message in trajectory.messages
        for span in message.spans
        if span.origin is Origin.INTERPRETER
    ]
    assert written == ["from the interpreter"]


async def test_a_traceback_is_fed_back_and_the_model_corrects_itself(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("print(six * 7)"), code("six = 6\nprint(six * 7)"), ANSWER])
    assert "NameError: name 'six' is not defined" in feedback(trajectory)[0]
    assert trajectory.turns[0].cells[0].execution.status is ExecutionStatus.ERROR
    assert trajectory.stop is StopReason.ANSWERED


async def test_malformed_code_is_fed_back(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("print(6 *"), ANSWER])
    assert "SyntaxError" in feedback(trajectory)[0]


async def test_an_answer_beside_code_does_not_count_until_the_code_has_run(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("print(6 * 7)") + "So \\boxed{41}.", ANSWER])
    assert [turn.answer for turn in trajectory.turns] == ["41", "42"]
    assert trajectory.answer == "42"
    assert feedback(trajectory) == ["```output\n42\n```"]


async def test_several_blocks_run_in_order(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("x = 6") + code("print(x * 7)"), ANSWER])
    outputs = [cell.execution.stdout for cell in trajectory.turns[0].cells]
    assert outputs == ["", "42\n"]
    assert feedback(trajectory)[0].index("no output") < feedback(trajectory)[0].index("42")


async def test_blocks_after_a_failed_one_are_not_run(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("1/0") + code("print('no')"), ANSWER])
    statuses = [cell.execution.status for cell in trajectory.turns[0].cells]
    assert statuses == [ExecutionStatus.ERROR, ExecutionStatus.REFUSED]
    assert "was not run" in feedback(trajectory)[0]


async def test_an_output_of_the_models_own_invention_is_not_believed(
    local_sandbox: Sandbox, tmp_path: Path
) -> None:
    # Without a stop string, as from a server that ignores them, the whole text arrives.
    prompt = tmp_path / "no_stop.yaml"
    prompt.write_text("description: without stop strings\n")
    invented = code("print(6 * 7)") + "```output\n41\n```\nSo \\boxed{41}."
    trajectory = await solve(local_sandbox, [invented, ANSWER], prompt=str(prompt))
    assert trajectory.answer == "42"
    assert trajectory.turns[0].answer is None
    assert "41" not in "".join(message.content for message in trajectory.messages)
    assert trajectory.turns[0].completion.text == invented


async def test_a_fence_inside_a_string_reaches_the_kernel_whole(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("s = '''\n```\n'''\nprint(len(s))"), ANSWER])
    assert trajectory.turns[0].cells[0].execution.stdout == "5\n"


async def test_neither_code_nor_answer_is_nudged_once(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, ["Let me think.", ANSWER])
    assert trajectory.turns[0].feedback == (Feedback.NUDGE,)
    assert trajectory.stop is StopReason.ANSWERED
    trajectory = await solve(local_sandbox, ["Let me think.", "And think.", ANSWER])
    assert trajectory.stop is StopReason.NO_ACTION
    assert trajectory.usage.turns == 2


async def test_an_empty_reply_is_no_action(local_sandbox: Sandbox) -> None:
    assert (await solve(local_sandbox, ["", ""])).stop is StopReason.NO_ACTION


async def test_code_cut_off_at_the_token_limit_is_not_run(local_sandbox: Sandbox) -> None:
    cut = Completion(
        text="```python\nprint(6",
        finish_reason=FinishReason.LENGTH,
        prompt_tokens=1,
        completion_tokens=5,
        duration=0,
    )
    trajectory = await solve(local_sandbox, [cut, ANSWER])
    assert trajectory.turns[0].cells == ()
    assert trajectory.turns[0].feedback == (Feedback.MALFORMED,)
    again = await solve(local_sandbox, [cut, cut, cut], budget=Budget(max_errors=2))
    assert again.stop is StopReason.ERROR_LIMIT


@pytest.mark.parametrize(
    ("budget", "replies", "reason"),
    [
        (Budget(max_turns=3), [code("1"), code("2"), code("3")], StopReason.TURN_LIMIT),
        (Budget(max_errors=2), [code("1/0"), code("2/0"), "hm"], StopReason.ERROR_LIMIT),
        (Budget(max_repeats=2), [code("1"), code(" 1".strip()), "hm"], StopReason.REPETITION),
        (Budget(max_model_tokens=300), [code(f"'{'x' * 200}'"), "hm"], StopReason.TOKEN_LIMIT),
    ],
)
async def test_a_budget_that_is_nearly_gone_leaves_one_last_turn(
    local_sandbox: Sandbox, budget: Budget, replies: list[str], reason: StopReason
) -> None:
    trajectory = await solve(local_sandbox, replies, budget=budget)
    assert trajectory.stop is reason
    assert Feedback.LAST_TURN in trajectory.turns[-2].feedback
    assert "last message" in feedback(trajectory)[-1]
    answered = await solve(local_sandbox, [*replies[:-1], ANSWER], budget=budget)
    assert (answered.stop, answered.answer) == (StopReason.ANSWERED, "42")


async def test_observations_count_towards_the_total(local_sandbox: Sandbox) -> None:
    budget = Budget(max_total_tokens=1500, reserve_tokens=300)
    trajectory = await solve(local_sandbox, [code("print('x' * 3000)"), "hm", "hm"], budget=budget)
    assert trajectory.stop is StopReason.TOKEN_LIMIT
    assert trajectory.usage.context_tokens > 1000


async def test_time_is_limited(local_sandbox: Sandbox) -> None:
    budget = Budget(max_seconds=3, reserve_seconds=1)
    trajectory = await solve(local_sandbox, [code("while True: pass"), "hm"], budget=budget)
    assert trajectory.stop is StopReason.TIME_LIMIT
    assert trajectory.turns[0].cells[0].execution.status is ExecutionStatus.TIMEOUT


async def test_code_on_the_last_turn_still_runs_before_its_answer(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("1"), code("2") + ANSWER], budget=Budget(max_turns=2))
    assert trajectory.stop is StopReason.ANSWERED
    assert len(trajectory.turns[-1].cells) == 1


@pytest.mark.parametrize(
    ("source", "status", "seen"),
    [
        ("while True: pass", ExecutionStatus.TIMEOUT, "stopped after 1 seconds"),
        ("import os; os._exit(1)", ExecutionStatus.DIED, "Python was restarted"),
        ("input()", ExecutionStatus.ERROR, "not available here"),
        ("print('x' * 10**8)", ExecutionStatus.OK, " lines omitted] ..."),
    ],
)
async def test_what_code_does_to_its_kernel_is_told_to_the_model(
    local_sandbox: Sandbox, source: str, status: ExecutionStatus, seen: str
) -> None:
    trajectory = await solve(local_sandbox, [code(source), ANSWER], cell_seconds=1.0)
    assert trajectory.turns[0].cells[0].execution.status is status
    assert seen in feedback(trajectory)[0]
    assert len(feedback(trajectory)[0]) < 4000
    assert trajectory.stop is StopReason.ANSWERED


async def test_the_machinerys_failure_is_recorded_and_never_told_to_the_model(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("1"), ModelUnavailable("It is down", hint="Start it")])
    assert trajectory.stop is StopReason.ERROR
    assert trajectory.failure is not None
    assert (trajectory.failure.kind, trajectory.failure.hint) == ("ModelUnavailable", "Start it")
    assert trajectory.usage.turns == 1
    assert "down" not in "".join(message.content for message in trajectory.messages)


async def test_a_full_context_is_a_stop_reason(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("1"), *[ContextOverflow("It does not fit")] * 3])
    assert trajectory.stop is StopReason.CONTEXT_FULL
    assert trajectory.notes == ("It does not fit",)


async def test_without_a_tool_nothing_is_run(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, [code("1/0") + ANSWER], prompt="cot")
    assert (trajectory.stop, trajectory.usage.cells) == (StopReason.ANSWERED, 0)


async def test_a_wrong_answer_is_wrong_and_none_is_too(local_sandbox: Sandbox) -> None:
    wrong = await solve(local_sandbox, ["\\boxed{41}"])
    none = await solve(local_sandbox, ["hm", "hm"])
    assert wrong.grade is not None
    assert none.grade is not None
    assert {wrong.grade.verdict, none.grade.verdict} == {Verdict.WRONG}


class Stuck:
    """A model that writes a little, and then nothing."""

    name = "stuck"
    base_url = None

    def __init__(self, text: str) -> None:
        self._text = text

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        stop: Sequence[str] = (),
        tools: Sequence[Tool] = (),
        timeout: float,
        listener: Listener | None = None,
    ) -> Completion:
        if listener is not None and self._text:
            listener.text(self._text)
        await asyncio.sleep(3600)
        raise AssertionError

    async def capabilities(self) -> Capabilities:
        return Capabilities()

    async def describe(self) -> str | None:
        return None

    async def close(self) -> None: ...


def agent_with(model: Stuck, sandbox: Sandbox, seconds: float = 600) -> Agent:
    settings = RunSettings(model="stuck", budget=Budget(max_seconds=seconds))
    return Agent(model, sandbox, load_prompt("tir"), settings)


async def test_a_reply_that_never_ends_is_kept_as_far_as_it_came(local_sandbox: Sandbox) -> None:
    trajectory = await agent_with(Stuck("I think"), local_sandbox, seconds=1).solve(PROBLEM)
    assert trajectory.stop is StopReason.TIME_LIMIT
    assert trajectory.turns[0].completion.text == "I think"
    assert trajectory.turns[0].completion.finish_reason is FinishReason.ABORTED


async def test_a_server_that_says_nothing_is_the_machinerys_failure(local_sandbox: Sandbox) -> None:
    trajectory = await agent_with(Stuck(""), local_sandbox, seconds=1).solve(PROBLEM)
    assert trajectory.stop is StopReason.ERROR


async def test_an_interrupted_run_is_saved(local_sandbox: Sandbox) -> None:
    saved: list[Trajectory] = []
    running = asyncio.create_task(
        agent_with(Stuck("I think"), local_sandbox).solve(PROBLEM, save=saved.append)
    )
    await asyncio.sleep(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [trajectory.stop for trajectory in saved] == [StopReason.INTERRUPTED]
    assert saved[0].turns[0].completion.text == "I think"


async def test_a_run_interrupted_while_code_runs_is_saved(local_sandbox: Sandbox) -> None:
    saved: list[Trajectory] = []
    settings = RunSettings(model="scripted")
    agent = Agent(ScriptedModel([code("while True: pass")]), local_sandbox, load_prompt("tir"), settings)
    running = asyncio.create_task(agent.solve(PROBLEM, save=saved.append))
    await asyncio.sleep(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert saved[0].stop is StopReason.INTERRUPTED
    assert "while True" in saved[0].turns[0].completion.text


async def test_an_error_of_this_program_is_saved_and_raised(local_sandbox: Sandbox) -> None:
    saved: list[Trajectory] = []
    agent = Agent(
        ScriptedModel([RuntimeError("a bug")]), local_sandbox, load_prompt("tir"), RunSettings(model="m")
    )
    with pytest.raises(RuntimeError, match="a bug"):
        await agent.solve(PROBLEM, save=saved.append)
    assert saved[0].stop is StopReason.ERROR


async def test_a_cell_can_be_interrupted_and_the_run_goes_on(local_sandbox: Sandbox) -> None:
    class Impatient(Observer):
        def cell_started(self, code: str, interrupt: Callable[[], object]) -> None:
            async def later() -> None:
                await asyncio.sleep(1)
                interrupting = interrupt()
                assert asyncio.iscoroutine(interrupting)
                await interrupting

            self.task = asyncio.create_task(later())

    trajectory = await solve(
        local_sandbox, [code("import time; time.sleep(60)"), ANSWER], observer=Impatient(), cell_seconds=30
    )
    assert trajectory.stop is StopReason.ANSWERED
    assert "KeyboardInterrupt" in feedback(trajectory)[0]


async def test_the_observer_hears_each_step(local_sandbox: Sandbox) -> None:
    heard: list[str] = []

    class Ear(Observer):
        def __getattribute__(self, name: str) -> object:
            if not name.startswith("_") and name != "text":
                heard.append(name)
            return super().__getattribute__(name)

    await solve(local_sandbox, [code("1"), ANSWER], observer=Ear())
    assert heard == [
        *("reply_started", "requested", "replied", "reply_ended", "cell_started", "cell_ended", "told"),
        *("reply_started", "requested", "replied", "reply_ended", "stopped", "graded", "recorded"),
    ]


async def test_eight_problems_at_once(local_sandbox: Sandbox) -> None:
    async def one(number: int) -> Trajectory:
        agent = Agent(
            ScriptedModel([code(f"n = {number}"), code("print(n * n)"), "\\boxed{1}"]),
            local_sandbox,
            load_prompt("tir"),
            RunSettings(model="scripted"),
        )
        return await agent.solve(problem_from_text(f"problem {number}"))

    trajectories = await asyncio.gather(*(one(number) for number in range(8)))
    outputs = [trajectory.turns[1].cells[0].execution.stdout for trajectory in trajectories]
    assert outputs == [f"{number**2}\n" for number in range(8)]
