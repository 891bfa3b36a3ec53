"""A sample's own failures, and those of the machine."""

from __future__ import annotations

from tir_agent.collect.outage import Outage
from tir_agent.store import Key

POISON, HONEST = Key("poison", "a", 0), Key("honest", "a", 0)


def honest(number: int) -> Key:
    return Key("honest", "a", number)


def test_a_failure_beside_successes_is_the_samples_own() -> None:
    outage = Outage()
    outage.began(POISON)
    outage.succeeded(HONEST)
    assert outage.failed(POISON, "it broke", 1.0) == 1
    assert outage.room(5, 1.0)
    # Nothing has succeeded since: this one might be the machine's.
    assert outage.failed(POISON, "it broke", 2.0) == 1
    outage.succeeded(honest(1))
    assert outage.failed(POISON, "it broke", 3.0) == 2


def test_where_nothing_works_no_sample_is_to_blame_and_one_at_a_time_is_tried() -> None:
    outage = Outage()
    keys = [honest(number) for number in range(64)]
    for key in keys:
        outage.began(key)
    assert [outage.failed(key, "connection refused", 10.0) for key in keys] == [0] * 64
    assert not outage.room(0, 10.5)
    assert outage.wait(10.5) == 0.5
    assert outage.room(0, 11.0)
    assert not outage.room(1, 11.0)
    assert outage.lasted(12.0) == 2.0
    outage.succeeded(keys[0])
    assert outage.room(63, 12.0)
    assert outage.lasted(12.0) == 0.0


def test_the_pauses_grow_to_half_a_minute() -> None:
    outage = Outage()
    now, pauses = 0.0, []
    for _ in range(8):
        outage.failed(HONEST, "down", now)
        pauses.append(outage.wait(now))
        now += pauses[-1] or 0.0
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_sample_that_takes_the_machine_down_is_found_out() -> None:
    outage = Outage()
    own = 0
    for number in range(4):
        outage.began(POISON)
        own = outage.failed(POISON, "died", float(number))
        outage.succeeded(honest(number))
    assert own == 3


def test_a_refused_request_is_no_outage() -> None:
    outage = Outage()
    assert [outage.failed(POISON, "no", 1.0, machine=False) for _ in range(3)] == [1, 2, 3]
    assert outage.room(9, 1.0)
