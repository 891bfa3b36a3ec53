"""Where the files that ship beside the code are: `prompts/`, `sandbox/` and `prices.toml`.

In a checkout they stand beside the package; in an installed wheel they are under `tir_agent/_data/`.
"""

from pathlib import Path

__all__ = ["prices_file", "prompts_dir", "sandbox_dir"]

_PACKAGE = Path(__file__).resolve().parent


def prices_file() -> Path:
    """The table of hosted models' prices that ships with tir-agent."""
    return _find("prices.toml")


def prompts_dir() -> Path:
    """The folder of the prompt files that ship with tir-agent."""
    return _find("prompts")


def sandbox_dir() -> Path:
    """The folder of what runs inside the sandbox; it is also the image's build context."""
    return _find("sandbox")


def _find(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.exists() else _PACKAGE.parent / name
