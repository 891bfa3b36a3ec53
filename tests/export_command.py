"""`tir` in a process of its own, in a pipe or on a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    def row(self, *begin: str) -> list[str]:
        """The cells of the line that begins with these."""
        for line in self.out.splitlines():
            cells = re.split(r" {2,}", line)
            if tuple(cells[: len(begin)]) == begin:
                return cells
        raise AssertionError(f"no line begins with {begin} in\n{self.out}")


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **more}


def tir(*arguments: object, **more: str) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "tir_agent", *map(str, arguments)],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def on_terminal(columns: int, *arguments: object) -> list[str]:
    """What it draws there, without colours."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tir_agent", *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        env=environment(COLUMNS=str(columns), TERM="xterm-256color"),
    )
    os.close(slave)
    data = b""
    with contextlib.suppress(OSError):
        while piece := os.read(master, 65536):
            data += piece
    os.close(master)
    assert process.wait(60) == 0
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", data.decode()).splitlines()]
