"""The command `tir collect` in a process of its own, its data, and the model's server beside it.

Both are ended as an accident would end them (`kill`), or come to their end by themselves. Everything that
they leave lies in one folder, with a folder for temporary files of its own, so that leftovers can be counted.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from orchestration_task import Form, task

__all__ = ["Collecting", "Hung", "ModelServer", "Place", "until", "write_problems"]

_HERE: Final = Path(__file__).parent
_LOOK: Final = 0.02
_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 20.0
GARBAGE: Final = ("this is no JSON", '{"id": "torn", "problem": "Task 1. Sol', "[1, 2", "\x00\x01\x02")
"""Lines that are no problems, among those that are."""


class Hung(Exception):
    """Something did not happen before its deadline."""


def until(happened: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something has happened. Raises Hung."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise Hung(f"{what}: not within {seconds:g} seconds")
        time.sleep(_LOOK)


def write_problems(
    path: Path, numbers: Iterable[int], *, golds: bool = True, odd: dict[int, str] | None = None
) -> None:
    """A data set of the tasks with these numbers, with garbage and duplicates among them.

    `odd` gives some of them another gold answer than the right one.
    """
    lines = []
    for number in numbers:
        one = task(number)
        row = {"id": f"task-{number}", "problem": one.problem}
        if golds:
            row["answer"] = (odd or {}).get(number, one.answer)
        lines.append(json.dumps(row))
    whole = list(lines)
    for number, line in enumerate(GARBAGE):
        whole.insert((number + 1) * len(lines) // (len(GARBAGE) + 1), line)
    whole += lines[:3]
    # The last line is torn, as in a file whose copying was cut short.
    path.write_text("\n".join([*whole, lines[0][:25]]), encoding="utf-8")


class ModelServer:
    """`orchestration_server.py` in a process; started again, it has the same port."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Returns when it listens. Raises Hung."""
        program = str(_HERE / "orchestration_server.py")
        self._process = subprocess.Popen(
            (sys.executable, program, "--latency", str(self._latency), "--port", str(self._port)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Hung("The model's server did not start")
        self._port = int(line)
        return self

    def kill(self) -> None:
        """With -9. Idempotent."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.communicate(timeout=_END_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


@dataclass
class Place:
    """A folder for one collection, and what its command is told."""

    root: Path
    """Short: sockets lie in it, and their names have 107 bytes at most."""
    url: str
    form: Form = Form.FENCES
    samples: int = 4
    kernel: str = "docker"
    at_once: int = 32
    docker_host: str | None = None
    run: Path = field(init=False)
    options: tuple[str, ...] = ()
    wrapper: tuple[str, ...] = ("-m", "tir_agent")
    """What Python is given in front of the command's own arguments."""

    def __post_init__(self) -> None:
        self.run = self.root / "run"
        self.temporary.mkdir(parents=True, exist_ok=True)

    @property
    def problems(self) -> Path:
        return self.root / "problems.jsonl"

    @property
    def temporary(self) -> Path:
        """The command's folder for temporary files, and no one else's."""
        return self.root / "t"

    @property
    def said(self) -> Path:
        """All that the command printed."""
        return self.root / "said.txt"

    def command(self) -> list[str]:
        words = [sys.executable, *self.wrapper, "collect", str(self.problems), "--model", self.form.value]
        words += ["--base-url", self.url, "--samples", str(self.samples), "--out", str(self.run)]
        words += ["--kernel", self.kernel, "--at-once", str(self.at_once), "--kernels", str(self.at_once)]
        words += ["--concurrent", str(self.at_once), *self.options]
        # Other work on the machine may hold its memory; that is not what is looked at here.
        return [*words, "--set", "operation.free_memory_bytes=0"]

    def environment(self) -> dict[str, str]:
        package = str(_HERE.parent)
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        told = {"TIR_HOME": str(self.root / "home"), "TMPDIR": str(self.temporary), "PYTHONPATH": path}
        if self.docker_host is not None:
            told["DOCKER_HOST"] = self.docker_host
        return {**os.environ, **told, "OPENAI_API_KEY": "none"}


class Collecting:
    """The command, running, as the leader of a process group of its own."""

    def __init__(self, place: Place) -> None:
        """Starts it."""
        self._said: IO[bytes] = place.said.open("ab")
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            place.command(),
            env=place.environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> bool:
        """Kill the whole group with -9; False where it had come to its end before."""
        alive = not self.is_over
        if alive:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_END_SECONDS)
        self._said.close()
        return alive

    def wait(self, seconds: float) -> int:
        """Its exit status. Raises Hung, after killing it."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Hung(f"tir collect did not come to its end in {seconds:g} seconds") from None
        self._said.close()
        return status
