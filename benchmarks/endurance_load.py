"""The load of the endurance benchmark: many short sessions, and honest ones among hostile ones.

Every wait here has a deadline that the sandbox should never need; one that passes is counted as a hang.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tir_agent.kernel.base import Sandbox, Session
from tir_agent.trajectory import Execution, ExecutionStatus

HOSTILE = Path(__file__).parent / "hostile"
HOSTILE_CELL_SECONDS = 2.0
# An honest cell is not judged by its speed: the machine may be busy with the hostile ones.
HONEST_CELL_SECONDS = 60.0
# Over a cell's own time: the grace, ending the kernel, and starting another one.
_EXECUTE_EXTRA_SECONDS = 90.0
_OPEN_SECONDS = 90.0
_CLOSE_SECONDS = 30.0
_KEPT_EXAMPLES = 3
_GIVE_UP_AFTER = 20

_T = TypeVar("_T")
Program = list[tuple[str, str | None]]
"""Cells, each with the value that it must have, or the name of the exception that it must raise."""


@dataclass
class Tally:
    """What became of the sessions of one phase."""

    honest: Counter[str] = field(default_factory=Counter)
    """right, wrong or lost."""
    hostile: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """For each program, what its cell came to, and whether the session worked afterwards."""
    failures: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Exceptions and hangs: whose session, in which call, of which type."""
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """A few of each kind of what went wrong, in full."""
    sessions: int = 0
    seconds: float = 0.0
    slowest: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds that the slowest call of each kind took."""
    failed_in_a_row: int = 0
    gave_up: bool = False

    @property
    def undeserved(self) -> int:
        """Sessions that did no harm, and yet were lost or wrong."""
        unopened = sum(number for (_, where, _), number in self.failures.items() if where == "session()")
        return self.honest["wrong"] + self.honest["lost"] + unopened

    @property
    def hangs(self) -> int:
        return sum(number for (_, _, kind), number in self.failures.items() if kind == "hang")

    def keep(self, kind: str, text: str) -> None:
        if len(self.examples[kind]) < _KEPT_EXAMPLES:
            self.examples[kind].append(text[-4000:])


class Visitor:
    """Opens sessions, runs cells in them and closes them; notes what raises or hangs instead of raising."""

    def __init__(self, sandbox: Sandbox, tally: Tally) -> None:
        self._sandbox = sandbox
        self._tally = tally

    async def open(self, who: str) -> Session | None:
        self._tally.sessions += 1
        session = await self._call(who, "session()", self._sandbox.session(), _OPEN_SECONDS)
        self._tally.failed_in_a_row = 0 if session else self._tally.failed_in_a_row + 1
        if self._tally.failed_in_a_row >= _GIVE_UP_AFTER:
            self._tally.gave_up = True
        return session

    async def execute(self, who: str, session: Session, code: str, seconds: float) -> Execution | None:
        running = session.execute(code, timeout=seconds)
        return await self._call(who, "execute()", running, seconds + _EXECUTE_EXTRA_SECONDS)

    async def close(self, who: str, session: Session) -> None:
        await self._call(who, "close()", session.close(), _CLOSE_SECONDS)

    async def _call(self, who: str, where: str, call: Awaitable[_T], seconds: float) -> _T | None:
        start = time.monotonic()
        try:
            async with asyncio.timeout(seconds) as deadline:
                return await call
        except Exception as error:
            kind = "hang" if deadline.expired() else _kind(error)
            self._tally.failures[who, where, kind] += 1
            self._tally.keep(f"{who} {where} {kind}", "".join(traceback.format_exception(error)))
            return None
        finally:
            seconds = time.monotonic() - start
            self._tally.slowest[where] = max(seconds, self._tally.slowest[where])

    async def honest(self, program: Program) -> None:
        """Run a program whose every value is known."""
        session = await self.open("honest")
        if session is None:
            return
        self._tally.honest[await self._answers(session, program)] += 1
        await self.close("honest", session)

    async def _answers(self, session: Session, program: Program) -> str:
        for code, expected in program:
            execution = await self.execute("honest", session, code, HONEST_CELL_SECONDS)
            if execution is None:
                return "lost"
            lost = execution.state_lost or execution.status is ExecutionStatus.DIED
            told = execution.error.name if execution.error else execution.result
            if lost or execution.status is ExecutionStatus.TIMEOUT or told != expected:
                self._tally.keep("honest, not right", f"{code}\n{_told(execution)}")
                return "lost" if lost else "wrong"
        return "right"

    async def hostile(self, path: Path) -> None:
        """Run a hostile program, and see whether its session can be used afterwards, as is promised."""
        name, outcomes = path.stem, self._tally.hostile[path.stem]
        session = await self.open(name)
        if session is None:
            return
        code = path.read_text(encoding="utf-8")
        execution = await self.execute(name, session, code, HOSTILE_CELL_SECONDS)
        outcomes[_outcome(execution)] += 1
        self._tally.keep(f"{name}: {_outcome(execution)}", _told(execution))
        then = await self.execute(f"{name}, then", session, "6 * 7", 20.0)
        right = then is not None and then.result == "42"
        outcomes["then right" if right else "then not right"] += 1
        if not right:
            self._tally.keep(f"{name}, then not right", _told(then))
        await self.close(name, session)


def _outcome(execution: Execution | None) -> str:
    return "raised or hung" if execution is None else str(execution.status)


def _told(execution: Execution | None) -> str:
    """What is worth keeping of an execution: not all of a flood."""
    if execution is None:
        return ""
    error = f"{execution.error.name}: {execution.error.message[:300]}" if execution.error else ""
    words = [str(execution.status), f"{execution.duration:.1f} s", "state lost" * execution.state_lost]
    words += [error, execution.result or "", execution.stdout[-300:], execution.stderr[-300:]]
    return " | ".join(word for word in words if word)


def _kind(error: BaseException) -> str:
    """The type's name; of a group, those in it."""
    if isinstance(error, BaseExceptionGroup):
        return f"group of {', '.join(sorted({_kind(inner) for inner in error.exceptions}))}"
    return type(error).__name__


async def many_sessions(sandbox: Sandbox, tally: Tally, sessions: int, at_once: int) -> None:
    """Open a session, let it integrate, close it, `sessions` times."""
    visitor = Visitor(sandbox, tally)
    numbers = iter(range(1, sessions + 1))

    async def worker() -> None:
        for number in numbers:
            if tally.gave_up:
                return
            await visitor.honest(small_program(number))

    await _in_parallel(worker, at_once, tally)


async def honest_among_hostile(
    sandbox: Sandbox, tally: Tally, seconds: float, at_once: int, seed: int, names: list[str]
) -> None:
    """For `seconds`, half of the sessions honest and half hostile, in an order drawn with `seed`."""
    visitor = Visitor(sandbox, tally)
    programs = draws(seed, names)
    end = time.monotonic() + seconds

    async def worker() -> None:
        while time.monotonic() < end and not tally.gave_up:
            drawn = next(programs)
            await (visitor.hostile(drawn) if isinstance(drawn, Path) else visitor.honest(drawn))

    await _in_parallel(worker, at_once, tally)


async def _in_parallel(worker: Callable[[], Awaitable[None]], at_once: int, tally: Tally) -> None:
    start = time.monotonic()
    try:
        await asyncio.gather(*(worker() for _ in range(at_once)))
    finally:
        tally.seconds = time.monotonic() - start


def hostile_programs(names: list[str]) -> list[Path]:
    """The named programs, or all of them."""
    return [path for path in sorted(HOSTILE.glob("*.py")) if not names or path.stem in names]


def draws(seed: int, names: list[str]) -> Iterator[Path | Program]:
    """Without end: rounds in which each hostile program comes once, beside as many honest ones."""
    generator = random.Random(seed)
    hostile = hostile_programs(names)
    numbers = itertools.count(1)
    while True:
        order: list[Path | None] = [*hostile, *(None for _ in hostile)]
        generator.shuffle(order)
        for path in order:
            yield path or honest_program(next(numbers), generator)


def small_program(number: int) -> Program:
    """One cell, of SymPy, with a value that no other session has."""
    code = f"from sympy import *\nx = symbols('x')\nintegrate({number}*x, (x, 0, 2))"
    return [(code, str(2 * number))]


def honest_program(number: int, generator: random.Random) -> Program:
    """Cells of which the later ones need the state of the earlier ones, also of those that raised."""
    a, b = generator.randint(1, 50), generator.randint(51, 99)
    return generator.choice(
        [
            [
                (f"from sympy import *\nx = symbols('x')\nroots = solve((x - {a}) * (x - {b}), x)", None),
                (f"number = {number}\nsorted(roots)", f"[{a}, {b}]"),
                ("number * sum(roots)", str(number * (a + b))),
            ],
            [
                (f"def f(n):\n    return n if n < 2 else f(n - 1) + {a}\nnumber = {number}", None),
                ("values = [f(n) for n in range(100)]\nvalues[99]", str(1 + 98 * a)),
                ("values[2] + number", str(1 + a + number)),
            ],
            [
                (f"number = {number}\n1 / 0", "ZeroDivisionError"),
                (f"number + {a}", str(number + a)),
                ("undefined", "NameError"),
                (f"number * {b}", str(number * b)),
            ],
            [
                (f"import numpy as np\nm = np.array([[{a}, 1], [0, {b}]])", None),
                ("int(round(np.linalg.det(m)))", str(a * b)),
                (f"print('trace')\nint(m.trace()) + {number}", str(a + b + number)),
            ],
        ]
    )
