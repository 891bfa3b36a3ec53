"""Which right and which wrong trajectory become a pair, and where two of them part."""

from __future__ import annotations

import random
from collections.abc import Sequence

from preference_samples import answered, candidate, program, trajectory

from tir_agent.preferences import Candidate, Conversation, conversation_of
from tir_agent.preferences.pairs import couples, steps
from tir_agent.preferences.prefixes import parting
from tir_agent.settings import Pairing, PairRule
from tir_agent.trajectory import Turn

from dialect_examples import called, one_text, prefilled


def draw(seed: int = 0) -> random.Random:
    return random.Random(seed)


def named(found: Sequence[tuple[Candidate, Candidate, int]]) -> list[tuple[str, str]]:
    return [(right.trajectory, wrong.trajectory) for right, wrong, _ in found]


def of(number: int, *turns: Turn, right: bool) -> Candidate:
    """A candidate with a conversation of its own."""
    return candidate(number, right=right).model_copy(
        update={"conversation": conversation_of(trajectory(*turns))}
    )


def rewarded(number: int, *, right: bool, reward: float | None) -> Candidate:
    return candidate(number, right=right).model_copy(update={"reward": reward})


MIXED = [candidate(n, right=True, tokens=100 + n) for n in range(4)] + [
    candidate(n, right=False, tokens=90 + 10 * n) for n in range(4, 8)
]


def test_by_default_one_right_and_one_wrong_are_drawn() -> None:
    seen = set()
    for seed in range(200):
        (pair,) = couples(MIXED, Pairing(), draw(seed))
        assert pair.right.right
        assert not pair.wrong.right
        seen.add((pair.right.trajectory, pair.wrong.trajectory))
    assert len(seen) == 16, "every combination comes up"


def test_the_order_of_reading_makes_no_difference() -> None:
    assert couples(MIXED, Pairing(), draw()) == couples(MIXED[::-1], Pairing(), draw())
    assert steps(MIXED, Pairing(), draw()) == steps(MIXED[::-1], Pairing(), draw())


def test_no_trajectory_is_in_two_pairs() -> None:
    for rule in (PairRule.RANDOM, PairRule.CLOSEST_LENGTH, PairRule.SHORTEST_CORRECT):
        found = named(couples(MIXED, Pairing(rule=rule, per_problem=9), draw()))
        assert len(found) == 4, rule
        for side in zip(*found, strict=True):
            assert len(set(side)) == 4, rule


def test_without_a_counterpart_there_is_no_pair() -> None:
    for right in (True, False):
        alone = [candidate(n, right=right) for n in range(3)]
        assert couples(alone, Pairing(), draw()) == []
        assert steps(alone, Pairing(), draw()) == []
    assert couples([], Pairing(), draw()) == []


def test_the_closest_in_length_come_together() -> None:
    right = [candidate(0, tokens=100), candidate(1, tokens=500)]
    wrong = [candidate(2, right=False, tokens=480), candidate(3, right=False, tokens=130)]
    found = couples([*right, *wrong], Pairing(rule=PairRule.CLOSEST_LENGTH, per_problem=2), draw())
    assert named(found) == [("t001", "t002"), ("t000", "t003")]


def test_the_shortest_right_one_is_chosen() -> None:
    for seed in range(10):
        (pair,) = couples(MIXED, Pairing(rule=PairRule.SHORTEST_CORRECT), draw(seed))
        assert pair.right.trajectory == "t000"


def test_the_hardest_negative_has_the_highest_reward_and_the_unrewarded_are_not_used() -> None:
    all_of_them = [
        rewarded(0, right=True, reward=0.1),
        rewarded(1, right=True, reward=0.9),
        rewarded(2, right=True, reward=None),
        rewarded(3, right=False, reward=-1.0),
        rewarded(4, right=False, reward=0.7),
        rewarded(5, right=False, reward=None),
    ]
    pairing = Pairing(rule=PairRule.HARDEST_NEGATIVE, per_problem=9)
    assert named(couples(all_of_them, pairing, draw())) == [("t001", "t004"), ("t000", "t003")]


def test_trajectories_that_were_given_different_messages_are_not_paired() -> None:
    other = conversation_of(trajectory(answered("7"), text="Another text of the same problem"))
    wrong = candidate(1, right=False).model_copy(update={"conversation": other})
    assert couples([candidate(0), wrong], Pairing(), draw()) == []


def test_texts_without_messages_are_paired_by_what_they_begin_with() -> None:
    raw = [
        candidate(n, right=right).model_copy(
            update={"conversation": conversation_of(trajectory(answered(answer), raw=True))}
        )
        for n, (right, answer) in enumerate([(True, "7"), (False, "8")])
    ]
    assert len(couples(raw, Pairing(), draw())) == 1
    assert steps(raw, Pairing(), draw()) == [], "there are no turns to compare"
    (pair,) = couples(raw, Pairing(rule=PairRule.SAME_PREFIX), draw())
    assert pair.prefix_turns == 0


def test_two_runs_part_where_the_model_wrote_something_else() -> None:
    one = conversation_of(trajectory(program("a = 1"), program("b = 2"), answered("7")))
    other = conversation_of(trajectory(program("a = 1"), program("b = 3"), answered("8")))
    where = parting(one, other)
    assert where is not None
    assert (where.message, where.turns) == (3, 1)
    assert parting(other, one) == where


def test_an_output_that_depends_on_chance_is_not_the_models_doing() -> None:
    one = conversation_of(trajectory(program("random()"), answered("7")))
    messages = list(one.messages)
    messages[2] = messages[2].model_copy(update={"content": messages[2].content.replace("s", "S")})
    assert parting(one, one.model_copy(update={"messages": tuple(messages)})) is None


def test_equal_runs_and_one_that_ends_before_do_not_part() -> None:
    whole = conversation_of(trajectory(program("a"), answered("7")))
    assert parting(whole, whole) is None
    assert parting(whole, whole.ended_before(2)) is None


def test_a_calls_identifier_makes_no_difference_and_its_arguments_do() -> None:
    assert parting(called(call="call-1"), called(call="call-2")) is None
    where = parting(called(), called(arguments='{"code": "print(43)"}'))
    assert where is not None
    assert (where.message, where.turns) == (1, 0)


def test_what_two_share_is_given_to_both() -> None:
    right = of(0, program("a = 1"), program("b = 2"), answered("7"), right=True)
    near = of(1, program("a = 1"), program("b = 3"), answered("8"), right=False)
    far = of(2, program("c = 1"), answered("9"), right=False)
    (pair,) = couples([right, near, far], Pairing(rule=PairRule.SAME_PREFIX), draw())
    assert (pair.wrong.trajectory, pair.prefix_turns) == ("t001", 1)
    assert pair.right.conversation.given == pair.wrong.conversation.given
    assert len(pair.right.conversation.given) == 3
    assert [reply.message for reply in pair.right.conversation.replies] == [3, 5]


def test_a_step_is_the_one_turn_in_which_they_part() -> None:
    right = of(0, program("a = 1"), program("b = 2"), answered("7"), right=True)
    wrong = of(1, program("a = 1"), program("b = 3"), answered("8"), right=False)
    (pair,) = steps([right, wrong], Pairing(), draw())
    assert pair.prefix_turns == 1
    assert [list(side.conversation.model_text()) for side in pair[:2]] == [
        ["```python\nb = 2\n```\n"],
        ["```python\nb = 3\n```\n"],
    ]
    assert pair.right.conversation.given == pair.wrong.conversation.given
    assert len(pair.right.conversation.replies) == 1
    assert pair.right.tokens < right.tokens
    assert pair.right.model_tokens < right.model_tokens


def test_steps_with_the_longest_common_way_come_first_and_none_twice() -> None:
    right = of(0, program("a = 1"), program("b = 2"), answered("7"), right=True)
    wrongs = [
        of(1, program("z"), answered("8"), right=False),
        of(2, program("a = 1"), program("b = 3"), answered("8"), right=False),
        of(3, program("a = 1"), program("b = 3"), answered("9"), right=False),
    ]
    found = steps([right, *wrongs], Pairing(per_problem=9), draw())
    assert [pair.prefix_turns for pair in found] == [1, 0]
    assert steps([right, *wrongs], Pairing(per_problem=9, min_prefix=1), draw()) == found[:1]
    assert steps([right, *wrongs], Pairing(), draw()) == found[:1]


def test_a_message_of_several_turns_is_no_step() -> None:
    def side(conversation: Conversation, number: int, *, right: bool) -> Candidate:
        return candidate(number, right=right).model_copy(update={"conversation": conversation})

    assert (
        steps(
            [side(prefilled("42"), 0, right=True), side(prefilled("43"), 1, right=False)], Pairing(), draw()
        )
        == []
    )
    assert (
        steps([side(one_text("42"), 0, right=True), side(one_text("43"), 1, right=False)], Pairing(), draw())
        == []
    )
