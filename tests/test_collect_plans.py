"""Plans of samples, and the schedule that carries them out."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tir_agent.collect.plans import Seen, most, wanted
from tir_agent.collect.schedule import Schedule
from tir_agent.collect.tasks import Task, drawings, seed_for
from tir_agent.settings import (
    Arm,
    Fixed,
    Pairs,
    ProblemSource,
    Proportional,
    Recipe,
    SamplePlan,
    UntilCorrect,
    Vote,
)
from tir_agent.store import Key
from tir_agent.trajectory import Problem, Verdict

RIGHT, WRONG = Verdict.CORRECT, Verdict.WRONG
PLANS: list[SamplePlan] = [
    Fixed(samples=5),
    UntilCorrect(correct=2, at_most=7),
    Proportional(correct=5, pilot=3, at_most=9),
    Pairs(right=2, wrong=1, at_most=8),
    Vote(at_least=3, at_most=9),
]


def recipe(plan: SamplePlan, *arms: Arm, seed: int = 0) -> Recipe:
    return Recipe(
        problems=ProblemSource(path="some.jsonl"),
        arms=arms or (Arm(name="a", model="m"),),
        samples=plan,
        seed=seed,
    )


def problems(count: int) -> list[Problem]:
    return [Problem(id=f"p{number}", text=f"Problem {number}", gold="1") for number in range(count)]


def seen(*verdicts: Verdict | None) -> list[Seen]:
    return [Seen(number, verdict) for number, verdict in enumerate(verdicts)]


def votes(*classes: int | None) -> list[Seen]:
    return [Seen(number, None, votes_for) for number, votes_for in enumerate(classes)]


def judge(task: Task) -> Verdict:
    """The same verdict for the same sample, whenever it is drawn."""
    return RIGHT if random.Random(repr(task.key)).random() < 0.4 else WRONG


def drain(schedule: Schedule, at_once: int, seed: int = 0) -> dict[Key, Verdict]:
    """Carry everything out, with `at_once` under way, ending in random order."""
    order = random.Random(seed)
    running: list[Task] = []
    made: dict[Key, Verdict] = {}
    while True:
        while len(running) < at_once and (task := schedule.next()) is not None:
            running.append(task)
        if not running:
            return made
        task = running.pop(order.randrange(len(running)))
        assert task.key not in made
        made[task.key] = judge(task)
        schedule.done(task, made[task.key], 0 if made[task.key] is RIGHT else 1)


def test_a_fixed_plan_asks_for_all_at_once() -> None:
    assert wanted(Fixed(samples=5), []) == 5
    assert wanted(Fixed(samples=5), seen(RIGHT), running=2, lost=1) == 1


def test_until_correct_asks_for_no_more_than_could_be_needed() -> None:
    plan = UntilCorrect(correct=3, at_most=6)
    assert wanted(plan, []) == 3
    assert wanted(plan, seen(RIGHT, WRONG), running=1) == 1
    assert wanted(plan, seen(RIGHT, RIGHT, RIGHT)) == 0
    assert wanted(plan, seen(WRONG, WRONG, WRONG, WRONG, WRONG)) == 1
    assert wanted(plan, seen(*[WRONG] * 6)) == 0


def test_proportional_wants_more_of_the_harder_problem() -> None:
    plan = Proportional(correct=8, pilot=4, at_most=40)
    assert wanted(plan, []) == 4
    assert wanted(plan, seen(WRONG, WRONG, WRONG), running=1) == 0  # the pilot is not complete
    assert wanted(plan, seen(WRONG, WRONG, WRONG, WRONG)) == 8
    assert wanted(plan, seen(RIGHT, WRONG, WRONG, RIGHT)) == 2  # half of them failed: 4, and 2 are there
    assert wanted(plan, seen(RIGHT, RIGHT, RIGHT, RIGHT)) == 0
    assert wanted(plan, seen(WRONG, WRONG, WRONG), lost=1) == 8  # what was lost is not waited for


def test_pairs_want_one_of_each() -> None:
    plan = Pairs(right=1, wrong=1, at_most=5)
    assert wanted(plan, []) == 2
    assert wanted(plan, seen(RIGHT, WRONG)) == 0
    assert wanted(plan, seen(RIGHT, RIGHT)) == 1
    assert wanted(plan, seen(*[RIGHT] * 5)) == 0
    assert wanted(plan, seen(RIGHT, Verdict.TIMEOUT)) == 1  # neither right nor wrong


def test_a_vote_ends_when_it_is_decided() -> None:
    plan = Vote(at_least=3, at_most=7)
    assert wanted(plan, []) == 3
    assert wanted(plan, votes(0, 0, 0)) == 1  # three of seven: one more decides, four cannot be caught
    assert wanted(plan, votes(0, 0, 0, 0)) == 0
    assert wanted(plan, votes(0, 1, 2)) == 3
    assert wanted(plan, votes(None, None, None)) == 3
    assert wanted(plan, votes(0, 1, 0, 1, 0, 1)) == 1
    assert wanted(plan, votes(0, 1, 0, 1, 0, 1, 2)) == 0


@pytest.mark.parametrize("plan", [Vote(at_least=1, at_most=9), Vote(at_least=3, at_most=9)])
def test_a_decided_vote_stays_decided_whatever_would_have_come(plan: Vote) -> None:
    chance = random.Random(1)
    for _ in range(500):
        classes = [chance.choice([0, 0, 0, 1, 2, None]) for _ in range(plan.at_most)]
        for count in range(plan.at_most + 1):
            if wanted(plan, votes(*classes[:count])) == 0:
                break
        early = Counter(one for one in classes[:count] if one is not None).most_common(1)
        late = Counter(one for one in classes if one is not None).most_common(1)
        assert count == plan.at_most or early[0][0] == late[0][0]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.kind)
@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_what_is_drawn_does_not_hang_on_the_order_in_which_samples_end(
    plan: SamplePlan, at_once: int
) -> None:
    one_by_one = drain(Schedule(recipe(plan), problems(20)), 1)
    others = [drain(Schedule(recipe(plan), problems(20)), at_once, seed) for seed in range(5)]
    if isinstance(plan, Vote):
        # Samples that could decide together are drawn together, and the first of them may do it alone.
        assert all(set(one_by_one) <= set(other) for other in others)
    else:
        assert all(other == one_by_one for other in others)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.kind)
def test_a_run_that_is_killed_and_resumed_draws_what_it_would_have_drawn(plan: SamplePlan) -> None:
    whole = drain(Schedule(recipe(plan), problems(10)), 6)
    chance = random.Random(3)
    for _ in range(20):
        kept = {key: verdict for key, verdict in whole.items() if chance.random() < chance.random()}
        schedule = Schedule(recipe(plan), problems(10))
        for key, verdict in kept.items():
            schedule.restore(key, verdict, 0 if verdict is RIGHT else 1)
        rest = drain(schedule, 6)
        assert not set(rest) & set(kept)
        assert set(rest) | set(kept) <= set(whole) or isinstance(plan, Vote)
        assert schedule.is_over
        assert schedule.expected == len(kept) + len(rest)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.kind)
def test_lost_samples_do_not_hold_up_their_problem(plan: SamplePlan) -> None:
    schedule = Schedule(recipe(plan), problems(3))
    count = 0
    while (task := schedule.next()) is not None:
        count += 1
        schedule.lost(task)
    assert schedule.is_over
    assert count == 3 * most(plan)
    assert schedule.expected == 3 * most(plan)


def test_a_task_that_came_to_nothing_is_handed_out_again() -> None:
    schedule = Schedule(recipe(Fixed(samples=2)), problems(2))
    first = schedule.next()
    assert first is not None
    schedule.again(first)
    keys = []
    while (task := schedule.next()) is not None:
        keys.append(task.key)
        schedule.done(task, RIGHT)
    assert sorted(keys, key=repr) == sorted(
        (Key(f"p{number}", "a", index) for number in range(2) for index in range(2)), key=repr
    )
    assert schedule.is_over


def test_after_a_failure_another_problem_is_tried_first() -> None:
    schedule = Schedule(recipe(Fixed(samples=3)), problems(2))
    first = schedule.next()
    assert first is not None
    schedule.again(first)
    other = schedule.next(elsewhere=True)
    assert other is not None
    assert other.problem.id == "p1"


def test_arms_alternate_by_their_weights() -> None:
    arms = (Arm(name="now", model="m", weight=20), Arm(name="before", model="n", weight=10))
    order = drawings(arms, 30)
    assert Counter(one.arm for one in order) == {"now": 20, "before": 10}
    assert Counter(one.arm for one in order[:6]) == {"now": 4, "before": 2}
    assert [one.index for one in order if one.arm == "now"] == list(range(20))
    made = drain(Schedule(recipe(Fixed(samples=30), *arms), problems(2)), 7)
    assert Counter(key.arm for key in made) == {"now": 40, "before": 20}


def test_every_sample_has_a_seed_of_its_own_and_always_the_same() -> None:
    keys = [Key(f"p{number}", arm, index) for number in range(50) for arm in "ab" for index in range(8)]
    seeds = {seed_for(0, key) for key in keys}
    assert len(seeds) == len(keys)
    assert seed_for(0, Key("p", "a", 1)) == seed_for(0, Key("p", "a", 1)) != seed_for(1, Key("p", "a", 1))
    assert all(0 <= seed < 2**31 for seed in seeds)
    schedule = Schedule(recipe(Fixed(), seed=5), problems(1))
    task = schedule.next()
    assert task is not None
    assert task.seed == seed_for(5, task.key)


def test_what_is_not_of_this_run_is_known_as_such() -> None:
    schedule = Schedule(recipe(Fixed(samples=2)), problems(1))
    assert schedule.known(Key("p0", "a", 1))
    assert not schedule.known(Key("p0", "a", 2))
    assert not schedule.known(Key("p9", "a", 0))
    assert not schedule.known(Key("p0", "b", 0))
