"""What the endurance benchmark says at its end: the same sheets on the terminal, in Markdown, and as JSON."""

from __future__ import annotations

import itertools
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tir_agent import __version__
from tir_agent.kernel.base import SandboxInfo

from endurance_census import HOST, QUANTITIES, Census, Quantity
from endurance_load import Tally

_MB = 2**20
_STATUSES = ("ok", "error", "timeout", "died", "refused", "raised or hung", "then right", "then not right")


@dataclass(frozen=True)
class Sample:
    """One moment of the run."""

    seconds: float
    phase: str
    sessions: int
    """Since the beginning of the run."""
    host_bytes: int | None
    server_bytes: int | None


@dataclass
class Run:
    """All that was found out."""

    settings: dict[str, Any]
    info: SandboxInfo | None = None
    censuses: dict[str, Census] = field(default_factory=dict)
    """While the sandbox is open: at the beginning and after each phase."""
    around: dict[str, Census] = field(default_factory=dict)
    """Before it was opened, and after it was closed."""
    phases: dict[str, Tally] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    def faults(self) -> list[str]:
        """A sentence for everything that should not be."""
        faults = [*leaks(self.censuses, QUANTITIES), *leaks(self.around, HOST)]
        for name, tally in self.phases.items():
            if tally.undeserved:
                faults.append(f"{name}: {tally.undeserved} sessions lost that did not deserve it")
            for (who, where, kind), number in tally.failures.most_common():
                faults.append(f"{name}: {kind} in {where} of {who}, {number} times")
            if tally.gave_up:
                faults.append(f"{name}: given up, since no session could be opened any more")
        return faults


@dataclass(frozen=True)
class Sheet:
    title: str
    head: list[str]
    rows: list[list[str]]

    def table(self) -> Table:
        table = Table(title=self.title)
        for number, name in enumerate(self.head):
            table.add_column(name, justify="right" if number else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        rule = ["---", *("---:" for _ in self.head[1:])]
        lines = (f"| {' | '.join(row)} |" for row in (self.head, rule, *self.rows))
        return f"## {self.title}\n\n" + "\n".join(lines) + "\n"


def growth(censuses: dict[str, Census], name: str) -> int | None:
    """By how much a quantity is more in the last census than in the first."""
    first, *_, last = [census.get(name) for census in censuses.values()]
    return None if first is None or last is None else last - first


def leaks(censuses: dict[str, Census], quantities: tuple[Quantity, ...]) -> list[str]:
    """The quantities that grew by more than their allowance."""
    if len(censuses) < 2:
        return []
    found = []
    for quantity in quantities:
        grown = growth(censuses, quantity.name)
        if quantity.allowance is not None and grown is not None and grown > quantity.allowance:
            found.append(f"LEAK {quantity.name}: {_shown(quantity, grown)} more")
    return found


def sheets(run: Run) -> list[Sheet]:
    """All tables that have anything to say."""
    made = [_census_sheet("Census of the open sandbox", run.censuses, QUANTITIES)]
    made.append(_census_sheet("Census around the sandbox", run.around, HOST))
    made.append(_phase_sheet(run.phases))
    hostile = {name: row for tally in run.phases.values() for name, row in tally.hostile.items()}
    seen = [status for status in _STATUSES if any(row[status] for row in hostile.values())]
    rows = [[name, *(str(row[s] or "") for s in seen)] for name, row in sorted(hostile.items())]
    made.append(
        Sheet("Hostile programs: how their cell ended, and the session's next one", ["", *seen], rows)
    )
    failed = [
        [phase, *key, str(number)]
        for phase, tally in run.phases.items()
        for key, number in tally.failures.most_common()
    ]
    made.append(Sheet("Exceptions and hangs", ["phase", "session", "call", "type", "number"], failed))
    return [sheet for sheet in made if sheet.rows]


def _census_sheet(title: str, censuses: dict[str, Census], quantities: tuple[Quantity, ...]) -> Sheet:
    if len(censuses) < 2:
        return Sheet(title, [], [])
    rows = []
    for quantity in quantities:
        counts = [census.get(quantity.name) for census in censuses.values()]
        if all(count is None for count in counts):
            continue
        grown = growth(censuses, quantity.name)
        told = [_shown(quantity, value) for value in (*counts, grown, quantity.allowance)]
        verdict = "LEAK" if leaks(censuses, (quantity,)) else "" if grown is None else "fine"
        rows.append([quantity.name, *told, verdict])
    return Sheet(title, ["", *censuses, "difference", "allowed", ""], rows)


def _shown(quantity: Quantity, value: int | None) -> str:
    if value is None:
        return "-"
    return f"{value / _MB:.1f} MB" if quantity.is_bytes else str(value)


def _phase_sheet(phases: dict[str, Tally]) -> Sheet:
    lines: dict[str, Callable[[Tally], object]] = {
        "sessions": lambda tally: tally.sessions,
        "seconds": lambda tally: round(tally.seconds),
        "sessions per second": lambda tally: f"{tally.sessions / max(tally.seconds, 1e-9):.1f}",
        "honest: right": lambda tally: tally.honest["right"],
        "honest: wrong": lambda tally: tally.honest["wrong"],
        "honest: lost": lambda tally: tally.honest["lost"],
        "sessions lost that did not deserve it": lambda tally: tally.undeserved,
        "exceptions": lambda tally: tally.failures.total() - tally.hangs,
        "hangs": lambda tally: tally.hangs,
    }
    rows = [[name, *(str(tell(tally)) for tally in phases.values())] for name, tell in lines.items()]
    for call in ("session()", "execute()", "close()"):
        slowest = (f"{tally.slowest[call]:.1f}" for tally in phases.values())
        rows.append([f"slowest {call}, seconds", *slowest])
    return Sheet("Phases", ["", *phases], rows if phases else [])


def show(run: Run, console: Console) -> None:
    for sheet in sheets(run):
        console.print(sheet.table())
    for fault in run.faults() or ["no fault found"]:
        console.print(fault, markup=False, highlight=False)


def write(run: Run, folder: Path) -> None:
    """Write endurance.json and endurance.md into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "settings": run.settings,
        "machine": machine(),
        "sandbox": run.info.model_dump() if run.info else None,
        "censuses": run.censuses,
        "around": run.around,
        "phases": {name: _plain(tally) for name, tally in run.phases.items()},
        "faults": run.faults(),
        "samples": [asdict(sample) for sample in run.samples],
    }
    text = json.dumps(whole, indent=1, ensure_ascii=True)
    (folder / "endurance.json").write_text(text + "\n", encoding="utf-8")
    (folder / "endurance.md").write_text(_markdown(run), encoding="utf-8")


def machine() -> dict[str, str]:
    """Where it ran, in words that fit any machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "CPUs": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": platform.python_version(),
        "tir-agent": __version__,
        "user": "root" if os.getuid() == 0 else "ordinary",
    }


def _plain(tally: Tally) -> dict[str, Any]:
    failures = [[*key, number] for key, number in tally.failures.items()]
    return {**vars(tally), "failures": failures, "undeserved": tally.undeserved, "hangs": tally.hangs}


def _markdown(run: Run) -> str:
    facts = {**run.settings, **machine()}
    if run.info is not None:
        facts |= {"sandbox": run.info.backend, "image": run.info.image, "Python inside": run.info.python}
        facts |= {
            name: version for name, version in run.info.packages.items() if name in {"sympy", "ipykernel"}
        }
    parts = ["# Endurance", "\n".join(f"- {name}: {value}" for name, value in facts.items())]
    parts += [sheet.markdown() for sheet in sheets(run)]
    parts.append("## Faults\n\n" + "\n".join(f"- {fault}" for fault in run.faults() or ["none"]))
    return "\n\n".join(parts) + "\n"


def plot(run: Run, path: Path) -> None:
    """Sessions per second and memory, over time.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, (rate, memory) = plt.subplots(2, 1, sharex=True, figsize=(9, 6))
    step = max(1, len(run.samples) // 100)
    thin = run.samples[::step]
    for phase in run.phases:
        pairs = itertools.pairwise(sample for sample in thin if sample.phase == phase)
        speeds = [(b.seconds, (b.sessions - a.sessions) / max(b.seconds - a.seconds, 1e-9)) for a, b in pairs]
        rate.plot(*zip(*speeds, strict=True), label=phase) if speeds else None
    rate.legend()
    rate.set_ylabel("sessions per second")
    for label, key in (("this process", "host_bytes"), ("fork server", "server_bytes")):
        drawn = [(s.seconds, asdict(s)[key] / _MB) for s in thin if asdict(s)[key] is not None]
        memory.plot(*zip(*drawn, strict=True), label=label) if drawn else None
    memory.set_ylabel("resident memory, MB")
    memory.set_xlabel("seconds")
    memory.set_ylim(bottom=0)
    memory.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
