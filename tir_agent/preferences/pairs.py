"""Pairs of a right and a wrong trajectory of one problem, by the rule that is named."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, assert_never

from tir_agent.preferences.conversation import Conversation
from tir_agent.preferences.examples import Candidate
from tir_agent.preferences.prefixes import parting
from tir_agent.settings import Pairing, PairRule

__all__ = ["Couple", "couples", "steps"]


class Couple(NamedTuple):
    """Two trajectories that were given the same messages, cut to what is to be compared."""

    right: Candidate
    wrong: Candidate
    prefix_turns: int = 0


class _Meeting(NamedTuple):
    """Two trajectories that go together for some turns."""

    right: Candidate
    wrong: Candidate
    message: int
    turns: int


def couples(candidates: Sequence[Candidate], pairing: Pairing, draw: random.Random) -> list[Couple]:
    """Pairs of the candidates of one problem; no candidate is in two.

    Trajectories are paired only where they were given the same messages. Where a rule looks at rewards,
    those without one are not used.
    """
    found: list[Couple] = []
    for group in _by_opening(candidates):
        right = _shuffled((one for one in group if one.right), draw)
        wrong = _shuffled((one for one in group if not one.right), draw)
        found += _coupled(right, wrong, pairing.rule, pairing.per_problem - len(found))
    return found


def steps(candidates: Sequence[Candidate], pairing: Pairing, draw: random.Random) -> list[Couple]:
    """Pairs of single turns: the first in which a right and a wrong trajectory differ, behind what they
    share (Step-DPO, arXiv:2406.18629). Those that share the most come first; no two pairs are the same.
    """
    found: list[Couple] = []
    seen: set[tuple[object, ...]] = set()
    for meeting in _meetings(candidates, draw):
        if meeting.turns < pairing.min_prefix or len(found) == pairing.per_problem:
            break
        message = meeting.message
        right, wrong = (_cut(one, message, end=message + 1) for one in (meeting.right, meeting.wrong))
        if not all(_is_a_turn(one.conversation) for one in (right, wrong)):
            continue
        key = (right.conversation.given, right.conversation.learnt, wrong.conversation.learnt)
        if key not in seen:
            seen.add(key)
            found.append(Couple(right, wrong, meeting.turns))
    return found


def _coupled(right: list[Candidate], wrong: list[Candidate], rule: PairRule, most: int) -> list[Couple]:
    match rule:
        case PairRule.RANDOM:
            pass
        case PairRule.SHORTEST_CORRECT:
            right.sort(key=_length)
        case PairRule.HARDEST_NEGATIVE:
            right = sorted((one for one in right if one.reward is not None), key=_reward, reverse=True)
            wrong = sorted((one for one in wrong if one.reward is not None), key=_reward, reverse=True)
        case PairRule.CLOSEST_LENGTH:
            return _greedily(right, wrong, lambda a, b: abs(_length(a) - _length(b)), most)
        case PairRule.SAME_PREFIX:
            return _together(right, wrong, most)
        case _:
            assert_never(rule)
    return [Couple(a, b) for a, b in zip(right, wrong, strict=False)][: max(most, 0)]


def _greedily(
    right: list[Candidate],
    wrong: list[Candidate],
    distance: Callable[[Candidate, Candidate], int],
    most: int,
) -> list[Couple]:
    """Nearest first, each candidate once; equally near ones stay in the order of chance."""
    near = sorted(
        ((distance(a, b), i, j) for i, a in enumerate(right) for j, b in enumerate(wrong)),
        key=lambda one: one[0],
    )
    found: list[Couple] = []
    used: tuple[set[int], set[int]] = (set(), set())
    for _, i, j in near:
        if len(found) >= most:
            break
        if i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
            found.append(Couple(right[i], wrong[j]))
    return found


def _together(right: list[Candidate], wrong: list[Candidate], most: int) -> list[Couple]:
    found: list[Couple] = []
    used: set[str] = set()
    for meeting in _met(right, wrong):
        if len(found) >= most:
            break
        if not used & {meeting.right.trajectory, meeting.wrong.trajectory}:
            used |= {meeting.right.trajectory, meeting.wrong.trajectory}
            ends = _cut(meeting.right, meeting.message), _cut(meeting.wrong, meeting.message)
            found.append(Couple(*ends, meeting.turns))
    return found


def _meetings(candidates: Sequence[Candidate], draw: random.Random) -> list[_Meeting]:
    right = _shuffled((one for one in candidates if one.right), draw)
    wrong = _shuffled((one for one in candidates if not one.right), draw)
    return _met(right, wrong)


def _met(right: list[Candidate], wrong: list[Candidate]) -> list[_Meeting]:
    """Every right and wrong trajectory that part by the model's doing; the longest way together first."""
    found = [
        _Meeting(a, b, where.message, where.turns)
        for a in right
        for b in wrong
        if (where := parting(a.conversation, b.conversation)) is not None
    ]
    return sorted(found, key=lambda meeting: -meeting.turns)


def _cut(candidate: Candidate, start: int, end: int | None = None) -> Candidate:
    """With more messages given, and without those from `end` on; lengths in proportion to the characters."""
    whole = candidate.conversation
    part = whole.opened_at(start)
    if end is not None:
        part = part.ended_before(end)
    chars = [sum(len(message.content) for message in one.messages) for one in (part, whole)]
    written = [sum(map(len, one.model_text())) for one in (part, whole)]
    return candidate.model_copy(
        update={
            "conversation": part,
            "tokens": candidate.tokens * chars[0] // max(chars[1], 1),
            "model_tokens": candidate.model_tokens * written[0] // max(written[1], 1),
        }
    )


def _is_a_turn(conversation: Conversation) -> bool:
    """Whether there is one reply to learn; in one message there are several where outputs go on in it."""
    return len(conversation.replies) == 1 and not conversation.raw


def _by_opening(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates that were given the same; the groups with the most pairs first."""
    groups: dict[tuple[object, ...], list[Candidate]] = {}
    for candidate in candidates:
        conversation = candidate.conversation
        given = conversation.given if not conversation.raw else _beginning(candidate)
        groups.setdefault(given, []).append(candidate)

    def possible(group: list[Candidate]) -> int:
        right = sum(one.right for one in group)
        return min(right, len(group) - right)

    return sorted(groups.values(), key=possible, reverse=True)


def _beginning(candidate: Candidate) -> tuple[object, ...]:
    """What a text without messages begins with, before the model's first word."""
    reply = next(iter(candidate.conversation.replies), None)
    message = candidate.conversation.messages[0]
    return (message.content[: reply.start] if reply else message.content,)


def _shuffled(candidates: Iterable[Candidate], draw: random.Random) -> list[Candidate]:
    # By id first: the order in which runs are named must not matter.
    found = sorted(candidates, key=lambda one: one.trajectory)
    draw.shuffle(found)
    return found


def _length(candidate: Candidate) -> int:
    return candidate.model_tokens


def _reward(candidate: Candidate) -> float:
    assert candidate.reward is not None
    return candidate.reward
