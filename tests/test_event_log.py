"""The event log of a collection: what is in it, and that it harms nobody."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import typing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tir_agent.collect.event_log import EventLog, read_events
from tir_agent.collect.events import (
    Ending,
    Event,
    EventName,
    EventsDropped,
    Paused,
    Resumed,
    RunEnded,
    RunStarted,
    SampleDone,
    SampleFailed,
    SampleStarted,
    SandboxRestarted,
    Stopping,
    WorkerLost,
)
from tir_agent.trajectory import StopReason, Verdict

PAGE = (Path(__file__).parent.parent / "docs" / "observability.md").read_text(encoding="utf-8")
KINDS: tuple[type[Event], ...] = typing.get_args(typing.get_args(Event)[0])
DEADLINE = 30.0
SAMPLE: dict[str, Any] = {"problem": "p1", "arm": "a", "index": 2}
EVENTS: list[Event] = [
    RunStarted(tir_agent="1", host="h", pid=1, expected=9, problems=3),
    SampleStarted(**SAMPLE),
    SampleDone(
        **SAMPLE,
        trajectory="t",
        stop=StopReason.ANSWERED,
        verdict=Verdict.CORRECT,
        turns=2,
        cells=1,
        completion_tokens=99,
        seconds=1.5,
    ),
    SampleFailed(**SAMPLE, attempt=2, worker="node-1", kind="SandboxLost", message="求", again=True),
    Paused(reason="no memory"),
    Resumed(seconds=3.0),
    WorkerLost(worker="node-1", reason="gone", running=4),
    SandboxRestarted(reason="it died"),
    Stopping(reason="SIGINT", running=4),
    EventsDropped(count=7),
    RunEnded(
        ending=Ending.STOPPED,
        done=5,
        expected=9,
        correct=3,
        wrong=2,
        ungraded=0,
        given_up=0,
        completion_tokens=999,
        seconds=60.0,
    ),
]


def test_every_kind_of_event_is_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = EventLog(path)
    for event in EVENTS:
        log.write(event)
    log.close()
    assert list(read_events(path)) == EVENTS
    assert {event.event for event in EVENTS} == set(EventName)


def test_a_line_is_an_object_with_a_time_in_utc_and_a_name(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = EventLog(path)
    log.write(Paused(reason="the server\nis away"))
    log.close()
    (line,) = path.read_text().splitlines()
    content = json.loads(line)
    assert content.keys() == {"time", "event", "reason"}
    assert content["event"] == "paused"
    assert content["time"].endswith("Z")
    assert abs(datetime.fromisoformat(content["time"]) - datetime.now(UTC)) < timedelta(hours=1)


def test_a_second_process_appends_also_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(EVENTS[0].model_dump_json().encode() + b'\n{"event": "pau')
    log = EventLog(path)
    log.write(EVENTS[4])
    log.close()
    assert list(read_events(path)) == [EVENTS[0], EVENTS[4]]


def test_half_a_surrogate_pair_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = EventLog(path)
    log.write(Paused(reason="bad \ud800 text"))
    log.close()
    (event,) = read_events(path)
    assert isinstance(event, Paused)
    assert event.reason == "bad \\ud800 text"


@pytest.mark.parametrize("path", ["/dev/full", "/proc/nowhere/log.jsonl"])
def test_a_disk_that_takes_nothing_ends_the_log_with_one_note(path: str) -> None:
    notes: list[str] = []
    log = EventLog(Path(path), notes.append)
    for _ in range(1000):
        log.write(Paused(reason="x" * 100))
    log.close()
    log.write(Paused(reason="more"))
    assert len(notes) == 1
    assert notes[0].startswith(f"The event log is given up: cannot write {path}: No ")


def test_a_disk_that_hangs_holds_nobody_up_and_what_is_missing_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    os.mkfifo(path)
    log = EventLog(path)
    written = 0

    def write(number: int) -> None:
        for _ in range(number):
            log.write(Paused(reason="x" * 50))

    write(30_000)
    written += 30_000
    found: list[Event] = []

    def read() -> None:
        found.extend(read_events(path))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    deadline = time.monotonic() + DEADLINE
    while not log._queue.empty():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    write(10)
    written += 10
    log.close()
    reader.join(DEADLINE)
    dropped = sum(event.count for event in found if isinstance(event, EventsDropped))
    assert dropped > 0
    assert dropped + sum(isinstance(event, Paused) for event in found) == written


def test_it_may_be_closed_twice_and_written_to_afterwards(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log.jsonl")
    log.close()
    log.close()
    log.write(EVENTS[0])
    assert (tmp_path / "log.jsonl").read_text() == ""


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_is_described_with_its_fields(kind: type[Event]) -> None:
    name = kind.model_fields["event"].default.value
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    sample = {"problem", "arm", "index", "attempt", "worker"}
    fields = kind.model_fields.keys() - {"event", "time"}
    if sample <= fields:
        assert "*sample*" in row
        fields -= sample
    else:
        assert "*sample*" not in row
    assert set(re.findall(r"`(\w+)`", row.split("|")[3])) == fields


def test_the_fields_of_a_sample_and_the_endings_are_described() -> None:
    for name in ("time", "problem", "arm", "index", "attempt", "worker", *Ending):
        assert f"`{name}`" in PAGE
