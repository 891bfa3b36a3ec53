"""Trajectories reduced to rows, and what is counted in them."""

from __future__ import annotations

import sys

import pytest

from tir_agent.evaluate.report import Grouping, evaluate
from tir_agent.evaluate.results import Intake, Result, reduce
from tir_agent.evaluate.tool_use import spread, stops, tool_use
from tir_agent.grades import Verdict
from tir_agent.trajectory import ExecutionStatus, StopReason

from evaluations import OK, RAISED, result, trajectory


def test_a_row_holds_what_the_trajectory_says() -> None:
    row = reduce(
        trajectory("p", 3, cells=[OK, RAISED, OK], kept=2, level="5", subject="algebra", cost=0.25),
        reward=0.5,
    )
    assert row == Result(
        problem="p",
        arm="a",
        index=3,
        stop=StopReason.ANSWERED,
        verdict=Verdict.CORRECT,
        answer="7",
        subject="algebra",
        level="5",
        turns=1,
        cut=1,
        cells=3,
        errors=1,
        recovered=True,
        completion_tokens=5,
        prompt_tokens=10,
        seconds=2,
        model_seconds=1,
        kernel_seconds=0.5,
        cost=0.25,
        currency="USD",
        reward=0.5,
    )


@pytest.mark.parametrize(
    ("cells", "recovered"),
    [((OK, RAISED), False), ((RAISED, OK), True), ((OK, OK), False), ((), False), ((RAISED, RAISED), False)],
)
def test_only_a_later_cell_recovers(cells: tuple[ExecutionStatus, ...], recovered: bool) -> None:
    assert reduce(trajectory(cells=cells)).recovered is recovered


def test_a_row_is_small() -> None:
    """A hundred thousand of them are some 40 MB."""
    row = reduce(trajectory(level="5"))
    assert not hasattr(row, "__dict__")
    assert sys.getsizeof(row) < 300


def test_each_sample_counts_once() -> None:
    intake = Intake()
    intake.extend([trajectory(index=0), trajectory(index=1), trajectory(index=0), trajectory(arm="b")])
    intake.add(trajectory("other", 7, identity="p-a-1"))
    assert [row.key for row in intake.results] == [("p", "a", 0), ("p", "a", 1), ("p", "b", 0)]
    assert intake.duplicates == 2


def test_runs_of_no_collection_are_numbered_as_they_come() -> None:
    intake = Intake()
    intake.extend(trajectory("p", None, identity=str(number)) for number in range(3))
    assert [row.key for row in intake.results] == [("p", "m", 0), ("p", "m", 1), ("p", "m", 2)]


def test_the_use_of_the_tool_is_counted() -> None:
    died, refused, slow = ExecutionStatus.DIED, ExecutionStatus.REFUSED, ExecutionStatus.TIMEOUT
    rows = [
        reduce(trajectory(index=0, cells=[RAISED, OK], kept=1, cost=0.1)),
        reduce(trajectory(index=1, cells=[slow, died, refused], verdict=Verdict.WRONG, cost=0.2)),
        reduce(trajectory(index=2)),
        reduce(trajectory(index=3, cells=[RAISED] * 9, stop=StopReason.ERROR, verdict=None)),
    ]
    use = tool_use(rows)
    assert use is not None
    assert (use.trajectories, use.with_code, use.cells) == (3, 2, 5)
    assert (use.errors, use.timeouts, use.died, use.refused) == (1, 1, 1, 1)
    assert (use.failed, use.recovered, use.failed_scored, use.failed_correct) == (2, 1, 2, 1)
    assert (use.cut, use.turns) == (1, 3)
    assert use.costs == {"USD": pytest.approx(0.3)}
    assert use.priced == 2
    assert use.error_rate == 0.2
    assert use.recovery_rate == 0.5
    assert tool_use([rows[3]]) is None


def test_a_run_without_code_has_no_error_rate() -> None:
    use = tool_use([reduce(trajectory())])
    assert use is not None
    assert use.error_rate is None
    assert use.recovery_rate is None


def test_quantiles_are_values_that_occur() -> None:
    found = spread("x", [float(n) for n in range(1, 11)])
    assert (found.tenth, found.median, found.ninetieth, found.most, found.total) == (1, 5, 9, 10, 55)
    assert sum(part.count for part in found.bins) == 10
    assert all(part.count == 1 for part in found.bins if part.low >= 1)
    with pytest.raises(ValueError, match="nothing"):
        spread("x", [])


@pytest.mark.parametrize("values", [[0.0], [0.5] * 3, [0.0, 1e9], [3.0, 24.0], [0.1, 25.0, 26.0]])
def test_bins_hold_every_value(values: list[float]) -> None:
    bins = spread("x", values).bins
    assert sum(part.count for part in bins) == len(values)
    assert bins[-1].high >= max(values)
    for part in bins:
        inside = [v for v in values if part.low <= v < part.high or (part is bins[-1] and v >= part.low)]
        assert part.count == len(inside)


def test_ends_are_listed_with_how_often_they_are_right() -> None:
    rows = [result("p", 0), result("p", 1), result("p", 2, right=False, stop=StopReason.TURN_LIMIT)]
    rows.append(result("p", 3, stop=StopReason.ERROR))
    found = {stop.reason: (stop.count, stop.scored, stop.correct) for stop in stops(rows)}
    assert found[StopReason.ANSWERED] == (2, 2, 2)
    assert found[StopReason.TURN_LIMIT] == (1, 1, 0)
    assert found[StopReason.ERROR] == (1, 0, 0)


def test_parts_are_in_the_order_of_their_numbers_and_the_nameless_last() -> None:
    rows = [result(str(n), right=n % 2 == 0, level=level) for n, level in enumerate(["10", "9", "2", None])]
    evaluation = evaluate("r", rows, ks=[1], by=[Grouping.LEVEL])
    assert [group.name for group in evaluation.groups] == ["2", "9", "10", "(none)"]
    assert sum(group.samples for group in evaluation.groups) == 4


def test_an_uneven_run_is_known_as_such() -> None:
    assert evaluate("r", [result("p"), result("p", 1), result("q")], ks=[1]).uneven
    assert not evaluate("r", [result("p"), result("q")], ks=[1]).uneven


def test_nothing_gives_no_rates() -> None:
    evaluation = evaluate("r", [], ks=[1, 2], clusters={})
    assert evaluation.pass_at_1 is None
    assert evaluation.votes == ()
    assert evaluation.tool_use is None
