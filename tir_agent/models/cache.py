"""What servers were found to do, kept from one process to the next."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from tir_agent.models.capabilities import Findings

__all__ = ["CapabilityCache"]

_DAYS: Final = 7
"""After which a server is asked again."""


class _Entry(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    model: str
    server: str | None
    """What the server said of itself when it was asked."""
    findings: Findings


class CapabilityCache:
    """A folder with one JSON file for each model on each server. Holds no key, and no part of one.

    A cache that cannot be read or written is as good as none: nothing here raises.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        return self._folder

    def get(self, url: str, model: str, server: str | None) -> Findings | None:
        """What was found out in the last seven days of a server that still says the same of itself."""
        try:
            entry = _Entry.model_validate_json(self._path(url, model).read_bytes())
        except (OSError, ValidationError):
            return None
        now = datetime.now(UTC)
        fresh = now - timedelta(days=_DAYS) <= entry.findings.asked <= now
        known = (entry.url, entry.model, entry.server) == (_without_user(url), model, server)
        return entry.findings if fresh and known else None

    def put(self, url: str, model: str, server: str | None, findings: Findings) -> None:
        """Keep what was found out, whole or not at all; a failure that may pass is not kept."""
        if findings.passing:
            return
        entry = _Entry(url=_without_user(url), model=model, server=server, findings=findings)
        path = self._path(url, model)
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(entry.model_dump_json(indent=1).encode("utf-8", "backslashreplace"))
                Path(temporary).replace(path)
            except OSError:
                Path(temporary).unlink()
                raise

    def _path(self, url: str, model: str) -> Path:
        named = f"{_without_user(url)}\n{model}".encode("utf-8", "surrogatepass")
        return self._folder / f"{hashlib.sha256(named).hexdigest()[:24]}.json"


def _without_user(url: str) -> str:
    """The address without a name and password that may stand in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
