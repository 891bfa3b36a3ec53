"""What the loop does beside the plain course: checks, fresh starts, forced answers, a full context."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tir_agent.agent import Agent
from tir_agent.errors import ContextOverflow, ModelRejected
from tir_agent.kernel.base import Sandbox
from tir_agent.messages import Message, Origin, Role, Tool, ToolCall
from tir_agent.models.base import Listener
from tir_agent.models.capabilities import Capabilities, Prefill
from tir_agent.models.scripted import ScriptedModel
from tir_agent.problems import problem_from_text
from tir_agent.prompts import Prompt, load_prompt
from tir_agent.settings import Budget, ConversationForm, RunSettings, Sampling, Stages
from tir_agent.trajectory import Completion, Feedback, FinishReason, StopReason, Trajectory

PROBLEM = problem_from_text("What is 6 times 7?", gold="42")
CODE = "```python\nprint(6 * 7)\n```"
ANSWER = "So it is \\boxed{42}."


class Limited(ScriptedModel):
    """A script on a server that cannot do everything."""

    def __init__(self, replies: Sequence[str | Completion | Exception], **able: object) -> None:
        super().__init__(replies)
        self._able = Capabilities(stream_usage=True).model_copy(update=able)

    async def capabilities(self) -> Capabilities:
        return self._able


async def solve(
    sandbox: Sandbox,
    model: ScriptedModel,
    *,
    stages: Stages | None = None,
    prompt: Prompt | None = None,
    critic: ScriptedModel | None = None,
    sampling: Sampling | None = None,
    budget: Budget | None = None,
) -> Trajectory:
    settings = RunSettings(
        model="scripted",
        stages=stages or Stages(),
        sampling=sampling or Sampling(),
        budget=budget or Budget(),
    )
    agent = Agent(model, sandbox, prompt or load_prompt("tir"), settings, critic=critic)
    trajectory = await agent.solve(PROBLEM)
    assert Trajectory.model_validate_json(trajectory.model_dump_json()) == trajectory
    return trajectory


def told(trajectory: Trajectory) -> list[tuple[Feedback, ...]]:
    return [turn.feedback for turn in trajectory.turns]


def in_form(form: ConversationForm) -> Prompt:
    prompt = load_prompt("tir")
    return prompt.model_copy(update={"conversation": form})


async def test_an_answer_is_verified_before_it_counts(local_sandbox: Sandbox) -> None:
    model = ScriptedModel([CODE, "\\boxed{41}", CODE, "\\boxed{42}", "Yes, \\boxed{42}."])
    trajectory = await solve(local_sandbox, model, stages=Stages(verifications=3))
    assert (trajectory.stop, trajectory.answer) == (StopReason.ANSWERED, "42")
    assert [kinds for kinds in told(trajectory) if Feedback.VERIFY in kinds] == [(Feedback.VERIFY,)] * 2


async def test_verification_ends_after_as_many_rounds_as_were_asked_for(local_sandbox: Sandbox) -> None:
    model = ScriptedModel(["\\boxed{1}", "\\boxed{2}", "\\boxed{3}", "\\boxed{4}"])
    trajectory = await solve(local_sandbox, model, stages=Stages(verifications=2))
    assert trajectory.answer == "3"


async def test_a_check_that_brings_nothing_new_confirms_the_answer(local_sandbox: Sandbox) -> None:
    model = ScriptedModel([CODE, ANSWER, CODE, "That is right."])
    trajectory = await solve(local_sandbox, model, stages=Stages(verifications=1))
    assert (trajectory.stop, trajectory.answer) == (StopReason.ANSWERED, "42")


async def test_an_answer_stands_if_the_budget_ends_during_its_check(local_sandbox: Sandbox) -> None:
    model = ScriptedModel([CODE, ANSWER, CODE, CODE, CODE])
    trajectory = await solve(
        local_sandbox, model, stages=Stages(verifications=1), budget=Budget(max_turns=4, max_repeats=9)
    )
    assert (trajectory.stop, trajectory.answer) == (StopReason.ANSWERED, "42")
    assert "before the last check" in trajectory.notes[0]


async def test_a_critic_sees_the_solution_and_its_words_are_no_ones_elses(local_sandbox: Sandbox) -> None:
    critic = ScriptedModel(["Step 1 is wrong."])
    model = ScriptedModel([CODE, "\\boxed{41}", ANSWER])
    trajectory = await solve(local_sandbox, model, critic=critic, stages=Stages(critiques=1))
    assert trajectory.answer == "42"
    (request,) = critic.requests[0]
    assert "What is 6 times 7?" in request.content
    assert "print(6 * 7)" in request.content
    assert "Output:\n42" in request.content
    critique = trajectory.turns[1].critique
    assert critique is not None
    assert critique.text == "Step 1 is wrong."
    words = [
        text for message in trajectory.messages for text, origin in message.pieces if origin is Origin.CRITIC
    ]
    assert words == ["Step 1 is wrong."]
    assert "Step 1 is wrong." not in "".join(trajectory.model_text())
    assert trajectory.usage.completion_tokens > sum(
        turn.completion.completion_tokens for turn in trajectory.turns
    )


async def test_an_answer_without_code_does_not_count_where_code_comes_first(local_sandbox: Sandbox) -> None:
    model = ScriptedModel([ANSWER, CODE, ANSWER])
    trajectory = await solve(local_sandbox, model, stages=Stages(code_first=True))
    assert trajectory.answer == "42"
    assert told(trajectory) == [(Feedback.CODE_FIRST,), (Feedback.OBSERVATION,), ()]


async def test_an_answer_right_after_an_error_does_not_count_where_code_comes_first(
    local_sandbox: Sandbox,
) -> None:
    model = ScriptedModel(["```python\n1/0\n```", ANSWER, ANSWER])
    trajectory = await solve(local_sandbox, model, stages=Stages(code_first=True))
    assert (trajectory.stop, trajectory.answer) == (StopReason.NO_ACTION, None)


async def test_a_run_without_code_is_started_again(local_sandbox: Sandbox) -> None:
    model = ScriptedModel(["\\boxed{41}", CODE, ANSWER])
    trajectory = await solve(
        local_sandbox, model, stages=Stages(restarts=1), sampling=Sampling(temperature=1.0, seed=7)
    )
    assert trajectory.answer == "42"
    assert [(attempt.stop, attempt.answer) for attempt in trajectory.attempts] == [
        (StopReason.ANSWERED, "41")
    ]
    assert len(trajectory.turns) == 2
    assert trajectory.usage.turns == 3
    assert model.requests[1] == model.requests[0]


async def test_nothing_is_started_again_where_the_same_would_come(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, ScriptedModel(["\\boxed{41}"]), stages=Stages(restarts=3))
    assert (trajectory.answer, trajectory.attempts) == ("41", ())
    assert "temperature 0" in trajectory.notes[0]


async def test_an_answer_is_forced_at_the_end(local_sandbox: Sandbox) -> None:
    model = ScriptedModel([CODE, "Hm.", "42}.\nAnd"])
    trajectory = await solve(
        local_sandbox, model, stages=Stages(forced_answer=True), budget=Budget(max_turns=2)
    )
    assert (trajectory.stop, trajectory.answer) == (StopReason.ANSWERED, "42")
    assert told(trajectory)[1] == (Feedback.FORCED,)
    last = trajectory.messages[-1]
    assert last.role is Role.ASSISTANT
    assert last.pieces[-2:] == [("\n\nThe final answer is \\boxed{", Origin.PROMPT), ("42}.", Origin.MODEL)]


async def test_a_forced_answer_comes_after_the_last_output(local_sandbox: Sandbox) -> None:
    model = ScriptedModel(["Hm.", CODE, "42}."])
    trajectory = await solve(
        local_sandbox, model, stages=Stages(forced_answer=True), budget=Budget(max_turns=2)
    )
    assert trajectory.answer == "42"
    assert trajectory.turns[1].feedback == (Feedback.OBSERVATION, Feedback.FORCED)
    assert trajectory.messages[-2].content == "```output\n42\n```"


async def test_every_tool_call_is_answered_before_anything_else_is_said(local_sandbox: Sandbox) -> None:
    bad = Completion(
        text="It is \\boxed{42}.",
        tool_calls=(ToolCall(id="a", name="search", arguments="{}"),),
        finish_reason=FinishReason.STOP,
        prompt_tokens=1,
        completion_tokens=1,
        duration=0,
    )
    trajectory = await solve(
        local_sandbox,
        ScriptedModel([bad, ANSWER, ANSWER]),
        stages=Stages(verifications=1),
        prompt=load_prompt("tools"),
    )
    assert trajectory.answer == "42"
    roles = [(message.role, message.call_id) for message in trajectory.messages[2:]]
    assert roles[:3] == [(Role.ASSISTANT, None), (Role.TOOL, "a"), (Role.ASSISTANT, None)]
    assert "search" in trajectory.messages[3].content


async def test_no_answer_is_forced_where_the_server_cannot(local_sandbox: Sandbox) -> None:
    model = Limited(["Hm.", "Hm."], prefill=Prefill.NONE)
    trajectory = await solve(local_sandbox, model, stages=Stages(forced_answer=True))
    assert trajectory.stop is StopReason.NO_ACTION
    assert "does not continue" in trajectory.notes[0]


async def test_old_outputs_are_shortened_before_a_run_ends_for_want_of_room(local_sandbox: Sandbox) -> None:
    long = "```python\nprint('x' * 1500)\n```"
    model = ScriptedModel([long, CODE, *[ContextOverflow("It does not fit")] * 3, ANSWER])
    trajectory = await solve(local_sandbox, model)
    assert (trajectory.stop, trajectory.answer) == (StopReason.ANSWERED, "42")
    (shortening,) = trajectory.shortenings
    assert shortening.turn == 2
    assert len(model.requests[5][3].content) < 300
    # What the replies before saw can be had back, exactly.
    assert trajectory.seen(1)[: len(model.requests[1])] == model.requests[1]
    assert trajectory.seen(2)[: len(model.requests[5])] == model.requests[5]


async def test_a_shorter_reply_is_asked_for_before_anything_is_shortened(local_sandbox: Sandbox) -> None:
    long = "```python\nprint('x' * 1500)\n```"
    model = ScriptedModel([long, CODE, ContextOverflow("It does not fit"), ANSWER])
    trajectory = await solve(local_sandbox, model)
    assert (trajectory.answer, trajectory.shortenings) == ("42", ())


async def test_a_context_that_cannot_be_shortened_is_full(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, ScriptedModel([CODE, *[ContextOverflow("It does not fit")] * 3]))
    assert trajectory.stop is StopReason.CONTEXT_FULL
    assert trajectory.shortenings == ()


async def test_a_known_window_limits_the_reply_and_brings_the_run_to_an_end(local_sandbox: Sandbox) -> None:
    class Narrow(Limited):
        asked: list[int]

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
            self.asked.append(sampling.max_tokens)
            return await super().complete(
                messages, sampling, stop=stop, tools=tools, timeout=timeout, listener=listener
            )

    long = "```python\nprint('x' * 1200)\n```"
    model = Narrow([long, long.replace("x", "y"), long.replace("x", "z"), ANSWER], context_tokens=1200)
    model.asked = []
    trajectory = await solve(local_sandbox, model)
    assert trajectory.answer == "42"
    assert all(tokens < 1024 for tokens in model.asked[1:])
    assert trajectory.shortenings


async def test_a_prompt_that_continues_the_assistant_falls_back_to_messages(local_sandbox: Sandbox) -> None:
    prompt = in_form(ConversationForm.PREFILL)
    able = await solve(local_sandbox, ScriptedModel([CODE, ANSWER]), prompt=prompt)
    unable = await solve(local_sandbox, Limited([CODE, ANSWER], prefill=Prefill.NONE), prompt=prompt)
    assert [message.role for message in able.messages][-1:] == [Role.ASSISTANT]
    assert len(able.messages) == 3
    assert len(unable.messages) == 5
    assert "messages of their own" in unable.notes[0]
    assert able.answer == unable.answer == "42"


async def test_a_raw_prompt_is_one_text(local_sandbox: Sandbox) -> None:
    model = ScriptedModel([CODE, ANSWER])
    trajectory = await solve(local_sandbox, model, prompt=in_form(ConversationForm.COMPLETION))
    assert [message.role for message in trajectory.messages] == [Role.RAW]
    assert model.requests[1][0].content.startswith(model.requests[0][0].content + CODE)
    assert trajectory.messages[0].content.endswith(ANSWER)


@pytest.mark.parametrize(
    ("form", "able"),
    [(ConversationForm.COMPLETION, {"completions": False}), (ConversationForm.MESSAGES, {"chat": False})],
)
async def test_a_form_that_the_server_lacks_is_refused_in_one_sentence(
    local_sandbox: Sandbox, form: ConversationForm, able: dict[str, bool]
) -> None:
    trajectory = await solve(local_sandbox, Limited([ANSWER], **able), prompt=in_form(form))
    assert trajectory.failure is not None
    assert trajectory.failure.kind == ModelRejected.__name__
    assert "--prompt" in (trajectory.failure.hint or "")


async def test_a_tool_is_offered_even_where_the_model_was_not_seen_to_call_one(
    local_sandbox: Sandbox,
) -> None:
    trajectory = await solve(local_sandbox, Limited([ANSWER], tools=False), prompt=load_prompt("tools"))
    assert (trajectory.answer, len(trajectory.notes)) == ("42", 1)
    assert "not seen to call one" in trajectory.notes[0]


async def test_a_system_text_goes_before_the_problem_where_no_system_message_is_taken(
    local_sandbox: Sandbox,
) -> None:
    trajectory = await solve(local_sandbox, Limited([ANSWER], system=False))
    first = trajectory.messages[0]
    assert first.role is Role.USER
    assert first.content.endswith("\n\nWhat is 6 times 7?")
    assert "system" in trajectory.notes[0]


async def test_a_reply_that_loops_is_stopped_and_its_loop_is_not_kept(local_sandbox: Sandbox) -> None:
    model = ScriptedModel(["I wonder. " + "Let me see. " * 200, ANSWER])
    trajectory = await solve(local_sandbox, model, sampling=Sampling(max_tokens=4096))
    first = trajectory.turns[0]
    assert first.completion.finish_reason is FinishReason.REPETITION
    assert first.completion.text[: first.kept] == "I wonder. Let me see"
    assert Feedback.LAST_TURN in first.feedback
    assert trajectory.answer == "42"


async def test_the_same_words_again_and_again_end_the_run(local_sandbox: Sandbox, tmp_path: Path) -> None:
    other = "```python\nprint(1)\n```"
    replies = ["I wonder.", CODE, "I  wonder.", other, "I wonder.", "Hm."]
    trajectory = await solve(local_sandbox, ScriptedModel(replies), budget=Budget(max_repeats=3))
    assert trajectory.stop is StopReason.REPETITION


async def test_what_is_left_of_the_budget_is_told_where_the_prompt_says_so(local_sandbox: Sandbox) -> None:
    prompt = load_prompt("tir")
    feedback = prompt.feedback.model_copy(update={"remaining": "[{turns} turns left]"})
    prompt = prompt.model_copy(update={"feedback": feedback})
    trajectory = await solve(local_sandbox, ScriptedModel([CODE, ANSWER]), prompt=prompt)
    assert trajectory.messages[-2].content.endswith("[7 turns left]")
