"""The benchmark of crashes, small: `tir collect` is killed, and what it hangs on, and nothing is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from collect_command import ModelServer
from collect_ledger import Ledger
from collect_scenarios import Outcome, Scale, Stage

SCALE = Scale(problems=6, samples=2, latency=0.1, at_once=4, kernel="local")
EXPECTED = SCALE.problems * SCALE.samples

Stages = Callable[[str], Stage]


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """Makes a collection that has a model's server."""
    # Sockets lie in it, and a test's own folder has too long a name for them.
    with ModelServer(SCALE.latency) as server:
        yield lambda name: Stage(name, tmp_path_factory.mktemp("c"), SCALE, server)


def check(outcome: Outcome) -> None:
    assert outcome.complaints() == []
    assert (outcome.findings.expected, outcome.findings.found) == (EXPECTED, EXPECTED)


def test_a_command_that_is_killed_five_times_loses_nothing_and_makes_nothing_twice(stage: Stages) -> None:
    outcome = stage("killed").killed(5, seed=1)
    check(outcome)
    assert outcome.events == 5
    assert outcome.resumed >= 5
    assert outcome.findings.acknowledged > 0


def test_a_model_server_that_goes_and_comes_back_costs_no_trajectory(stage: Stages) -> None:
    outcome = stage("model").model_server_killed(1, down=1.0)
    check(outcome)
    assert outcome.events == 1


def test_a_second_writer_is_refused_by_the_name_of_the_first(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # Slow, so that the first has not come to its end before the second has even begun.
    with ModelServer(1.5) as server:
        check(Stage("writers", tmp_path_factory.mktemp("c"), SCALE, server).two_writers())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_full_disk_holds_up_the_collection_and_costs_nothing(stage: Stages) -> None:
    outcome = stage("disk").disk_full("64k", "16m")
    check(outcome)
    assert outcome.events == 1


def test_the_ledger_sees_what_is_missing_twice_torn_changed_and_said_but_not_there(stage: Stages) -> None:
    one = stage("undisturbed")
    one.undisturbed()
    one.ledger.look()
    shard = one.place.run / "shards" / "00000.jsonl"
    _, second, *rest = shard.read_bytes().splitlines(keepends=True)
    changed = second.replace(b'"ANSWERED"', b'"TURN_LIMIT"')
    shard.write_bytes(b"".join([changed, *rest, rest[0], rest[1][:100]]))
    found = one.ledger.findings(SCALE.keys)
    assert (found.missing, found.twice, found.torn, found.lost) == (1, 1, 1, 2)

    # The first one's line is gone, and an event says that it is on the disk.
    later = Ledger(one.place.run)
    shard.write_bytes(b"".join(rest))
    later.look()
    assert later.unwritten == 2
