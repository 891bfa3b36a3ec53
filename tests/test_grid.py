"""Tables on terminals and pages."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from tir_agent.cli.grid import Grid, markdown

from evaluations import trajectory, write_run


def test_on_a_narrow_terminal_headings_break_and_names_and_figures_do_not(tmp_path: Path) -> None:
    run = write_run(tmp_path / "careful", [trajectory("p", n) for n in range(3)])
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "tir_agent", "eval", str(run), "--by-text"]
    environment = {**os.environ, "COLUMNS": "70", "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=slave, stdout=slave, env=environment)
    os.close(slave)
    drawn = read_all(master)
    assert process.wait(60) == 0
    assert "\x1b[1m" in drawn
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", drawn).splitlines()]
    assert max(map(len, lines)) <= 70
    (row,) = (line for line in lines if line.startswith("careful  pass@1"))
    assert "100.0 %" in row
    assert "Wilson" in row or "none" in row


def read_all(master: int) -> str:
    """Until the program has closed its end, which a terminal reports as an error."""
    data = b""
    with contextlib.suppress(OSError):
        while piece := os.read(master, 65536):
            data += piece
    os.close(master)
    return data.decode()


def test_a_page_escapes_what_would_break_its_tables() -> None:
    grid = Grid("T", ("name", "n"), (("a|b\nc\x1b[31m", "1"),), note="A note.")
    assert markdown("Page", [grid], ["Said"]) == (
        "# Page\n\n- Said\n\n## T\n\n| name | n |\n| --- | ---: |\n| a\\|b c | 1 |\n\nA note.\n"
    )
