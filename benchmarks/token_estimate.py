"""Compares the estimate of token counts with a real tokenizer, over recorded outputs of interpreters.

    python benchmarks/token_estimate.py [--data FOLDER]

Reads every `replay/*.jsonl` in the data folder: one object a line with `turns`, each with an `output`.
The tokenizer is that of the installed small model (SmolLM2), asked through llama.cpp's server.
"""

from __future__ import annotations

import argparse
import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from tir_agent.models.gguf import installed_gguf
from tir_agent.observation.tokens import estimated_tokens

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
LONG = 100
"""Tokens from which on a single output's error is reported: of short ones it says little."""


@dataclass(frozen=True)
class Counted:
    """The tokens of one text."""

    estimated: int
    real: int


class Tokenizer:
    """The tokenizer of a GGUF file."""

    def __init__(self, path: Path) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.n_ctx = 512
        params.n_parallel = 1
        params.warmup = False
        params.fit_params = False
        params.verbosity = 1
        self._server = xllamacpp.Server(params)

    def count(self, text: str) -> int:
        body = json.dumps({"content": text, "add_special": False}).encode()
        url = f"{self._server.listening_address}/tokenize"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return len(json.load(reply)["tokens"])


def outputs(data: Path) -> list[str]:
    """The recorded outputs, each once."""
    found: dict[str, None] = {}
    for file in sorted((data / "replay").glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            for turn in json.loads(line)["turns"]:
                found[turn["output"] or ""] = None
    return [text for text in found if text.strip()]


def report(counted: Sequence[Counted]) -> list[str]:
    """Lines of a Markdown table.

    >>> print("\\n".join(report([Counted(110, 100), Counted(90, 100), Counted(3, 2)])[3:4]))
    | all 3 outputs, 202 tokens | 1.005 |
    """
    estimated, real = sum(one.estimated for one in counted), sum(one.real for one in counted)
    ratios = [one.estimated / one.real for one in counted if one.real >= LONG]
    twentieths = quantiles(ratios, n=20, method="inclusive")
    return [
        "",
        "| | estimated / counted |",
        "|---|---|",
        f"| all {len(counted):,} outputs, {real:,} tokens | {estimated / real:.3f} |",
        f"| median of the {len(ratios):,} of {LONG} tokens or more | {twentieths[9]:.2f} |",
        f"| nine in ten of these | {twentieths[0]:.2f} to {twentieths[-1]:.2f} |",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    tokenizer = Tokenizer(installed_gguf())
    counted = [
        Counted(estimated_tokens(text), tokenizer.count(text)) for text in outputs(parser.parse_args().data)
    ]
    print("\n".join(report(counted)))


if __name__ == "__main__":
    main()
