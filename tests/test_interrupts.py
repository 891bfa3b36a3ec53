"""Stopping a collection: real signals to a real process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tir_agent.cli.interrupts import graceful_stop

HOST = Path(__file__).parent / "collecting_host.py"
DEADLINE = 30.0


@contextmanager
def collecting(mode: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(HOST), mode],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_line(process, "collecting")
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


def wait_for_line(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stdout is not None
    deadline = time.monotonic() + DEADLINE
    while not process.stdout.readline().startswith(beginning):
        assert process.poll() is None
        assert time.monotonic() < deadline


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_what_is_under_way_come_to_its_end(number: signal.Signals) -> None:
    with collecting("long") as process:
        process.send_signal(number)
        out, errors = process.communicate(timeout=DEADLINE)
        assert (process.returncode, errors) == (3, "")
        assert out.startswith("stopping: 12 still under way, a second signal stops at once\n")
        assert "tir eval runs/any" in out


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_cancels_and_what_is_open_is_closed(second: signal.Signals) -> None:
    with collecting("stubborn") as process:
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "stopping: 12 still under way")
        process.send_signal(second)
        out, errors = process.communicate(timeout=DEADLINE)
        assert (process.returncode, errors) == (4, "")
        assert out.startswith("stopping at once\n")
        assert "tir eval runs/any" in out


def test_the_third_ends_a_shutdown_that_hangs() -> None:
    with collecting("stuck") as process:
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "stopping: 12 still under way")
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "stopping at once")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE)
        assert (process.returncode, errors) == (130, "")


async def test_afterwards_signals_mean_what_they_did_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    heard: list[str] = []
    with graceful_stop(lambda: heard.append("first")):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
    assert heard == ["first"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


async def test_the_task_is_cancelled_even_where_telling_of_it_fails() -> None:
    def fail() -> None:
        raise RuntimeError("nothing can be told")

    async def collection() -> None:
        with graceful_stop(lambda: None, fail):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.05)
            await asyncio.sleep(DEADLINE)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    try:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(collection())
    finally:
        loop.set_exception_handler(None)
