"""Filters of single trajectories: for each a hit, a near miss, and something hostile."""

from __future__ import annotations

import pytest
from preference_samples import (
    DIED,
    ERROR,
    OK,
    REFUSED,
    TIMEOUT,
    answered,
    called,
    program,
    said,
    trajectory,
)

from tir_agent.agent import Agent
from tir_agent.grades import Verdict
from tir_agent.kernel.base import Sandbox
from tir_agent.messages import ToolCall
from tir_agent.models.scripted import ScriptedModel
from tir_agent.preferences import code_filters, reply_filters
from tir_agent.preferences.filters import TRAJECTORY_FILTERS, Scope, chosen_filters
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import Budget, FilterSettings, RunSettings, Stages
from tir_agent.trajectory import ExecutionStatus, Failure, Feedback, FinishReason, StopReason, Trajectory

LIMITS = [
    StopReason.TURN_LIMIT,
    StopReason.TOKEN_LIMIT,
    StopReason.TIME_LIMIT,
    StopReason.ERROR_LIMIT,
    StopReason.CONTEXT_FULL,
    StopReason.NO_ACTION,
    StopReason.REPETITION,
]


def dropped_by(sample: Trajectory) -> set[str]:
    return {each.name for each in TRAJECTORY_FILTERS if each.drops(sample)}


async def run(
    sandbox: Sandbox, *replies: str, prompt: str = "tir", stages: Stages | None = None
) -> Trajectory:
    settings = RunSettings(model="scripted", budget=Budget(max_turns=4), stages=stages or Stages())
    agent = Agent(ScriptedModel(replies), sandbox, load_prompt(prompt), settings)
    return await agent.solve(problem_from_text("What is 6 times 7?", gold="42"))


def fenced(code: str) -> str:
    return f"Let me see.\n```python\n{code}\n```\n"


# A good one is dropped by none, whatever its protocol.


async def test_a_run_as_it_should_be_is_dropped_by_no_filter(local_sandbox: Sandbox) -> None:
    good = await run(local_sandbox, fenced("print(6 * 7)"), "So it is \\boxed{42}.")
    assert good.grade is not None
    assert dropped_by(good) == set()


async def test_a_raw_text_is_read_by_its_turns(local_sandbox: Sandbox) -> None:
    good = await run(
        local_sandbox, fenced("print(6 * 7)"), "The final answer is \\boxed{42}.", prompt="base_fewshot"
    )
    assert len(good.messages) == 1
    assert dropped_by(good) == set()


async def test_a_run_in_tags_is_read_by_its_turns(local_sandbox: Sandbox) -> None:
    good = await run(local_sandbox, "<code>\nprint(6 * 7)\n</code>", "So \\boxed{42}.", prompt="tags")
    assert dropped_by(good) == set()


def test_an_empty_record_raises_nowhere() -> None:
    assert dropped_by(trajectory(verdict=None)) == {"undecided", "silent", "no_code"}


# environment


@pytest.mark.parametrize("stop", [StopReason.ERROR, StopReason.INTERRUPTED])
def test_what_the_machinery_or_the_user_ended_is_environment(stop: StopReason) -> None:
    assert reply_filters.environment(trajectory(program("1"), stop=stop))


def test_a_failure_is_environment_even_where_an_answer_was_given() -> None:
    failure = Failure(kind="SandboxLost", message="gone")
    assert reply_filters.environment(trajectory(answered("7"), failure=failure))


@pytest.mark.parametrize("stop", LIMITS)
def test_what_the_model_ran_into_is_not_environment(stop: StopReason) -> None:
    assert not reply_filters.environment(trajectory(program("1", status=DIED), stop=stop))


# undecided


@pytest.mark.parametrize("verdict", [None, Verdict.UNGRADABLE, Verdict.TIMEOUT])
def test_what_nobody_could_tell_is_undecided(verdict: Verdict | None) -> None:
    assert reply_filters.undecided(trajectory(answered("7"), verdict=verdict))


@pytest.mark.parametrize("verdict", [Verdict.CORRECT, Verdict.WRONG])
def test_right_and_wrong_are_decided(verdict: Verdict) -> None:
    assert not reply_filters.undecided(trajectory(answered("7"), verdict=verdict))


# silent


def test_a_reply_of_blanks_is_silent() -> None:
    assert reply_filters.silent(trajectory(said(" \n\t"), stop=StopReason.NO_ACTION))


def test_a_reply_that_was_cut_off_as_a_whole_is_silent() -> None:
    assert reply_filters.silent(trajectory(said("```output\n7\n```", kept=0), stop=StopReason.NO_ACTION))


def test_a_call_without_words_is_not_silent() -> None:
    assert not reply_filters.silent(trajectory(called("print(1)"), stop=StopReason.NO_ACTION))


def test_the_prompts_words_in_a_raw_text_are_not_the_models() -> None:
    assert reply_filters.silent(trajectory(said(""), raw=True, stop=StopReason.NO_ACTION))
    assert not reply_filters.silent(trajectory(answered("7"), raw=True))


# budget_exhausted


@pytest.mark.parametrize("stop", LIMITS)
def test_a_limit_is_an_exhausted_budget(stop: StopReason) -> None:
    assert reply_filters.budget_exhausted(trajectory(program("1"), stop=stop))


def test_a_forced_answer_is_an_exhausted_budget() -> None:
    forced = said("Let me", feedback=[Feedback.FORCED])
    assert reply_filters.budget_exhausted(trajectory(forced, said("7}", answer="7")))


def test_an_answer_in_the_last_turn_is_none() -> None:
    told = program("1")
    told = told.model_copy(update={"feedback": (Feedback.OBSERVATION, Feedback.LAST_TURN)})
    assert not reply_filters.budget_exhausted(trajectory(told, answered("7")))


# no_code


def test_prose_alone_is_no_code() -> None:
    assert code_filters.no_code(trajectory(answered("7")))


def test_refused_code_is_none() -> None:
    assert code_filters.no_code(trajectory(program("1", status=REFUSED), answered("7")))


def test_a_cell_of_comments_is_none() -> None:
    assert code_filters.no_code(trajectory(program("# 3 apples\n\n  # so 7"), answered("7")))


def test_code_that_failed_is_code() -> None:
    assert not code_filters.no_code(trajectory(program("1/0", status=ERROR), answered("7")))


def test_a_call_is_code() -> None:
    assert not code_filters.no_code(trajectory(called("print(1)"), answered("7")))


# guess_after_error


@pytest.mark.parametrize("status", [ERROR, TIMEOUT, DIED])
def test_an_answer_right_after_a_failed_cell_is_a_guess(status: ExecutionStatus) -> None:
    assert code_filters.guess_after_error(trajectory(program("1/0", status=status), answered("7")))


def test_a_nudge_between_error_and_answer_makes_no_difference() -> None:
    sample = trajectory(program("1/0", status=ERROR), said("Hm."), answered("7"))
    assert code_filters.guess_after_error(sample)


def test_an_error_in_a_call_counts_alike() -> None:
    assert code_filters.guess_after_error(trajectory(called("1/0", status=ERROR), answered("7")))


def test_a_later_cell_that_ran_makes_it_no_guess() -> None:
    sample = trajectory(program("1/0", status=ERROR), program("7"), answered("7"))
    assert not code_filters.guess_after_error(sample)


def test_a_cell_of_comments_repairs_nothing() -> None:
    sample = trajectory(program("1/0", status=ERROR), program("# it is 7"), answered("7"))
    assert code_filters.guess_after_error(sample)


def test_an_error_without_an_answer_is_no_guess() -> None:
    sample = trajectory(program("1/0", status=ERROR), stop=StopReason.TURN_LIMIT)
    assert not code_filters.guess_after_error(sample)


def test_code_that_failed_after_the_answer_makes_it_no_guess() -> None:
    sample = trajectory(
        program("7"), answered("7"), program("1/0", status=ERROR), said("It stands."), answer="7"
    )
    assert not code_filters.guess_after_error(sample)


async def test_a_real_guess_is_found(local_sandbox: Sandbox) -> None:
    sample = await run(local_sandbox, fenced("print(6 * x)"), "So it is \\boxed{42}.")
    assert dropped_by(sample) == {"guess_after_error", "last_error"}


# answer_before_code


async def test_an_answer_before_the_code_that_was_asked_for_is_found(local_sandbox: Sandbox) -> None:
    boxed = "So it is \\boxed{42}."
    sample = await run(local_sandbox, boxed, fenced("print(6 * 7)"), boxed, stages=Stages(code_first=True))
    assert "answer_before_code" in dropped_by(sample)


def test_an_answer_without_any_code_is_not_before_it() -> None:
    assert not code_filters.answer_before_code(trajectory(answered("7")))


def test_an_answer_between_two_programs_is_not_before_code() -> None:
    sample = trajectory(program("7"), answered("7"), program("8"), answered("7"))
    assert not code_filters.answer_before_code(sample)


def test_refused_code_is_not_code_that_had_run() -> None:
    sample = trajectory(program("1", status=REFUSED), answered("7"), program("7"), answered("7"))
    assert code_filters.answer_before_code(sample)


# code_and_answer


async def test_code_and_answer_in_one_breath_are_found(local_sandbox: Sandbox) -> None:
    sample = await run(
        local_sandbox, fenced("print(6 * 7)") + "So it is \\boxed{42}.", "So it is \\boxed{42}."
    )
    assert dropped_by(sample) == {"code_and_answer"}


def test_an_answer_beside_a_call_that_could_not_be_followed_is_in_one_breath() -> None:
    call = ToolCall(id="c", name="python", arguments="{")
    assert code_filters.code_and_answer(trajectory(said("\\boxed{7}", answer="7", calls=[call])))


def test_an_answer_in_the_next_reply_is_not_in_one_breath() -> None:
    assert not code_filters.code_and_answer(trajectory(program("7"), answered("7")))


def test_a_box_that_the_program_prints_is_no_answer() -> None:
    assert not code_filters.code_and_answer(trajectory(program("print('\\\\boxed{7}')"), answered("7")))


# invented_output


def test_output_that_was_cut_off_was_invented() -> None:
    sample = trajectory(program("print(7)", invented="```output\n7\n```\nSo 7."), answered("7"))
    assert reply_filters.invented_output(sample)


async def test_a_real_reply_that_goes_on_is_found(local_sandbox: Sandbox) -> None:
    sample = await run(local_sandbox, fenced("print(42)") + "<output>\n42\n</output>", "\\boxed{42}")
    assert dropped_by(sample) == {"invented_output"}


@pytest.mark.parametrize(
    "mark", ["```output", "```` output", "<output>", "  <interpreter>", "<tool_response>"]
)
def test_another_protocols_output_in_the_kept_text_was_invented(mark: str) -> None:
    assert reply_filters.invented_output(trajectory(program("7", after=f"\n{mark}\n7"), answered("7")))


def test_what_a_programs_string_holds_was_not_invented() -> None:
    sample = trajectory(program("print('''\n```output\n7\n''')"), answered("7"))
    assert not reply_filters.invented_output(sample)


def test_output_that_is_spoken_of_was_not_invented() -> None:
    sample = trajectory(program("7"), said("The ```output``` and the <output> say 7.", answer="7"))
    assert not reply_filters.invented_output(sample)


def test_a_loop_that_was_cut_off_was_not_invented() -> None:
    looped = said("again and " * 300, kept=10, finish=FinishReason.REPETITION)
    assert not reply_filters.invented_output(trajectory(looped, answered("7")))


def test_output_that_was_cut_off_before_a_loop_was_invented() -> None:
    text = "See:\n```output\n" + "7\n" * 600
    looped = said(text, kept=5, finish=FinishReason.REPETITION)
    assert reply_filters.invented_output(trajectory(looped, answered("7")))


# repeated_code


def test_the_same_program_in_other_words_is_a_repeat() -> None:
    sample = trajectory(
        program("x = 'a'\nprint(x)"), program('# again\nx = "a"\n\nprint( x )'), answered("7")
    )
    assert code_filters.repeated_code(sample)


def test_a_repeat_in_one_reply_counts() -> None:
    assert code_filters.repeated_code(trajectory(program("f()", "f()"), answered("7")))


def test_another_name_is_another_program() -> None:
    assert not code_filters.repeated_code(trajectory(program("x = 1"), program("y = 1"), answered("7")))


def test_code_that_runs_once_its_names_are_there_is_no_repeat() -> None:
    sample = trajectory(program("f(n)", status=ERROR), program("n = 1"), program("f(n)"), answered("7"))
    assert not code_filters.repeated_code(sample)


def test_code_that_prints_something_else_is_no_repeat() -> None:
    sample = trajectory(program("print(x)", printed="1"), program("print(x)", printed="2"), answered("7"))
    assert not code_filters.repeated_code(sample)


def test_code_that_restores_a_lost_state_is_no_repeat() -> None:
    lost = program("while True: pass", status=TIMEOUT, state_lost=True)
    assert not code_filters.repeated_code(trajectory(program("x = 1"), lost, program("x = 1"), answered("7")))
    assert code_filters.repeated_code(trajectory(lost, lost, answered("7")))


def test_code_that_was_refused_may_be_run_later() -> None:
    sample = trajectory(program("x = 1", status=REFUSED), program("x = 1"), answered("7"))
    assert not code_filters.repeated_code(sample)


# last_error


def test_a_winner_whose_last_cell_failed_is_dropped_and_a_loser_is_not() -> None:
    (last,) = (each for each in TRAJECTORY_FILTERS if each.name == "last_error")
    assert last.scope is Scope.WINNERS
    assert last.drops(trajectory(program("7"), answered("7"), program("1/0", status=ERROR), answered("7")))


def test_a_refused_cell_is_not_the_last_that_ran() -> None:
    failed, refused = program("1/0", status=ERROR), program("7", status=REFUSED)
    both = said(failed.completion.text, *failed.cells, *refused.cells)
    assert code_filters.last_error(trajectory(both, answered("7")))


def test_an_error_that_was_repaired_is_not_the_last() -> None:
    sample = trajectory(program("1/0", status=ERROR), program("7", status=OK), answered("7"))
    assert not code_filters.last_error(sample)


# verification_only


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        ("The rest is 7. Let me check.", "7"),
        ("So $x = \\frac{3}{8}$, as a program shows.", "\\frac{3}{8}"),
        ("This equals **1,234**.", "1234"),
        ("It is \\boxed{12}.", "12"),
        ("所以答案是42。", "42"),
        ("Thus 3 + 4 = 7", "7"),
    ],
)
def test_an_answer_that_prose_had_found_is_only_verified(before: str, answer: str) -> None:
    fences = trajectory(program("print(1)", before=before + "\n"), answered(answer))
    tool = trajectory(called("print(1)", before=before), answered(answer))
    earlier = trajectory(said(before), program("print(1)"), answered(answer))
    assert all(map(code_filters.verification_only, [fences, tool, earlier]))


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        ("7. The seventh step", "7"),
        ("Step 7 is 17 steps, or x = 7.5, or y = -7, or z = 7y", "7"),
        ("That is 7 * 12", "7"),
        ("The number of apples is unknown.", "7"),
        ("", "7"),
    ],
)
def test_a_number_that_is_no_conclusion_proves_nothing(before: str, answer: str) -> None:
    assert not code_filters.verification_only(
        trajectory(program("print(1)", before=before), answered(answer))
    )


def test_what_stands_behind_the_program_or_in_the_problem_proves_nothing() -> None:
    assert not code_filters.verification_only(trajectory(program("7", after="It is 7."), answered("7")))
    given = trajectory(program("7", before="One is 7.\n"), answered("7"), text="There are 7 cats. Halve 14.")
    assert not code_filters.verification_only(given)


# All together


def test_each_setting_turns_its_own_filter_on_and_off() -> None:
    optional = [each.name for each in TRAJECTORY_FILTERS if not each.always]
    off = FilterSettings(**dict.fromkeys(optional, False))
    always = [each.name for each in chosen_filters(off)]
    assert always == ["environment", "undecided", "silent"]
    for name in optional:
        one = off.model_copy(update={name: True})
        assert [each.name for each in chosen_filters(one)] == [*always, name]


def test_the_defaults_leave_out_verification_only_alone() -> None:
    chosen = {each.name for each in chosen_filters(FilterSettings())}
    assert {each.name for each in TRAJECTORY_FILTERS} - chosen == {"verification_only"}


@pytest.mark.parametrize(
    "text",
    [
        "7" * 500_000,
        "= 7 " * 100_000,
        "```output" * 50_000,
        "<output" * 50_000,
        "\x00\ud800" * 1000,
        " " * 500_000,
    ],
    ids=["digits", "equalities", "fences", "marks", "surrogates", "blanks"],
)
def test_hostile_text_is_read_to_its_end(text: str) -> None:
    sample = trajectory(
        program("(" * 10_000, before=text), program(text, status=ERROR), said(text, answer=text), answer="7"
    )
    assert "repeated_code" not in dropped_by(sample)
