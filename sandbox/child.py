"""What a forked process does between the fork and the user's code: become harmless, then start."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import identity
import seccomp
import warm
import wire

Entry = Callable[[int], None]
"""Gets the file descriptor on which to report, and runs to the process's end."""


def start(entry: Entry, report: int, *, close: Iterable[int]) -> NoReturn:
    """Run `entry` in this freshly forked process and end it, whatever happens.

    `close` are the server's file descriptors: a session must not hold the control connection.
    """
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in close:
            os.close(descriptor)
        os.setsid()
        entry(report)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        # A kernel that cannot start says why; of a running one nobody reads the pipe any more.
        with contextlib.suppress(OSError):
            os.write(report, traceback.format_exc()[-2000:].encode("utf-8", "replace"))
    finally:
        os._exit(code)


def run_kernel(who: identity.Identity, sockets: Path, request: wire.Open, ready: int) -> None:
    """Become the session's kernel; a byte goes to `ready` when its sockets are bound."""
    import kernel

    ours = kernel.Kernel.instance()
    _confine(who, request.limits)
    _silence()
    _seed()
    _hide_own_modules()
    seat = kernel.Seat(sockets, who.home, request.key, ready)
    kernel.run(ours, seat, output_chars=request.limits.output_chars, rich=request.rich)


def run_grader(who: identity.Identity, request: wire.Grade, result: int) -> None:
    """Grade answers one after the other; each grade goes to `result` as a line of JSON when it is there."""
    import grader

    _confine(who, request.limits)
    _silence()
    with os.fdopen(result, "wb") as pipe:
        for pair in request.pairs:
            grade = grader.grade(pair.answer, pair.gold, grader.Rule.of(pair.rule))
            pipe.write(json.dumps(grade).encode() + b"\n")
            pipe.flush()


def _confine(who: identity.Identity, limits: wire.Limits) -> None:
    # Out of memory, the kernel of the operating system shall pick this process, not the server.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        if value is not None:
            resource.setrlimit(kind, (value, value))
    processors = sorted(os.sched_getaffinity(0))
    first = os.getpid() % len(processors)
    os.sched_setaffinity(0, (processors[first:] + processors[:first])[: limits.cpus])
    identity.become(who)
    os.chdir(who.home)
    seccomp.refuse()


def _hide_own_modules() -> None:
    """The jail's own modules are imported already; their names shall not stand in the user's way."""
    folder = str(Path(__file__).parent)
    sys.path[:] = [entry for entry in sys.path if entry != folder]
    for name in warm.OWN_MODULES:
        sys.modules.pop(name, None)


def _seed() -> None:
    """NumPy's generator is the server's: every session would draw the same numbers. (Python's is seeded
    at a fork by itself.)"""
    import numpy as np

    np.random.seed()


def _silence() -> None:
    """Standard streams to nowhere: what the user's code writes is captured by the kernel."""
    with Path(os.devnull).open("r+b") as nowhere:
        for descriptor in (0, 1, 2):
            os.dup2(nowhere.fileno(), descriptor)
