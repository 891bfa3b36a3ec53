"""Makes loss masks of recorded trajectories, and looks who wrote the text that the loss stands on.

    python benchmarks/masks.py PATH... --tokenizer FOLDER|FILE.gguf... --template FILE.jinja... [--limit N]

Each PATH is a run's folder, a file of trajectories, a folder of such files, or a set that `tir export` made
(of TRL's dialect); each tokenizer a folder that transformers reads, or a GGUF file. `--template` may be left
out: the tokenizer's own is used. Every tokenizer is tried with every template. What a loss has to stand on is
found out anew from the origin of each character, and compared with the decoded mask, white space aside
(templates strip it). Ends with status 1 if a loss stands on anything else, or is missing where it should be.

Needs `pip install 'tir-agent[train]'`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.export.manifest import MANIFEST
from tir_agent.messages import Origin
from tir_agent.preferences import Conversation, Encoded, conversation_of, decoded_loss, encode
from tir_agent.preferences.dialects import conversations_of
from tir_agent.store import RunReader
from tir_agent.tokenizers import load_tokenizer

Encode = Callable[..., Encoded]


@dataclass
class Row:
    """What came of all conversations with one tokenizer and one template."""

    tokenizer: str
    template: str
    conversations: int = 0
    tokens: int = 0
    model: int = 0
    """Characters that the model wrote, without white space."""
    learnt: int = 0
    """Those of them that a loss stands on."""
    foreign: int = 0
    """Characters in the loss that are neither the model's nor the end of its turn."""
    seconds: float = 0.0
    refused: Counter[MaskRefusal] = field(default_factory=Counter)

    @property
    def right(self) -> bool:
        return not self.foreign and self.learnt == self.model


def bare(text: str) -> str:
    """`text` as it can be sent at all, without white space.

    >>> bare(" a b\\n")
    'ab'
    """
    # Gemma's tokenizer has no other way to write this one than as a space.
    return "".join(text.encode("utf-8", "replace").decode().replace("\u2581", " ").split())


def wanted(conversation: Conversation) -> list[str]:
    """What the model wrote behind the opening, each stretch until somebody else's text."""
    found: list[str] = []
    for message in conversation.learnt:
        pieces = [(bare(text), origin is Origin.MODEL) for text, origin in message.pieces]
        fresh = True
        for text, model in pieces:
            if model and text and not fresh:
                found[-1] += text
            elif model and text:
                found.append(text)
            # White space of others between two texts of the model's parts them all the same.
            fresh = not (model and text)
    return found


def check(row: Row, conversation: Conversation, runs: Sequence[str], ends: frozenset[str]) -> None:
    """Compare what the loss stands on with what the model wrote, stretch by stretch."""
    expected = wanted(conversation)
    row.model += sum(map(len, expected))
    # The end of a turn alone, or white space alone: the model said nothing else there.
    said = [run for run in map(bare, runs) if run and run not in ends]
    if any(message.tool_calls for message in conversation.learnt):
        _check_calls(row, expected, said)
        return
    for n, run in enumerate(said):
        text = expected[n] if n < len(expected) else ""
        if run == text or run.removeprefix(text) in ends:
            row.learnt += len(text)
        else:
            row.foreign += len(run)


def _check_calls(row: Row, expected: list[str], said: list[str]) -> None:
    """How a template writes calls is its own; that they are the model's is what the tests are for."""
    whole = "\0".join(said)
    at = 0
    for text in expected:
        found = whole.find(text, at)
        if found >= 0:
            row.learnt += len(text)
            at = found + len(text)


def measure(
    row: Row,
    conversations: Iterable[Conversation],
    tokenizer: Any,
    template: str | None,
    make: Encode = encode,
) -> Row:
    """Encode every conversation and check each; `make` is what makes the masks."""
    tokens = tokenizer.added_tokens_decoder.values()
    ends = frozenset(bare(one.content) for one in tokens if one.content.strip())
    for conversation in conversations:
        began = time.perf_counter()
        try:
            encoded = make(conversation, tokenizer, template=template)
        except MaskError as error:
            row.refused[error.refusal] += 1
            continue
        finally:
            row.seconds += time.perf_counter() - began
            row.conversations += 1
        row.tokens += len(encoded.input_ids)
        check(row, conversation, decoded_loss(encoded, tokenizer), ends)
    return row


def report(rows: Sequence[Row]) -> list[str]:
    """Lines of a Markdown table.

    >>> for line in report([Row("t", "chatml", 2, 1200, 90, 90, 0, 0.5)])[2:]:
    ...     print(line)
    | t | chatml | 2 | 1,200 | 90 | 90 | 0 | none | 2,400 |
    """
    lines = [
        "| tokenizer | template | conversations | tokens | characters of the model's | in the loss | "
        "others in the loss | refused | tokens/s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        refused = ", ".join(f"{name}: {count:,}" for name, count in row.refused.most_common()) or "none"
        speed = row.tokens / row.seconds if row.seconds else 0.0
        lines.append(
            f"| {row.tokenizer} | {row.template} | {row.conversations:,} | {row.tokens:,} | {row.model:,} "
            f"| {row.learnt:,} | {row.foreign:,} | {refused} | {speed:,.0f} |"
        )
    return lines


def conversations_at(paths: Sequence[Path]) -> Iterator[Conversation]:
    """Those of every trajectory in which the model wrote something, and both sides of every pair."""
    for path in paths:
        if (path / MANIFEST).is_file():
            yield from exported(path)
            continue
        for trajectory in RunReader.open(path).trajectories():
            conversation = conversation_of(trajectory)
            if conversation.learnt:
                yield conversation


def exported(folder: Path) -> Iterator[Conversation]:
    """The conversations of an export's rows."""
    for file in sorted((folder / "jsonl").glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield from conversations_of(json.loads(line))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--tokenizer", type=Path, nargs="+", required=True)
    parser.add_argument("--template", type=Path, nargs="*", default=[])
    parser.add_argument("--limit", type=int, default=None)
    asked = parser.parse_args()
    conversations = list(islice(conversations_at(asked.paths), asked.limit))
    rows: list[Row] = []
    for path in asked.tokenizer:
        tokenizer: Any = load_tokenizer(str(path))
        for file in asked.template or [None]:
            template = file.read_text(encoding="utf-8") if file else None
            row = Row(path.stem, file.stem if file else "its own")
            rows.append(measure(row, conversations, tokenizer, template))
    print("\n".join(report(rows)))
    if not conversations or not all(row.right for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
