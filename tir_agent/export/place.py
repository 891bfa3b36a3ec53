"""Where a set comes to be: in a folder beside its own, which takes its name when it is complete."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tir_agent.errors import StorageError, UsageError
from tir_agent.export.manifest import MANIFEST

__all__ = ["check_place", "new_folder"]


def check_place(out: Path, *, replace: bool) -> None:
    """Make sure that a set may be written to `out`.

    Raises:
        UsageError: something is there already: an export that is not to be replaced, or something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MANIFEST).is_file():
        raise UsageError(f"{out} holds something that is no export", hint="Name a new folder: --out DIR")
    if not replace:
        raise UsageError(f"{out} holds an export already", hint="Name a new folder, or say --replace")


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
        if out.exists():
            shutil.rmtree(out)
        folder.rename(out)
    except OSError as error:
        raise StorageError(f"Cannot write {out}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
