r"""Recorded replies, put back into the form they were written in and read by their own protocol.

    python benchmarks/protocol_replay.py [--data FOLDER] [--list] [--json] [--out FILE]

Reads `replay/mathcoder.jsonl`, `mint.jsonl` and `tora.jsonl` in the data folder. They hold text, code and
output apart; the marks around them are those that the source publishes, and the protocol is the one of the
prompt file of that name:

- MathCoder: `<|text|>...<|endofblock|><|code|>...<|endofblock|><|execution|>...<|endofblock|>`
- MINT: text, then `<execute>`, a line break, code, `</execute>`; `Observation:` before an output,
  `<solution>` around the answer. Its last reply is recorded as it was written, so that one is read as it is.
- ToRA: text, then "```python", code, "```"; "```output" before an output, a box around the answer.

Three things are asked. Is the code of each reply, read by itself, byte for byte the recorded one? Is it also
when the whole trajectory is one text, of which each reading must stop exactly where the next output begins?
Is the answer of the last reply the one that the source found (ToRA's `pred`) or marked (MINT's `<solution>`)?
What differs is listed with its line number and the reason.

The exit status is 3 if less than 99.9 % of the cells are the recorded ones.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tir_agent.answers import extract_answer
from tir_agent.prompts import load_prompt
from tir_agent.protocols import Action, Protocol, protocol_for
from tir_agent.trajectory import Completion, FinishReason

from protocol_replay_report import Difference, Tally, markdown, total_of
from replay import DATA

ENOUGH = 0.999
"""Share of cells that must be the recorded ones."""
_SOLUTION = re.compile(r"<solution>((?:(?!<solution>).)*?)</solution>", re.DOTALL)
_CODE_WITH_SOLUTION = re.compile(r"<execute>(?:(?!</execute>).)*<solution>", re.DOTALL)


@dataclass(frozen=True)
class Surface:
    """How a source writes a trajectory."""

    prompt: str
    """The prompt file whose protocol reads it."""
    reply: Callable[[str, str], str]
    """Text and code."""
    observation: Callable[[str], str]
    """An output, with what stands before its mark."""
    mark: str
    """What an output begins with."""
    final: Callable[[str], str] = str


SURFACES = {
    "mathcoder": Surface(
        "mathcoder",
        lambda text, code: f"<|text|>{text}<|endofblock|><|code|>{code}<|endofblock|>",
        lambda output: f"<|execution|>{output}<|endofblock|>",
        "<|execution|>",
        lambda final: f"<|text|>{final}<|endofblock|>",
    ),
    "mint": Surface(
        "mint",
        lambda text, code: f"{text}<execute>\n{code}</execute>",
        lambda output: f"\n\nObservation:\n{output}\n\n",
        "Observation:",
    ),
    "tora": Surface(
        "tora",
        lambda text, code: f"{text}```python\n{code}```",
        lambda output: f"\n```output\n{output}\n```\n",
        "```output",
    ),
}


def read(folder: Path, source: str, limit: int | None = None) -> Tally:
    """Everything that is asked of one source's file; of its first `limit` trajectories where one is given."""
    surface = SURFACES[source]
    protocol = protocol_for(load_prompt(surface.prompt).protocol)
    tally = Tally()
    with (folder / "replay" / f"{source}.jsonl").open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if limit is not None and number > limit:
                break
            row = json.loads(line)
            tally.trajectories += 1
            _turn_by_turn(row, number, surface, protocol, tally)
            _whole(row, number, surface, protocol, tally)
            _final(row, number, source, protocol, tally)
    return tally


def _turn_by_turn(row: dict[str, Any], line: int, surface: Surface, protocol: Protocol, tally: Tally) -> None:
    for cell, turn in enumerate(row["turns"], 1):
        action = _parse(protocol, surface.reply(turn["text"], turn["code"]))
        tally.cells += 1
        reason = _difference(action, turn, surface)
        if reason is None:
            tally.same_cells += 1
        else:
            tally.differences.append(Difference(line, f"cell {cell}", reason))


def _whole(row: dict[str, Any], line: int, surface: Surface, protocol: Protocol, tally: Tally) -> None:
    """The trajectory as one text: each reading ends at an output, and the next one begins behind it."""
    text = "".join(
        surface.reply(turn["text"], turn["code"]) + surface.observation(turn["output"] or "")
        for turn in row["turns"]
    ) + surface.final(row["final"])
    position = 0
    for cell, turn in enumerate(row["turns"], 1):
        reply = surface.reply(turn["text"], turn["code"])
        observation = surface.observation(turn["output"] or "")
        action = _parse(protocol, text[position:])
        tally.whole_cells += 1
        reason = _difference(action, turn, surface)
        if reason is None and action.kept != len(reply) + observation.index(surface.mark):
            reason = "the reading did not stop where the output begins"
        if reason is None:
            tally.same_whole_cells += 1
        else:
            tally.differences.append(Difference(line, f"cell {cell}, in one text", reason))
        position += len(reply) + len(observation)


def _final(row: dict[str, Any], line: int, source: str, protocol: Protocol, tally: Tally) -> None:
    action = _parse(protocol, SURFACES[source].final(row["final"]))
    if source == "mint" and row["turns"] and row["turns"][-1]["output"] is None:
        _verbatim(action, row, line, tally)
    recorded = _recorded_answer(row, source, action)
    if recorded is None:
        return
    found = action.answer or extract_answer(action.prose)
    tally.answers += 1
    if _alike(found, recorded):
        tally.same_answers += 1
    else:
        tally.differences.append(Difference(line, "answer", _why_another(row, found, recorded)))


def _verbatim(action: Action, row: dict[str, Any], line: int, tally: Tally) -> None:
    """MINT's last reply is there as it was written, and its code too where it was not run any more."""
    tally.verbatim_cells += 1
    code = row["turns"][-1]["code"]
    found = [block.code for block in action.blocks]
    if found and found[0] == code:
        tally.same_verbatim_cells += 1
        return
    reason = f"read {_short(found[0] if found else None)}"
    if SURFACES["mint"].mark in row["turns"][-1]["text"]:
        reason = f"the recorded text has an output mark in it ({SURFACES['mint'].mark})"
    elif not code.strip():
        reason = "the recorded code is empty"
    tally.differences.append(Difference(line, "last reply", reason))


def _recorded_answer(row: dict[str, Any], source: str, action: Action) -> str | None:
    if source == "tora":
        return str(row["pred"])
    if source == "mint":
        # What stands behind an invented observation is not the model's to say.
        solutions = _SOLUTION.findall(row["final"][: action.kept])
        return str(solutions[-1]).strip() if solutions else None
    return None


def _why_another(row: dict[str, Any], found: str | None, recorded: str) -> str:
    if found is None and _CODE_WITH_SOLUTION.search(row["final"]):
        return f"the recorded one, {_short(recorded)}, stands inside the code"
    if "<execute>" in recorded:
        return f"the recorded one, {_short(recorded)}, holds code"
    if found is None and "boxed" not in row["final"]:
        return f"the recorded one, {_short(recorded)}, stands in no box"
    return f"{_short(found)} is not {_short(recorded)}"


def _difference(action: Action, turn: dict[str, Any], surface: Surface) -> str | None:
    """Why the code that was read is not the recorded one; None where it is."""
    found = [block.code for block in action.blocks]
    if found == [turn["code"]]:
        return None
    if surface.mark in turn["text"]:
        return f"the recorded text has an output mark in it ({surface.mark})"
    if not turn["code"].strip():
        return "the recorded code is empty"
    if len(found) == 1 and found[0] in turn["code"] and turn["code"].strip().startswith("```"):
        return "the recorded code is wrapped in a Markdown fence, which was taken off"
    if any(mark in turn["text"] for mark in ("<execute>", "<|code|>", "```python")):
        return "the recorded text has a code mark in it"
    if any(mark in turn["code"] for mark in ("</execute>", "<|endofblock|>", "Observation:", "```")):
        return "the recorded code has a mark in it"
    return f"read {_short(found[0] if found else None)}"


def _parse(protocol: Protocol, text: str) -> Action:
    return protocol.parse(
        Completion(
            text=text,
            finish_reason=FinishReason.STOP,
            prompt_tokens=0,
            completion_tokens=0,
            duration=0.0,
        )
    )


def _alike(found: str | None, recorded: str) -> bool:
    """Whether two answers are one, but for what ToRA takes off before it records: units, signs, zeros."""
    return found is not None and (found == recorded or _bare(found) == _bare(recorded))


def _bare(answer: str) -> str:
    answer = re.sub(r"\\text\{[^{}]*\}\s*$", "", answer.strip())
    answer = re.sub(r"\\[$%! ]|[$%,\s]|\\circ|\^|\\left|\\right|\\", "", answer)
    answer = answer.rstrip(".").replace("dfrac", "frac").replace("tfrac", "frac")
    return re.sub(r"(?<=\d)\.0+(?!\d)", "", answer)


def _short(text: str | None) -> str:
    return "nothing" if text is None else repr(text if len(text) <= 60 else f"{text[:60]}...")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--list", action="store_true", help="every difference, not only their number")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="keep the table as Markdown in this file")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        print(f"there is no data in {arguments.data}; name its folder with --data", file=sys.stderr)
        return 2
    tallies = {source: read(arguments.data, source) for source in SURFACES}
    total = total_of(tallies)
    if arguments.json:
        plain = {
            source: {
                **vars(tally),
                "differences": [vars(difference) for difference in tally.differences],
            }
            for source, tally in tallies.items()
        }
        print(json.dumps(plain, indent=2, ensure_ascii=False))
    else:
        print(markdown(tallies))
    if arguments.out:
        arguments.out.write_text(markdown(tallies), encoding="utf-8")
    if arguments.list:
        for source, tally in tallies.items():
            for difference in tally.differences:
                print(f"{source}.jsonl:{difference.line}: {difference.what}: {difference.reason}")
    return 0 if total.same_cells >= ENOUGH * total.cells else 3


if __name__ == "__main__":
    sys.exit(main())
