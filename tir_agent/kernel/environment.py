"""The Python environment of the jails that are not containers, made from the image's requirements."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tir_agent.assets import sandbox_dir
from tir_agent.errors import SandboxUnavailable
from tir_agent.kernel.image import sandbox_hash

__all__ = ["PythonEnvironment", "ensure", "location"]

_DONE = ".complete"


@dataclass(frozen=True)
class PythonEnvironment:
    """A virtual environment that holds the sandbox's requirements, and nothing of the user's."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def identity(self) -> str:
        """For the record: what the environment and the fork server were made of."""
        return f"{self.folder.name}+{sandbox_hash()}"


def location(root: Path | None = None) -> PythonEnvironment:
    """Where the environment is, or would be: under `root`, by default the user's cache folder."""
    requirements = (sandbox_dir() / "requirements.txt").read_bytes()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(requirements + sys.base_prefix.encode()).hexdigest()[:12]
    root = root or Path(platformdirs.user_cache_dir("tir-agent"))
    return PythonEnvironment(root / f"sandbox-py{version}-{digest}")


def is_ready(environment: PythonEnvironment) -> bool:
    """Whether it has been made, and whole."""
    return (environment.folder / _DONE).is_file()


def ensure(
    root: Path | None = None, progress: Callable[[str], None] = lambda line: None
) -> PythonEnvironment:
    """Make the environment unless it is there. Takes about a minute, and the network, the first time.

    Raises:
        SandboxUnavailable: it cannot be made; the message holds pip's last words.
    """
    environment = location(root)
    if is_ready(environment):
        return environment
    try:
        environment.folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(environment.folder.with_name(f"{environment.folder.name}.lock")):
            if not is_ready(environment):
                shutil.rmtree(environment.folder, ignore_errors=True)
                _make(environment, progress)
    except OSError as error:
        raise SandboxUnavailable(f"Cannot make {environment.folder}: {error.strerror}") from None
    return environment


def _make(environment: PythonEnvironment, progress: Callable[[str], None]) -> None:
    progress(f"making the sandbox's Python environment in {environment.folder}")
    # From the base interpreter: an environment made from another one would depend on it.
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    _run([str(base if base.is_file() else sys.executable), "-m", "venv", str(environment.folder)], progress)
    requirements = str(sandbox_dir() / "requirements.txt")
    pip = [str(environment.python), "-m", "pip", "install", "--disable-pip-version-check"]
    _run([*pip, "--progress-bar", "off", "-r", requirements], progress)
    (environment.folder / _DONE).touch()


def _run(command: list[str], progress: Callable[[str], None]) -> None:
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            progress(line.rstrip())
    if process.returncode != 0:
        raise SandboxUnavailable(
            f"Making the sandbox's Python environment failed ({' '.join(command[1:4])})",
            hint="\n".join(["Its last lines:", *lines[-8:]]),
        )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one process at a time in; the others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
