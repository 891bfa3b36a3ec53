"""What is said of each run that was read."""

from __future__ import annotations

from tir_agent.export.manifest import Source
from tir_agent.grades import UNGRADED
from tir_agent.store import RunReader
from tir_agent.trajectory import PromptIdentity, Trajectory

__all__ = ["Survey"]


class Survey:
    """Collects it while the run's trajectories pass."""

    def __init__(self, reader: RunReader) -> None:
        self._reader = reader
        self._trajectories = 0
        self._failures = 0
        self._unreadable = 0
        self._models: set[str] = set()
        self._prompts: set[tuple[str, str]] = set()
        self._sandboxes: set[str] = set()
        self._graders: set[str] = set()

    def see(self, trajectory: Trajectory) -> None:
        """One of the run's."""
        self._trajectories += 1
        self._models.add(trajectory.settings.model)
        self._prompts.add((trajectory.prompt.name, trajectory.prompt.sha256))
        environment = trajectory.environment
        self._sandboxes.add(f"{environment.kernel} {environment.image or ''}".strip())
        if trajectory.grade is not None and trajectory.grade.grader != UNGRADED:
            self._graders.add(trajectory.grade.grader)

    def failed(self, count: int) -> None:
        """So many samples that the machinery failed, beside the trajectories."""
        self._failures += count

    def skipped(self) -> None:
        """A line that is no trajectory."""
        self._unreadable += 1

    def source(self) -> Source:
        """All of it."""
        manifest = self._reader.manifest
        return Source(
            name=self._reader.path.name,
            run=manifest.id if manifest else None,
            trajectories=self._trajectories,
            failures=self._failures,
            unreadable=self._unreadable,
            models=tuple(sorted(self._models)),
            prompts=tuple(PromptIdentity(name=name, sha256=sha) for name, sha in sorted(self._prompts)),
            sandboxes=tuple(sorted(self._sandboxes)),
            graders=tuple(sorted(self._graders)),
        )
