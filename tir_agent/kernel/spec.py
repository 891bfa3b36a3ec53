"""The kernel spec: a small file by which Jupyter knows the sandbox's kernel."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager

from tir_agent.errors import UsageError
from tir_agent.settings import Isolation, KernelChoice

__all__ = ["NAME", "install", "is_valid_name"]

NAME = "tir"
# The entry point in pyproject.toml.
_PROVISIONER = "tir-jail"


def is_valid_name(name: str) -> bool:
    """Whether Jupyter takes it."""
    return re.fullmatch(r"[a-zA-Z0-9._-]+", name) is not None


def install(
    name: str, kernel: KernelChoice, isolation: Isolation, prefix: Path | None, runtime: str | None = None
) -> Path:
    """Write it below `prefix`, or for the present user; returns its folder. One of that name is replaced.

    Raises:
        UsageError: the folder cannot be written.
    """
    where = "" if kernel is KernelChoice.AUTO else f", {kernel}"
    spec = {
        # Nothing is started by command: the provisioner forks a kernel in the jail.
        "argv": [],
        "display_name": f"Python 3 (tir sandbox{where})",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {
            "kernel_provisioner": {
                "provisioner_name": _PROVISIONER,
                "config": {"kernel": str(kernel), "isolation": str(isolation), "runtime": runtime or ""},
            }
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kernel.json").write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
        # Readable for the others of the machine, as the temporary folder is not.
        Path(folder).chmod(0o755)
        try:
            written = KernelSpecManager().install_kernel_spec(
                folder, name, user=prefix is None, prefix=None if prefix is None else str(prefix)
            )
        except OSError as error:
            raise UsageError(f"Cannot write the kernel spec: {error.strerror} ({error.filename})") from None
    return Path(written)
