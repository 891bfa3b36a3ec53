"""Names as they may stand on a page that others read."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final

__all__ = ["cell", "without_folders"]

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_MARKUP: Final = re.compile(r"([\\`*\[\]<>|#]|(?<!\w)_|_(?!\w))")


def without_folders(name: str) -> str:
    """Where a name is a path from the root or the home folder, its last part: folders are the machine's.

    >>> without_folders("/home/ann/models/small.gguf"), without_folders("org/model")
    ('small.gguf', 'org/model')
    """
    windows = PureWindowsPath(name)
    if windows.drive and windows.root:
        return windows.name or name
    return PurePosixPath(name).name or name if name.startswith(("/", "~")) else name


def cell(text: str) -> str:
    """A text as one cell of a Markdown table, whatever is in it: shown as it stands, on one line."""
    return _MARKUP.sub(r"\\\1", _CONTROL.sub(" ", text)).strip()
