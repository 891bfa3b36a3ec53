"""Rows of other systems' trajectories, as their files hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]

NAME_ERROR = (
    "-" * 75
    + " NameError                                 Traceback (most recent call last) Cell In[2], line 1\n"
    + "----> 1 \x1b[38;5;241mtotal\n NameError: name 'total' is not defined"
)
ALARM = (
    "-" * 75
    + "\nTimeoutError                              Traceback (most recent call last)\nCell In[1], line 1\n"
    + "TimeoutError: Timed out after 30 seconds."
)
STEPS = (
    "You have 1 steps left and 2 chances to propose solution left.\n"
    "You should take the last step to propose a solution."
)


def turn(text: str, code: str, output: str | None) -> Row:
    return {"text": text, "code": code, "output": output}


def replay(system: str, *turns: Row, final: str | None = "", **fields: Any) -> Row:
    row = {
        "source": system,
        "model": "m-7b",
        "set": "s",
        "problem": "What is 6 * 7?",
        "gold": 42.0,
        "label": True,
        "turns": list(turns),
        "final": final,
        "id": "one",
    }
    return row | fields


def mathcoder(**fields: Any) -> Row:
    row = replay(
        "MathCoder",
        turn("Let's see.", "total_6 = 6 * 7\r\ntotal_6", "42"),
        turn("", "total", NAME_ERROR),
        final="So it is \\(\\boxed{42}\\).42",
    )
    return row | fields


def mint(**fields: Any) -> Row:
    row = replay(
        "MINT",
        turn("Assistant:\n<thought> Run it. </thought>\n", "while True: pass\n", ALARM),
        turn("Assistant:\n", "print(6 * 7)\n", f"42\n{STEPS}"),
        final="The answer is <solution> 42 </solution>.\n",
        gold="42.0",
    )
    return row | fields


def tora(**fields: Any) -> Row:
    row = replay(
        "ToRA",
        turn("", "print(6 * 7)\n", "42"),
        final="\nIt is $\\boxed{42}$.",
        label=None,
        pred="42",
        gold="42",
    )
    return row | fields


def user(text: str) -> Row:
    return {"role": "user", "content": text}


def assistant(text: str | None, *calls: Row) -> Row:
    return {"role": "assistant", "content": text} | ({"tool_calls": list(calls)} if calls else {})


def call(code: str, identity: str | None = "a") -> Row:
    return {
        "id": identity,
        "type": "function",
        "function": {"name": "python", "arguments": json.dumps({"code": code})},
    }


CODED = "Run it.\n\n```python\nprint(6 * 7)\n```"


def log(*messages: Row, **fields: Any) -> Row:
    said = messages or (
        {"role": "system", "content": "You solve problems."},
        user("What is 6 * 7?"),
        assistant(CODED),
        user("```output\n42\n```"),
        assistant("It is \\boxed{42}."),
    )
    return {"messages": list(said)} | fields


def write(path: Path, rows: Iterable[Row | str]) -> Path:
    """Texts are lines as they are."""
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
