"""What a set holds, and what there was to make it of: counted on the spool."""

from __future__ import annotations

from tir_agent.export.manifest import ProblemCounts, Split, SplitCounts
from tir_agent.export.spool import Spool
from tir_agent.settings import ExportKind

__all__ = ["problem_counts", "split_counts"]


def problem_counts(spool: Spool) -> ProblemCounts:
    """Problems by what their trajectories were, and those with an example."""
    both = right = wrong = undecided = 0
    for counted in spool.problems():
        both += bool(counted.right and counted.wrong)
        right += bool(counted.right and not counted.wrong)
        wrong += bool(counted.wrong and not counted.right)
        undecided += not (counted.right or counted.wrong)
    return ProblemCounts(
        read=both + right + wrong + undecided,
        both=both,
        all_right=right,
        all_wrong=wrong,
        undecided=undecided,
        left=sum(spool.totals(split)[1] for split in Split),
    )


def split_counts(spool: Spool, kind: ExportKind) -> tuple[SplitCounts, ...]:
    """What each split holds; there is always one to train on, be it empty."""
    found: list[SplitCounts] = []
    for split in Split:
        examples, problems, tokens, model_tokens = spool.totals(split)
        if examples or split is Split.TRAIN:
            found.append(
                SplitCounts(
                    split=split,
                    examples=examples,
                    problems=problems,
                    tokens=tokens,
                    model_tokens=model_tokens,
                    desirable=spool.labels(split)[0] if kind is ExportKind.KTO else None,
                )
            )
    return tuple(found)
