"""Where a set comes to be: in a folder beside its own, which takes its name when it is complete."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tir_agent.errors import StorageError, UsageError
from tir_agent.export.manifest import MANIFEST, ExportManifest

__all__ = ["check_place", "new_folder"]

_RUN: Final = "run.json"
_BESIDE: Final = ("README.md", "dataset_info.json")
"""Files of an export of which its account says nothing."""


def check_place(out: Path, *, replace: bool) -> None:
    """Make sure that a set may be written to `out`.

    Raises:
        UsageError: something is there already: an export that is not to be replaced, or something else; or
            it is inside a run.
    """
    run = next((folder for folder in out.resolve().parents if (folder / _RUN).is_file()), None)
    if run is not None:
        raise UsageError(f"{out} is inside the run {run}", hint="Name a folder elsewhere: --out DIR")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MANIFEST).is_file():
        raise UsageError(f"{out} holds something that is no export", hint="Name a new folder: --out DIR")
    if not replace:
        raise UsageError(f"{out} holds an export already", hint="Name a new folder, or say --replace")
    if foreign := _foreign(out):
        raise UsageError(
            f"{out} holds {foreign}, which is no part of the export, and would be lost",
            hint="Take it elsewhere, or name a new folder",
        )


def _foreign(out: Path) -> str | None:
    """Something in an export's folder that the export did not put there."""
    try:
        made = ExportManifest.model_validate_json((out / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return MANIFEST
    its_own = {MANIFEST, *_BESIDE, *(file.path for file in made.files)}
    found = (path.relative_to(out).as_posix() for path in sorted(out.rglob("*")) if not path.is_dir())
    return next((name for name in found if name not in its_own), None)


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill; it becomes `out` in the end, and is gone where that end does not come.

    Raises:
        StorageError: it cannot be made, or written.
    """
    out = out.resolve()
    folder = out.with_name(f".{out.name}.new")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        before = out.with_name(f".{out.name}.old")
        shutil.rmtree(before, ignore_errors=True)
        if out.exists():
            out.rename(before)
        folder.rename(out)
        shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        raise StorageError(f"Cannot write {out}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
