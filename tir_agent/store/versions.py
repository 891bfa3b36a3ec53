"""Reading records of every version of their formats that is known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ValidationError

from tir_agent import trajectory as trajectories
from tir_agent.errors import RunError
from tir_agent.store import manifest as manifests
from tir_agent.store.manifest import Manifest
from tir_agent.store.outcome import Summary
from tir_agent.trajectory import Trajectory

__all__ = ["manifest_of", "summary_of", "trajectory_of", "why"]

_MANIFESTS: Final[Mapping[int, Callable[[bytes], Manifest]]] = MappingProxyType(
    {manifests.VERSION: Manifest.model_validate_json}
)
_TRAJECTORIES: Final[Mapping[int, Callable[[bytes], Trajectory]]] = MappingProxyType(
    {trajectories.VERSION: Trajectory.model_validate_json}
)


class _Head(BaseModel):
    format: str
    version: int


def manifest_of(data: bytes, where: str) -> Manifest:
    """Read a manifest.

    Raises:
        RunError: it is none, or of a newer version.
    """
    try:
        head = _Head.model_validate_json(data)
    except ValidationError:
        raise RunError(f"{where} does not describe a run") from None
    if head.format != manifests.FORMAT:
        raise RunError(f"{where} does not describe a run: its format is not {manifests.FORMAT!r}")
    _refuse_newer(head.version, max(_MANIFESTS), where)
    try:
        return _MANIFESTS[head.version](data)
    except (ValidationError, KeyError) as error:
        raise RunError(f"{where}: {why(error)}") from None


def trajectory_of(data: bytes, where: str) -> Trajectory:
    """Read a trajectory.

    Raises:
        RunError: it is of a newer version.
        ValueError: it is none.
    """
    try:
        return _TRAJECTORIES[trajectories.VERSION](data)
    except ValidationError as error:
        # Only now, since almost every line is right and looking twice takes time.
        try:
            head = _Head.model_validate_json(data)
        except ValidationError:
            raise error from None
        _check(head.format, head.version, where)
        return _TRAJECTORIES[head.version](data)


def summary_of(data: bytes, where: str) -> Summary:
    """Read a few fields of a trajectory.

    Raises:
        RunError: it is of a newer version.
        ValueError: it is none.
    """
    summary = Summary.model_validate_json(data)
    _check(summary.format, summary.version, where)
    return summary


def _check(kind: str, version: int, where: str) -> None:
    if kind != trajectories.FORMAT:
        raise ValueError(f"its format is not {trajectories.FORMAT!r}")
    _refuse_newer(version, max(_TRAJECTORIES), where)
    if version not in _TRAJECTORIES:
        raise ValueError(f"there is no version {version} of the format")


def _refuse_newer(version: int, newest: int, where: str) -> None:
    if version > newest:
        raise RunError(
            f"{where} has version {version} of the format; this program reads up to {newest}",
            hint="Use a newer tir-agent",
        )


def why(error: Exception) -> str:
    """What is wrong with a record, in a few words, with its field where there is one."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else first["msg"]
