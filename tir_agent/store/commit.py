"""Group commit: those who wait to have something written share one write and one sync."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from typing import Final, NamedTuple

from tir_agent.errors import StorageError
from tir_agent.settings import Fsync
from tir_agent.store.log import Log

__all__ = ["GroupCommit"]

_BATCH_BYTES: Final = 16 * 2**20
"""Lines that are written in one go; more wait for the next. It bounds the memory, and a compressed frame."""
_INTERVAL: Final = 1.0
"""Seconds between syncs where the policy is INTERVAL."""


class _Ticket(NamedTuple):
    log: Log
    line: bytes
    future: Future[None]


class GroupCommit:
    """A thread that writes. While it syncs one batch, the next one gathers."""

    def __init__(self, fsync: Fsync) -> None:
        """Starts the thread. It ends with `close`, or with the process."""
        self._interval = fsync is Fsync.INTERVAL
        self._waiting: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        self._unsynced: set[Log] = set()
        self._due = 0.0
        self._trouble: StorageError | None = None
        self._thread = threading.Thread(target=self._run, name="tir-log", daemon=True)
        self._thread.start()

    def submit(self, log: Log, line: bytes, future: Future[None]) -> None:
        """Have `line` appended to `log`; `future` is done when it is durable, or has a StorageError."""
        self._waiting.put(_Ticket(log, line, future))

    def close(self) -> None:
        """Write and sync what waits, and end the thread.

        Raises:
            StorageError: a sync failed, and what was written shortly before may be lost.
        """
        self._waiting.put(None)
        self._thread.join()
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            raise trouble

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._gather()
            for log in {ticket.log: None for ticket in batch}:
                self._write(log, [ticket for ticket in batch if ticket.log is log])
            if self._unsynced and (time.monotonic() >= self._due or not more):
                self._sync()

    def _gather(self) -> tuple[list[_Ticket], bool]:
        """What waits, once something does or a sync is due; and whether there will be more."""
        batch: list[_Ticket] = []
        size = 0
        wait = max(self._due - time.monotonic(), 0.0) if self._unsynced else None
        try:
            ticket = self._waiting.get(timeout=wait)
            while ticket is not None:
                if ticket.future.set_running_or_notify_cancel():
                    batch.append(ticket)
                    size += len(ticket.line)
                if size >= _BATCH_BYTES:
                    return batch, True
                ticket = self._waiting.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _write(self, log: Log, batch: list[_Ticket]) -> None:
        try:
            log.append([ticket.line for ticket in batch])
        except Exception as error:
            # Whatever it is, those who wait must hear of it, and the thread must go on.
            for ticket in batch:
                ticket.future.set_exception(_copy(error))
            return
        if self._interval:
            if not self._unsynced:
                self._due = time.monotonic() + _INTERVAL
            self._unsynced.add(log)
        for ticket in batch:
            ticket.future.set_result(None)

    def _sync(self) -> None:
        for log in self._unsynced:
            try:
                log.sync()
            except StorageError as error:
                self._trouble = error
        self._unsynced.clear()


def _copy(error: Exception) -> Exception:
    """One for each of those who wait: one and the same, raised in many tasks, would mix their tracebacks."""
    return StorageError(error.message, hint=error.hint) if isinstance(error, StorageError) else error
