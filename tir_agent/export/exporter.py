"""From runs to a training set: read once, chosen problem by problem, written in an order of the seed's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tir_agent import __version__
from tir_agent.errors import RunError, UsageError
from tir_agent.evaluate.rewards import RecordedReward
from tir_agent.export.card import card
from tir_agent.export.chance import rank_of, split_of
from tir_agent.export.contamination import Contaminated
from tir_agent.export.counting import TokenCounter
from tir_agent.export.files import EXAMPLE, write_files
from tir_agent.export.intake import Intake
from tir_agent.export.ledger import Ledger, amount
from tir_agent.export.manifest import (
    MANIFEST,
    DataFile,
    ExportManifest,
    Source,
    Split,
    Unit,
    Weights,
)
from tir_agent.export.place import check_place, new_folder
from tir_agent.export.selection import Selection, needs_rewards
from tir_agent.export.spool import Counted, Spool
from tir_agent.export.totals import problem_counts, split_counts
from tir_agent.export.writing import need_parquet
from tir_agent.preferences import Example, Pair, sides
from tir_agent.preferences.balance import balanced, weights
from tir_agent.preferences.dialects import (
    DialectError,
    Misfit,
    Writer,
    argument_of,
    dialect_for,
)
from tir_agent.settings import ExportKind, ExportRecipe, FilterSettings
from tir_agent.store import RunReader
from tir_agent.tokenizers import load_tokenizer, template_of

if TYPE_CHECKING:
    from tir_agent.preferences.tokens import Tokenizer

__all__ = ["Exporter", "Progress"]

DIALECT = "dialect"
_REMEDIES: Final = {
    "undecided": "tir grade RUN, and then --grades with the name that it prints",
    DIALECT: "Plain text wants --tokenizer DIR; LLaMA-Factory's pairs have room for one turn: --format steps",
}
"""What to do about stages that took everything, where it is no filter to switch off."""
BALANCE = "balance"
_WORDS: Final = {Unit.TRAJECTORIES: ("trajectory", "trajectories"), Unit.EXAMPLES: ("example",)}
_EVERY: Final = 1000
"""Trajectories between two words on how many were read."""


@dataclass(frozen=True)
class Progress:
    """Who hears how it goes."""

    step: Callable[[str], None] = lambda text: None
    """What is being done; soon overtaken."""
    say: Callable[[str], None] = lambda text: None
    """What someone should look at: a sentence."""


class Exporter:
    """Makes one training set."""

    def __init__(self, recipe: ExportRecipe, progress: Progress | None = None) -> None:
        """Load what the recipe names: tokenizer, rewards, benchmarks, prompt.

        Raises:
            UsageError: something of it is not there, or missing from the recipe.
            DataError: something cannot be read.
        """
        self._recipe = recipe
        self._progress = progress or Progress()
        if needs_rewards(recipe) and recipe.rewards is None:
            raise UsageError("The hardest negative is found by rewards", hint="--rewards FILE")
        need_parquet()
        self._tokenizer = self._load(recipe.tokenizer)
        self._render = template_of(self._tokenizer) if self._tokenizer is not None else None
        # A dialect that has no form for this kind is better known now than after an hour of reading.
        self._writer(None)
        self._counter = TokenCounter(self._tokenizer, recipe.tokenizer and Path(recipe.tokenizer).name)
        self._rewards = RecordedReward.read(Path(recipe.rewards)) if recipe.rewards else None
        self._contaminated = Contaminated(recipe.contamination)
        self._ledger = Ledger()
        self._misfits: Counter[Misfit] = Counter()

    def export(self, runs: Sequence[Path], out: Path, *, replace: bool = False) -> ExportManifest:
        """Write the set of `runs` to the folder `out`, whole or not at all.

        Raises:
            UsageError: something is at `out` that is not to be replaced.
            RunError: a run cannot be read, or nothing is left of all of them.
            StorageError: the disk failed.
        """
        check_place(out, replace=replace)
        readers = [self._reader(run) for run in runs]
        with new_folder(out) as folder, Spool(folder / "spool") as spool:
            intake = Intake(
                self._recipe,
                spool,
                self._ledger,
                counter=self._counter,
                contaminated=self._contaminated,
                rewards=self._rewards,
                say=self._progress.say,
            )
            sources = tuple([intake.read(reader, self._tick) for reader in readers])
            self._check_rewards(intake)
            argument = self._choose(spool)
            ranges = self._balance(spool)
            writer = self._writer(argument)
            files = tuple(write_files(spool, self._recipe, writer, folder, self._progress.step))
            manifest = self._manifest(sources, spool, files, ranges)
            self._describe(manifest, writer, folder)
            spool.close()
            (folder / "spool").unlink()
        return manifest

    def _check_rewards(self, intake: Intake) -> None:
        if self._rewards is None:
            return
        if not intake.rewarded:
            raise UsageError(
                f"{self._recipe.rewards} has no reward for any of the trajectories",
                hint='Its lines are like {"id": "the id of a trajectory", "reward": 0.5}',
            )
        self._progress.say(
            f"{intake.rewarded:,} of {amount(intake.candidates, 'trajectory', 'trajectories')} have a reward"
        )

    def _load(self, name: str | None) -> Tokenizer | None:
        if name is None:
            return None
        return load_tokenizer(name)

    def _reader(self, run: Path) -> RunReader:
        reader = RunReader.open(run)
        return reader.merge_grades(self._recipe.grades) if self._recipe.grades else reader

    def _tick(self) -> None:
        if self._ledger.read % _EVERY == 0:
            self._progress.step(f"{self._ledger.read:,} trajectories read")

    def _writer(self, argument: str | None) -> Writer:
        return dialect_for(self._recipe.dialect, self._recipe.kind, argument=argument, render=self._render)

    def _choose(self, spool: Spool) -> str | None:
        """Make examples of all candidates; the name of the argument of the function that they call."""
        selection = Selection(self._recipe, self._ledger, spool)
        self._ledger.announce(DIALECT, unit=Unit.EXAMPLES)
        argument: str | None = None
        made = 0
        for counted in spool.problems():
            for example in selection.examples(counted):
                its_own = argument_of(example)
                if self._put(spool, counted, example, its_own):
                    made += 1
                    argument = argument or its_own
        for why, count in self._misfits.items():
            name = self._recipe.dialect.value
            fit = "does" if count == 1 else "do"
            self._progress.say(f"{amount(count, 'example')} {fit} not fit the dialect {name}: {why.value}")
        if not made:
            raise self._nothing()
        return argument

    def _nothing(self) -> RunError:
        stages = [stage for stage in self._ledger.waterfall().stages if stage.dropped]
        if not self._ledger.read:
            return RunError(
                "The runs have no trajectories", hint="tir import makes a run of other systems' trajectories"
            )
        dropped = "; ".join(f"{one.name} dropped {amount(one.dropped, *_WORDS[one.unit])}" for one in stages)
        most = max(stages, key=lambda stage: stage.dropped, default=None)
        remedy = _REMEDIES.get(most.name) if most else None
        field = FilterSettings.model_fields.get(most.name) if most else None
        if most is not None and field is not None and field.annotation is bool:
            remedy = f"--no-filter {most.name}"
        return RunError("Nothing is left to write", hint=f"{dropped}. {remedy}" if remedy else dropped)

    def _put(self, spool: Spool, counted: Counted, example: Example, argument: str | None) -> bool:
        example = self._measured(example)
        try:
            self._writer(argument).row(example)
        except DialectError as error:
            self._misfits[error.why] += 1
            self._ledger.drop(DIALECT)
            return False
        split = split_of(counted.problem.text, self._recipe.seed, self._recipe.validation)
        ends = sides(example)
        return spool.put(
            split,
            rank_of(self._recipe.seed, example.id),
            example.id,
            counted.key,
            EXAMPLE.dump_json(example),
            label=None if isinstance(example, Pair) or example.kind == "sft" else example.label,
            tokens=sum(side.tokens for side in ends),
            model_tokens=sum(side.model_tokens for side in ends),
        )

    def _measured(self, example: Example) -> Example:
        """With the tokens counted again where the tokenizer can and the sides were cut."""
        if not (isinstance(example, Pair) and example.prefix_turns and self._counter.exact):
            return example
        chosen, rejected = (
            side.model_copy(update={"tokens": self._counter.count(side.conversation)})
            for side in (example.chosen, example.rejected)
        )
        return example.model_copy(update={"chosen": chosen, "rejected": rejected})

    def _balance(self, spool: Spool) -> Weights | None:
        if self._recipe.kind is not ExportKind.KTO:
            return None
        self._ledger.announce(BALANCE, unit=Unit.EXAMPLES)
        if self._recipe.balance.ratio is None:
            return self._weights(spool)
        for split in Split:
            kept = balanced(*spool.labels(split), self._recipe.balance.ratio)
            for label, most in ((True, kept.desirable), (False, kept.undesirable)):
                self._ledger.drop(BALANCE, right=label, count=spool.leave(split, label, most))
        if not any(spool.totals(split)[0] for split in Split):
            raise self._nothing()
        return self._weights(spool)

    def _weights(self, spool: Spool) -> Weights | None:
        ranges = weights(*spool.labels(Split.TRAIN))
        return Weights(desirable=ranges.desirable, undesirable=ranges.undesirable) if ranges else None

    def _manifest(
        self,
        sources: tuple[Source, ...],
        spool: Spool,
        files: tuple[DataFile, ...],
        ranges: Weights | None,
    ) -> ExportManifest:
        return ExportManifest(
            tir_agent=__version__,
            recipe=self._recipe,
            sources=sources,
            waterfall=self._ledger.waterfall(),
            problems=problem_counts(spool),
            splits=split_counts(spool, self._recipe.kind),
            files=files,
            weights=ranges,
            overlaps=self._contaminated.overlaps,
            token_count=self._counter.name,
        )

    def _describe(self, manifest: ExportManifest, writer: Writer, folder: Path) -> None:
        data = {one.split.value: f"jsonl/{one.split.value}.jsonl" for one in manifest.splits}
        for name, text in writer.files(data).items():
            (folder / name).write_text(text, "utf-8")
        (folder / "README.md").write_text(card(manifest, writer.card()), "utf-8")
        content = json.dumps(manifest.model_dump(mode="json"), ensure_ascii=False, indent=1)
        (folder / MANIFEST).write_text(content + "\n", "utf-8")
