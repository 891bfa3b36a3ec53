"""The loop closed: collect, export, train, serve, evaluate on problems that were never trained on.

    python benchmarks/closed_loop.py RUN GGUF OUT [--seeds 3] [--own 4]

RUN is a finished collection (docs/benchmarks/mawps.md says how the one here was made), GGUF the model's file.
Half of its problems, by their text, are trained on; every model solves the other half. What is there already
is not made again, so the same command goes on where it stopped. With `--own` each SFT model also samples the
problems that it was trained on, and DPO follows on pairs of its own trajectories: the paper's next round.
Needs the extras `train`, `embedded` and `plot`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from closed_loop_report import BASE, SFT, Model, draw, report

ROOT = Path(__file__).parent.parent
TIR = (sys.executable, "-m", "tir_agent")
BARE = "tir_bare"

EXPORT = ("--validation", "0.5", "--seed", "0", "--prompt", BARE, "--licence", "apache-2.0")
SETS = {
    "sft": ("--at-most", "1", "--cleanest-first"),
    "dpo": ("--pairs", "random"),
    "kto": ("--at-most", "1"),
}
# A model of 135 million parameters wants higher rates than the papers' of 7 billion, and few rows many steps.
TRAINING = {
    "sft": ("--lr", "1e-4", "--epochs", "2", "--batch", "8", "--accumulate", "1"),
    "dpo": ("--lr", "5e-6", "--epochs", "1", "--batch", "4", "--accumulate", "2"),
    "kto": ("--lr", "5e-6", "--epochs", "1", "--batch", "8", "--accumulate", "1"),
}
PART = 60
# As the collection was made: the same temperature, and as much room for a reply.
LIMITS = ("--max-tokens", "96", "--set", "budget.max_turns=3")
SAMPLING = ("--temperature", "0.6", *LIMITS)
# A model is nearly always right about what it was trained on: it takes more chance to see it wrong too.
OWN_SAMPLING = ("--temperature", "1.0", *LIMITS)
OWN_PAIRS = ("--validation", "0", "--pairs", "random", "--licence", "apache-2.0")


@dataclass(frozen=True)
class Loop:
    """Where everything is."""

    run: Path
    gguf: Path
    out: Path
    samples: int
    own: int
    steps: int | None

    def export(self, kind: str) -> Path:
        """The training set of a kind."""
        out = self.out / "sets" / kind
        if not out.exists():
            call(*TIR, "export", self.run, "--out", out, "--format", kind, *EXPORT, *SETS[kind])
        return out

    def own_pairs(self, start: Path, seed: int) -> Path:
        """The training set for DPO of what a trained model makes of the problems that it was trained on."""
        out = self.out / "sets" / f"own-{seed}"
        if not out.exists():
            run = self.solved(f"own-{seed}", self.served(start), "train", self.own, *OWN_SAMPLING)
            call(*TIR, "export", run, "--out", out, "--format", "dpo", "--seed", seed, *OWN_PAIRS)
        return out

    def base(self) -> Path:
        """The model's weights, to be trained."""
        out = self.out / "models" / "base"
        if not out.exists():
            call(sys.executable, ROOT / "examples" / "gguf_to_hf.py", self.gguf, out)
        return out

    def trained(self, kind: str, start: Path, seed: int) -> Path:
        """`start` trained by a recipe."""
        return self._train(f"{kind}-{seed}", kind, start, self.export(kind), seed)

    def _train(self, name: str, kind: str, start: Path, data: Path, seed: int) -> Path:
        out = self.out / "models" / name
        if not out.exists():
            script = ROOT / "examples" / f"train_{kind}.py"
            steps = ("--steps", self.steps) if self.steps else ()
            options = (*TRAINING[kind], "--no-validate", "--seed", seed, *steps)
            call(sys.executable, script, "--model", start, "--data", data, "--out", out, *options)
        return out

    def trained_on_its_own(self, start: Path, seed: int) -> Path:
        """`start` trained by DPO on pairs of its own trajectories."""
        return self._train(f"own-{seed}", "dpo", start, self.own_pairs(start, seed), seed)

    def served(self, model: Path) -> Path:
        """A trained folder as a file that llama.cpp serves."""
        out = self.out / "models" / f"{model.name}.gguf"
        if not out.exists():
            call(sys.executable, ROOT / "examples" / "hf_to_gguf.py", model, self.gguf, out)
        return out

    def evaluated(self, name: str, model: Path, *options: object) -> Path:
        """A run of a model on the half that no one was trained on."""
        return self.solved(name, model, "validation", self.samples, *SAMPLING, *options)

    def solved(self, name: str, model: Path, half: str, samples: int, *options: object) -> Path:
        """A run of a model on one half."""
        out = self.out / "runs" / (name if half == "validation" else f"{name}-{half}")
        problems = self.export("sft") / "problems" / f"{half}.jsonl"
        call(
            *TIR,
            *("collect", problems, "--model", model, "--samples", samples, "--out", out),
            *("--prompt", BARE, *options, "--at-once", 8, "--concurrent", 8),
            log=self.out / "logs" / f"{out.name}.log",
        )
        return out


def call(*words: object, log: Path | None = None) -> None:
    """Run a command, shown as it could be typed."""
    written = [str(word) for word in words]
    print("$", *written, flush=True)
    begun = time.monotonic()
    if log is None:
        subprocess.run(written, check=True)
    else:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            subprocess.run(written, check=True, stdout=file, stderr=file)
    print(f"  {time.monotonic() - begun:.0f} s", flush=True)


def models(loop: Loop, seeds: int) -> Iterator[Model]:
    """Every model, trained and evaluated, in the order in which they come to be."""
    # The collection has the other half too, as the model solved it before.
    yield Model(BASE, None, loop.run)
    starts: list[Path] = []
    for seed in range(seeds):
        starts.append(loop.trained("sft", loop.base(), seed))
        yield Model(SFT, seed, loop.evaluated(f"sft-{seed}", loop.served(starts[-1])))
        yield after(loop, "dpo", starts[-1], seed)
    for seed, start in enumerate(starts):
        yield after(loop, "kto", start, seed)
    for seed, start in enumerate(starts if loop.own else []):
        trained = loop.served(loop.trained_on_its_own(start, seed))
        yield Model(f"{SFT}, then DPO on its own samples", seed, loop.evaluated(f"own-{seed}", trained))
    # A part is enough, at the end: without exemplars it talks up to every limit, and that takes long.
    yield Model("base, same prompt", None, loop.evaluated("base", loop.gguf, "--limit", PART))


def after(loop: Loop, kind: str, start: Path, seed: int) -> Model:
    """What a second training makes of a model."""
    trained = loop.served(loop.trained(kind, start, seed))
    return Model(f"{SFT}, then {kind.upper()}", seed, loop.evaluated(f"{kind}-{seed}", trained))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of the collection")
    parser.add_argument("gguf", type=Path, help="file of the model that it was made with")
    parser.add_argument("out", type=Path, help="folder for sets, models and runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=2, help="of each problem, when evaluating")
    parser.add_argument(
        "--own", type=int, default=0, help="samples of each problem for another round, of the SFT model's own"
    )
    parser.add_argument(
        "--steps", type=int, help="end each training after so many steps: to try the loop out"
    )
    options = parser.parse_args()
    loop = Loop(options.run, options.gguf, options.out, options.samples, options.own, options.steps)
    found: list[Model] = []
    for model in models(loop, options.seeds):
        found.append(model)
        page, figures = report(found, loop.export("sft") / "problems" / "validation.jsonl")
        (options.out / "report.md").write_text(page, "utf-8")
        (options.out / "report.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
        draw(figures, options.out / "report.png")
        print(page, flush=True)


if __name__ == "__main__":
    main()
