"""Rows from data sets that the package `datasets` reads: saved folders, and names on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tir_agent.errors import DataError
from tir_agent.problems.rows import Read, Row

__all__ = ["hub_rows", "is_hub_name", "is_saved", "saved_rows"]

_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PREFERRED: Final = ("test", "validation", "train")
_SHOWN: Final = 8


def is_hub_name(name: str) -> bool:
    """Whether a name has the form `owner/name`."""
    return _HUB_NAME.fullmatch(name) is not None


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` of `datasets` made this folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def saved_rows(folder: Path, split: str | None) -> Iterator[Read]:
    """The rows of a folder that `save_to_disk` made.

    Raises:
        DataError: `datasets` is not installed or cannot read it, or there is no such split.
    """
    datasets = _datasets(str(folder))
    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # The package raises what its parts raise; its user gets one sentence.
        raise DataError(f"{folder} cannot be read as a saved data set: {_first_line(error)}") from None
    yield from _rows(*_part(found, folder.name, split))


def hub_rows(name: str, subset: str | None, split: str | None) -> Iterator[Read]:
    """The rows of a data set on the hub, fetched into the cache of `datasets`.

    Raises:
        DataError: `datasets` is not installed; there is no such data set, subset or split; it cannot be
            reached.
    """
    datasets = _datasets(name)
    try:
        found = datasets.load_dataset(name, subset, split=split)
    except Exception as error:  # As above: errors of networks, files and formats, of several packages.
        raise _refusal(datasets, name, error) from None
    if split is not None:
        yield from _rows(found, f"{name}/{split}")
    else:
        yield from _rows(*_part(found, name, None))


def _refusal(datasets: Any, name: str, error: Exception) -> DataError:
    message = f"The data set {name} cannot be had from the hub: {_first_line(error)}"
    # What is said of names of subsets and splits; not asked where the network failed, which takes long.
    if isinstance(error, ValueError):
        try:
            subsets = datasets.get_dataset_config_names(name)
        except Exception:  # The first message says what there is to say.
            subsets = []
        if len(subsets) > 1:
            return DataError(message, hint=f"Name a subset with --subset: {_shown(subsets)}")
    return DataError(
        message, hint=f"Check the name at https://huggingface.co/datasets/{name}, or give a file"
    )


def _part(found: Any, name: str, split: str | None) -> tuple[Any, str]:
    """One split of what was loaded, and what its rows are called."""
    if not isinstance(found, dict):
        if split is not None and str(found.split) != split:
            raise DataError(f"{name} has no split {split!r}", hint="Leave --split out")
        return found, name
    chosen = split or (
        next(iter(found)) if len(found) == 1 else next((each for each in _PREFERRED if each in found), None)
    )
    if chosen is None or chosen not in found:
        said = f"{name} has no split {split!r}" if split else f"{name} has several splits"
        raise DataError(said, hint=f"Name one with --split: {_shown(list(found))}")
    return found[chosen], f"{name}/{chosen}"


def _rows(found: Any, name: str) -> Iterator[Read]:
    for number, fields in enumerate(found, 1):
        yield Row(f"{name}:{number}", fields)


def _datasets(name: str) -> Any:
    try:
        import datasets
    except ImportError:
        raise DataError(
            f"{name} is read with the package datasets, which is not installed",
            hint="pip install 'tir-agent[datasets]'",
        ) from None
    return datasets


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
