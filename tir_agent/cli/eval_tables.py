"""An evaluation as tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from tir_agent.cli.grid import Grid
from tir_agent.evaluate.paired import Comparison, Test
from tir_agent.evaluate.rates import Interval, Rate
from tir_agent.evaluate.report import Evaluation
from tir_agent.grades import Verdict

__all__ = ["grids", "notes", "percent"]

_TESTS = {
    Test.MCNEMAR: "McNemar's exact test",
    Test.SIGN_FLIP_EXACT: "sign-flip test, all signs",
    Test.SIGN_FLIP_DRAWN: "sign-flip test, 10,000 draws",
}
_INTERVALS = {
    Interval.NONE: "none",
    Interval.WILSON: "Wilson",
    Interval.CLUSTERED_T: "t, clustered",
}


def percent(value: float | None) -> str:
    """A rate with one digit, or a dash."""
    return "-" if value is None else f"{100 * value:.1f} %"


def grids(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison]) -> list[Grid]:
    """Every table for which there are figures."""
    found = [_overview(evaluations), _passes(evaluations), _votes(evaluations), _groups(evaluations)]
    found += [_stops(evaluations), _tools(evaluations), *(_spreads(one) for one in evaluations)]
    for comparison in comparisons:
        found += [_comparison(comparison), _changes(comparison)]
    return [grid for grid in found if grid.rows]


def notes(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison]) -> list[str]:
    """What must be known to read the tables rightly, a sentence each."""
    said: list[str] = []
    for one in evaluations:
        name = f"{one.name}: " if len(evaluations) > 1 else ""
        said += [f"{name}{sentence}" for sentence in _cautions(one)]
    for comparison in comparisons:
        if comparison.only_a or comparison.only_b:
            said.append(
                f"{comparison.a} and {comparison.b}: {comparison.only_a} problems only of the first and "
                f"{comparison.only_b} only of the second are left out"
            )
    return said


def _cautions(one: Evaluation) -> list[str]:
    said = []
    if not one.scored and one.apart:
        said.append(f"All {one.apart} trajectories failed around the model: tir runs show says how")
    elif not one.scored:
        said.append("No trajectory has a grade, so there are no rates: did the problems have gold answers?")
    if one.apart:
        said.append(f"{one.apart} trajectories that failed or were interrupted are in no rate")
    if one.ungraded and one.scored:
        said.append(f"{one.ungraded} trajectories without a grade are in no rate")
    if one.duplicates:
        said.append(f"{one.duplicates} trajectories of samples that were there already are left out")
    undecided = one.verdicts.get(Verdict.UNGRADABLE, 0) + one.verdicts.get(Verdict.TIMEOUT, 0)
    if undecided and one.pass_at_1:
        without = percent(one.decided.value) if one.decided else "nothing"
        said.append(
            f"{undecided} answers that could not be graded count as not correct; pass@1 is "
            f"{percent(one.pass_at_1.value)} with them and {without} without"
        )
    if 0 < one.rewarded < one.scored:
        said.append(f"{one.scored - one.rewarded} trajectories have no reward, so that none is chosen by it")
    if one.uneven and one.scored:
        said.append(
            f"Problems have {one.fewest} to {one.most} samples: if a plan chose these numbers by results, or "
            "failures are not by chance, pass@1 and pass@k are biased"
        )
    return said


def _overview(evaluations: Sequence[Evaluation]) -> Grid:
    rows = tuple(
        (
            one.name,
            f"{one.trajectories:,}",
            f"{one.problems:,}",
            str(one.most) if not one.uneven else f"{one.fewest}-{one.most}",
            *(f"{one.verdicts.get(verdict, 0):,}" for verdict in Verdict),
            f"{one.ungraded:,}",
            f"{one.apart:,}",
        )
        for one in evaluations
    )
    headings = ("run", "trajectories", "problems", "samples each")
    return Grid("Trajectories", (*headings, *(v.value for v in Verdict), "no grade", "failed"), rows)


def _passes(evaluations: Sequence[Evaluation]) -> Grid:
    rows = tuple(
        (one.name, f"pass@{at.k}", *_rate(at.rate), f"{at.left_out:,}")
        for one in evaluations
        for at in one.passes
        if at.rate is not None
    )
    return Grid("At least one of k samples right", ("run", "", *_RATE, "left out"), rows, figures=2)


_RATE = ("value", "95 % from", "to", "interval", "problems")


def _rate(rate: Rate) -> tuple[str, ...]:
    if rate.interval is Interval.NONE:
        return percent(rate.value), "-", "-", "none", f"{rate.problems:,}"
    ends = percent(rate.low), percent(rate.high)
    return percent(rate.value), *ends, _INTERVALS[rate.interval], f"{rate.problems:,}"


def _votes(evaluations: Sequence[Evaluation]) -> Grid:
    rewarded = any(vote.best for one in evaluations for vote in one.votes)
    rows = []
    for one in evaluations:
        for vote in one.votes:
            row = [one.name, f"{vote.k}", *_rate(vote.majority)[:3], percent(vote.tied)]
            row += [percent(vote.low), percent(vote.high), percent(vote.first)]
            if rewarded:
                row += [percent(rate.value if rate else None) for rate in (vote.best, vote.weighted)]
            rows.append((*row, f"{vote.problems:,}"))
    headings = ["run", "k", "maj@k", "95 % from", "to", "ties", "ties lost", "ties won", "first k"]
    headings += ["rm@k", "wmaj@k"] if rewarded else []
    note = (
        "wmaj@k weighs with the logistic function of the rewards, since not all lie between 0 and 1."
        if any(one.sigmoid for one in evaluations)
        else ""
    )
    return Grid("Votes of k samples", (*headings, "problems"), tuple(rows), figures=1, note=note)


def _groups(evaluations: Sequence[Evaluation]) -> Grid:
    rows = tuple(
        (one.name, group.by.value, group.name, *_rate(group.rate), f"{group.samples:,}")
        for one in evaluations
        for group in one.groups
        if group.rate is not None
    )
    return Grid("pass@1 of parts", ("run", "by", "", *_RATE, "samples"), rows, figures=3)


def _stops(evaluations: Sequence[Evaluation]) -> Grid:
    rows = tuple(
        (
            one.name,
            stop.reason.value,
            f"{stop.count:,}",
            percent(stop.count / one.trajectories),
            percent(stop.correct / stop.scored if stop.scored else None),
        )
        for one in evaluations
        for stop in one.stops
    )
    return Grid("How runs ended", ("run", "stop", "trajectories", "share", "correct"), rows, figures=2)


def _tools(evaluations: Sequence[Evaluation]) -> Grid:
    columns: list[list[str]] = []
    for one in evaluations:
        use = one.tool_use
        if use is None:
            continue
        correct = use.failed_correct / use.failed_scored if use.failed_scored else None
        columns.append(
            [
                one.name,
                percent(use.with_code / use.trajectories),
                f"{use.cells / use.trajectories:.2f}",
                f"{use.cells:,}",
                f"{use.errors:,} ({percent(use.error_rate)})",
                f"{use.timeouts:,}",
                f"{use.died:,}",
                f"{use.refused:,}",
                f"{use.failed:,}",
                percent(use.recovery_rate),
                percent(correct),
                f"{use.cut:,} ({percent(use.cut / use.turns if use.turns else None)})",
                *(
                    [_money(use.costs, use.priced)]
                    if any(e.tool_use and e.tool_use.costs for e in evaluations)
                    else []
                ),
            ]
        )
    names = ["", "trajectories with code", "cells a trajectory", "cells", "cells that raised"]
    names += ["cells out of time", "kernels that died", "cells refused", "trajectories with a failed cell"]
    names += ["of these a later cell ran", "of these the answer is right", "replies cut"]
    names += ["cost"] if len(columns) > 0 and len(columns[0]) > len(names) else []
    rows = tuple(zip(names, *columns, strict=True)) if columns else ()
    return Grid("Use of the tool", rows[0] if rows else ("",), rows[1:])


def _money(costs: dict[str, float], priced: int) -> str:
    sums = ", ".join(f"{amount:,.4f} {currency}" for currency, amount in sorted(costs.items()))
    return f"{sums} ({priced:,} priced)" if sums else "-"


def _spreads(one: Evaluation) -> Grid:
    found = one.tool_use.spreads if one.tool_use else ()
    rows = tuple(
        (
            spread.name,
            *map(_amount, (spread.mean, spread.tenth, spread.median, spread.ninetieth, spread.most)),
            f"{spread.total:,.0f}",
        )
        for spread in found
    )
    headings = ("of a trajectory", "mean", "10 %", "median", "90 %", "most", "all together")
    return Grid(f"What {one.name} took", headings, rows)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 1_000 else f"{value:.2f}"


def _comparison(one: Comparison) -> Grid:
    rows = (
        (f"pass@1 of {one.a}", percent(one.mean_a)),
        (f"pass@1 of {one.b}", percent(one.mean_b)),
        ("difference in points", f"{100 * one.difference:+.1f}"),
        ("95 % interval", f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"),
        ("p", f"{one.p:.4f} ({_TESTS[one.test]})"),
        ("problems", f"{one.problems:,}"),
        (f"{one.a} better", f"{one.a_better:,}"),
        (f"{one.b} better", f"{one.b_better:,}"),
        ("same", f"{one.same:,}"),
    )
    return Grid(f"{one.a} beside {one.b}", ("on the same problems", ""), rows)


def _changes(one: Comparison) -> Grid:
    rows = tuple((change.problem, percent(change.a), percent(change.b)) for change in one.changes)
    return Grid(f"Problems that differ most between {one.a} and {one.b}", ("problem", one.a, one.b), rows)
