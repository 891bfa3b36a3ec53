"""A collection on a terminal, in a pipe, and where neither is there any more."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console

from tir_agent.collect.progress import Progress
from tir_agent.console import CollectView, collect_summary
from tir_agent.console.collect_frame import collect_frame
from tir_agent.console.collect_lines import CollectLines

HOST = Path(__file__).parent / "collecting_host.py"
DEADLINE = 30.0
BUSY = Progress(
    elapsed=2052,
    before=200,
    done=1234,
    expected=8000,
    problems=500,
    correct=780,
    wrong=400,
    ungraded=54,
    running=64,
    waiting_model=3,
    in_model=40,
    waiting_kernel=2,
    in_kernel=18,
    completion_tokens=1_234_567,
    tokens_per_second=1234.5,
    per_minute=35.2,
    seconds_left=4321,
    failures={"ModelUnavailable": 12, "SandboxLost": 1},
    retrying=3,
    given_up=1,
    paused="the model server does not answer",
    cost=0.42,
    stopping=True,
)
SAID = [
    "1,234/8,000 (15 %)",
    "1 h 12 min left",
    "63.2 %",
    "54 ungraded",
    "1,234 tokens/s",
    "35.2 trajectories/min",
    "34 min so far",
    "$0.42",
    "model 40 (+3 waiting)",
    "kernel 18 (+2 waiting)",
    "ModelUnavailable 12, SandboxLost 1",
    "3 to be tried again",
    "1 given up",
    "the model server does not answer",
    "64 still under way, Ctrl-C again to stop now",
]


def drawn(progress: Progress, width: int, *, plain: bool = False, color: bool = False) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=color, color_system="standard" if color else None
    )
    console.print(collect_frame(progress, width, plain=plain))
    return file.getvalue()


@pytest.mark.parametrize("width", [24, 40, 59, 60, 80, 88])
def test_every_width_says_everything_and_is_kept(width: int) -> None:
    text = drawn(BUSY, width)
    assert max(len(line) for line in text.splitlines()) <= width
    words = " ".join(text.split())
    labels = re.compile(r" (?=correct|speed|running|failures|paused|stopping)\b")
    for piece in SAID:
        assert piece in words or piece in labels.sub(" ", words), (piece, text)


def test_the_bars_can_be_told_apart_without_colour() -> None:
    text = drawn(replace(BUSY, done=4000, correct=2000, wrong=1000, ungraded=1000), 80)
    assert "████████▒▒▒▒░░░░" in text
    assert "━╌" in text
    assert re.search(r"░?█+░?▓+", text)
    assert drawn(BUSY, 80, plain=True).isascii()


def test_a_bar_is_as_long_as_its_part() -> None:
    for done in (0, 1, 4000, 7999, 8000):
        bar = drawn(replace(BUSY, done=done), 40).splitlines()[0]
        assert len(bar) == 40
        assert bar.count("━") == 40 * done // 8000


def test_a_pause_is_yellow_and_failures_are_red() -> None:
    text = drawn(BUSY, 80, color=True)
    assert re.search(r"\x1b\[33mthe model server does not answer", text)
    assert re.search(r"\x1b\[31mModelUnavailable 12", text)


def test_the_first_picture_has_nothing_to_tell_yet() -> None:
    text = drawn(Progress(expected=100), 80)
    assert "0/100 (0 %)" in text
    assert "nothing graded yet" in text
    assert "failures" not in text
    assert "left" not in text


def test_problems_without_gold_answers_are_not_called_wrong() -> None:
    text = drawn(Progress(expected=9, done=3, ungraded=3), 80)
    assert "nothing could be graded" in text
    assert "%" not in text.replace("(33 %)", "")


def test_what_a_server_wrote_cannot_move_the_cursor() -> None:
    evil = "busy\x1b[2J\x1b]0;title\x07\r\nretry\x9b1A later"
    progress = replace(BUSY, paused=evil, failures={evil: 3})
    for text in (
        drawn(progress, 80),
        drawn(progress, 40),
        "\n".join(CollectLines().due(progress)),
        collect_summary(progress, evil, [evil]).plain,
    ):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        assert "busy" in text


def test_lines_for_a_pipe_are_few() -> None:
    lines = CollectLines()
    start = Progress(expected=1000, problems=10, before=100, done=100)
    running = {"correct": 90, "wrong": 30, "tokens_per_second": 5000.4, "per_minute": 61.0, "running": 8}

    def at(elapsed: float, done: int, **changes: object) -> list[str]:
        return lines.due(replace(start, elapsed=elapsed, done=done, **(running | changes)))  # type: ignore[arg-type]

    assert lines.due(start) == ["collecting 1,000 trajectories of 10 problems, 100 of them are there"]
    assert at(10, 180) == []
    assert at(29.9, 900) == []
    assert at(31, 120) == []
    assert at(61, 150, seconds_left=3600.0) == [
        "150/1,000 (15 %), 60.0 % correct, 5,000 tokens/s, 61.0 trajectories/min, 8 running, 1 h left"
    ]
    assert at(62, 151, paused="the disk is full") == ["paused: the disk is full"]
    assert at(63, 151, paused="the disk is full") == []
    assert at(64, 151) == ["going on"]
    assert at(660, 152) == []
    assert at(661, 152, failures={"ModelUnavailable": 2}) == [
        "152/1,000 (15 %), 59.2 % correct, 5,000 tokens/s, 61.0 trajectories/min, 8 running, 2 failures"
    ]
    assert at(662, 152, stopping=True, running=8) == [
        "stopping: 8 still under way, a second signal stops at once"
    ]
    assert at(663, 153, stopping=True, running=7) == []


def test_the_summary_says_what_came_of_it_and_what_to_type_next() -> None:
    progress = replace(BUSY, paused=None, stopping=False, elapsed=3600.0)
    text = collect_summary(progress, "runs/a", ["tir eval runs/a", "tir collect --resume runs/a"]).plain
    assert text.splitlines() == [
        "1,234 of 8,000 trajectories, 200 of them from before in 1 h",
        "correct   780 (63.2 %), 400 wrong, 54 ungraded",
        "failures  ModelUnavailable 12, SandboxLost 1; 1 given up",
        "tokens    1,234,567 (343 a second), 17.2 trajectories a minute",
        "cost      $0.42",
        "saved in  runs/a",
        "next      tir eval runs/a",
        "          tir collect --resume runs/a",
    ]


def test_a_collection_of_nothing_has_a_summary() -> None:
    assert collect_summary(Progress(), "runs/a", []).plain.splitlines() == [
        "0 of 0 trajectories in 0 s",
        "tokens    0 (0 a second), 0.0 trajectories a minute",
        "saved in  runs/a",
    ]


async def test_remarks_come_before_and_after_and_in_between(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.StringIO()
    view = CollectView(lambda: Progress(expected=3), Console(file=file))
    view.note("before\x1b[2J")
    async with view:
        view.note("in between")
    view.note("after")
    assert file.getvalue().splitlines() == ["before", "collecting 3 trajectories", "in between", "after"]


@pytest.mark.parametrize("good", [0, 1])
async def test_a_snapshot_that_fails_leaves_no_thread_behind(good: int) -> None:
    pictures = [Progress(expected=3)] * good
    view = CollectView(pictures.pop, Console(file=io.StringIO()))
    with pytest.raises(IndexError):
        async with view:
            pass
    assert not [thread for thread in threading.enumerate() if thread.name == "tir-collect-view"]


def environment(**more: str) -> dict[str, str]:
    unwanted = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"} | more


def piped(mode: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HOST), mode],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=environment(),
        check=False,
    )


def test_a_pipe_gets_lines_and_no_control_codes() -> None:
    done = piped("pausing")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "collecting 1,000 trajectories of 100 problems",
        "paused: the server is away",
        "going on",
        "1,000 of 1,000 trajectories in 20 s",
        "correct   600 (60.0 %), 400 wrong",
        "tokens    0 (0 a second), 3,000.0 trajectories a minute",
        "saved in  runs/any",
        "next      tir eval runs/any",
    ]


@pytest.mark.parametrize("where", ["reader", "/dev/full", "closed"])
def test_a_stream_that_breaks_does_not_end_the_collection(where: str) -> None:
    command = [sys.executable, str(HOST), "noisy"]
    if where == "reader":
        reading, writing = os.pipe()
    else:
        writing = os.open("/dev/full" if where == "/dev/full" else os.devnull, os.O_WRONLY)
    if where == "closed":
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    process = subprocess.Popen(
        command, stdout=writing, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment()
    )
    os.close(writing)
    if where == "reader":
        os.read(reading, 10)
        os.close(reading)
    _, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, errors) == (0, b"")


@dataclass
class Terminal:
    """A program on a terminal of its own."""

    process: subprocess.Popen[bytes]
    master: int
    attributes: list[object]
    """Of the terminal, before the program began."""
    slave: int
    seen: str = ""
    _raw: bytearray = field(default_factory=bytearray)

    def read(self) -> None:
        os.set_blocking(self.master, False)
        try:
            self._raw += os.read(self.master, 65536)
        except (BlockingIOError, OSError):
            time.sleep(0.02)
        self.seen = self._raw.decode("utf-8", "ignore")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            self.read()

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self) -> int:
        deadline = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen[-2000:]
            self.read()
        self.read()
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE)
        os.close(self.master)
        os.close(self.slave)


def on_terminal(mode: str, *, columns: int = 80, **more: str) -> Terminal:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    attributes = termios.tcgetattr(slave)
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, str(HOST), mode],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(**more),
    )
    return Terminal(process, master, attributes, slave)


def test_a_terminal_shows_a_picture_and_is_restored_after_ctrl_c() -> None:
    terminal = on_terminal("long")
    try:
        terminal.wait_for("model 8")
        terminal.wait_for(" correct, 0 wrong")
        assert "\x1b[?25l" in terminal.seen
        assert "Ctrl-C again" not in terminal.seen
        terminal.type(b"\x03")
        terminal.wait_for("still under way, Ctrl-C again to stop now")
        assert terminal.end() == 3
        assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l")
        assert termios.tcgetattr(terminal.slave) == terminal.attributes
        # The picture is taken away, and the summary stays.
        assert re.search(r"\x1b\[\?25h\r?(\x1b\[1A\x1b\[2K){4,}", terminal.seen)
        assert "tir eval runs/any" in terminal.seen
        assert "Traceback" not in terminal.seen
    finally:
        terminal.close()


def test_a_second_ctrl_c_ends_what_does_not_end_by_itself() -> None:
    terminal = on_terminal("stubborn")
    try:
        terminal.wait_for("model 8")
        terminal.type(b"\x03")
        terminal.wait_for("Ctrl-C again to stop now")
        terminal.type(b"\x03")
        assert terminal.end() == 4
        assert "stopping at once" in terminal.seen
        assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l")
        assert termios.tcgetattr(terminal.slave) == terminal.attributes
    finally:
        terminal.close()


def test_a_third_ctrl_c_gives_the_cursor_back() -> None:
    terminal = on_terminal("stuck")
    try:
        terminal.wait_for("model 8")
        terminal.type(b"\x03")
        terminal.wait_for("Ctrl-C again to stop now")
        terminal.type(b"\x03")
        # The event loop hangs from here on, and may hang before the remark is drawn.
        time.sleep(0.5)
        terminal.type(b"\x03")
        assert terminal.end() == 130
        assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l")
    finally:
        terminal.close()


def test_a_window_may_be_made_smaller_and_larger() -> None:
    terminal = on_terminal("long", columns=100)
    try:
        terminal.wait_for("model 8")
        terminal.resize(24, 40)
        terminal.wait_for("12 running: ")
        narrow = len(terminal.seen)
        terminal.resize(24, 100)
        while "trajectories/min, 0 s so far" not in terminal.seen[narrow:]:
            terminal.read()
        terminal.type(b"\x03")
        assert terminal.end() == 3
    finally:
        terminal.close()


def test_a_dumb_terminal_gets_lines() -> None:
    terminal = on_terminal("pausing", TERM="dumb")
    try:
        assert terminal.end() == 0
        assert "paused: the server is away\r\ngoing on\r\n" in terminal.seen
        assert "\x1b" not in terminal.seen
    finally:
        terminal.close()


def test_no_color_leaves_out_the_colours_alone() -> None:
    terminal = on_terminal("pausing", NO_COLOR="1")
    try:
        terminal.wait_for("the server is away")
        assert terminal.end() == 0
        assert "\x1b[?25l" in terminal.seen
        assert not re.search(r"\x1b\[[\d;]*3[0-7]m", terminal.seen)
    finally:
        terminal.close()


def test_a_terminal_that_has_stopped_does_not_stop_the_collection() -> None:
    terminal = on_terminal("noisy")
    try:
        # Nobody reads: the terminal's buffer is soon full.
        assert terminal.process.wait(DEADLINE) == 0
    finally:
        terminal.close()


async def test_drawing_leaves_the_event_loop_alone() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stopped:
        view = CollectView(lambda: Progress(expected=3), Console(file=stopped))
        async with view:
            for _ in range(1000):
                view.note("x" * 1000)
            await asyncio.sleep(0.1)
            with os.fdopen(reading, "rb") as reader:
                assert reader.read(4096)
