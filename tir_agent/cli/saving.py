"""Keeping the record of a run, whatever happens to the disk."""

from __future__ import annotations

import sys
from pathlib import Path

from tir_agent.cli.places import trajectories_dir
from tir_agent.cli.terminal import fail, say
from tir_agent.console import RunView, summary
from tir_agent.errors import StorageError
from tir_agent.store import default_name, save_or_rescue
from tir_agent.trajectory import Trajectory

__all__ = ["Saved"]


class Saved:
    """Writes the trajectory and says where it went."""

    def __init__(self, view: RunView, out: Path | None, *, as_json: bool) -> None:
        """`out` is where the user wants it; None: a new file in the state folder."""
        self._view = view
        self._out = out
        self._as_json = as_json
        self.said: frozenset[str] = frozenset()
        """Notes that the user has read already."""
        self.lost = False
        """Whether it is not where it was to go."""

    def __call__(self, trajectory: Trajectory) -> None:
        started = trajectory.timings.started.strftime("%Y%m%dT%H%M%S")
        path = self._out or trajectories_dir() / default_name(trajectory.id, started)
        for note in trajectory.notes:
            if note not in self.said:
                self._view.note(note, "yellow")
        self._view.note(summary(trajectory))
        if self._as_json:
            self._print(trajectory)
        try:
            where, trouble = save_or_rescue(trajectory, path)
        except StorageError as error:
            fail(error)
            self.lost = True
            if not self._as_json:
                say("The record follows on standard output, so that it is not lost", "yellow")
                self._print(trajectory)
            return
        if trouble:
            self.lost = True
            fail(StorageError(trouble, hint=f"The trajectory was saved as {where}"))
        else:
            home = Path.home()
            shown = f"~/{where.relative_to(home)}" if where.is_relative_to(home) else where
            self._view.note(f"saved as {shown}")

    @staticmethod
    def _print(trajectory: Trajectory) -> None:
        sys.stdout.buffer.write(trajectory.model_dump_json().encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()
