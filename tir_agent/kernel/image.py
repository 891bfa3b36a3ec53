"""The sandbox's container image: built from `sandbox/`, tagged by a hash of what is in there."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import docker
import docker.errors
import docker.utils
import requests

from tir_agent.assets import sandbox_dir
from tir_agent.errors import BaseImageUnavailable, SandboxUnavailable

__all__ = ["DEFAULT_BASE", "build", "connect", "find", "sandbox_hash", "tag"]

DEFAULT_BASE = "python:3.12-slim"
_SOCKET = "unix:///var/run/docker.sock"
_REPOSITORY = "tir-agent-sandbox"
_BUILT_FROM = ("Dockerfile", "requirements.txt")
# Long enough for an engine under load to start a container.
_ENGINE_SECONDS = 120

INSTALL_HINT = "Install and start Docker, or choose another kernel: --kernel bubblewrap"


def connect() -> docker.DockerClient:
    """The Docker engine of this machine: at $DOCKER_HOST, else at its usual socket.

    Raises:
        SandboxUnavailable: none answers; the hint tells a missing engine from a missing permission.
    """
    client: docker.DockerClient | None = None
    try:
        _probe()
        client = docker.from_env(timeout=_ENGINE_SECONDS)
        client.ping()
    except PermissionError:
        raise SandboxUnavailable(
            "This user may not use the Docker engine",
            hint="Add yourself to its group: sudo usermod -aG docker $USER, then log in again",
        ) from None
    except (OSError, docker.errors.DockerException):
        # An error of the `requests` library is an OSError.
        if client is not None:
            client.close()
        raise SandboxUnavailable("No Docker engine answers", hint=INSTALL_HINT) from None
    return client


def _probe() -> None:
    """Connect to the engine's socket once: of a failure the client library would only keep the text."""
    address = docker.utils.kwargs_from_env().get("base_url", _SOCKET)
    scheme, _, path = address.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(f"/{path.lstrip('/')}")


def sandbox_hash() -> str:
    """Of every file that goes into the image: 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in _files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def tag() -> str:
    """The name of the image that belongs to this version of the sandbox."""
    return f"{_REPOSITORY}:{sandbox_hash()}"


def find(client: docker.DockerClient) -> str | None:
    """Id of the image, or None if it has not been built here."""
    try:
        return str(client.images.get(tag()).id)
    except docker.errors.ImageNotFound:
        return None


def build(
    client: docker.DockerClient,
    *,
    base: str = DEFAULT_BASE,
    network: str | None = None,
    ca_bundle: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> str:
    """Build the image and return its id.

    `network` is the build's network mode ("host" where the bridge has no way out). `ca_bundle` is a
    PEM file that pip shall trust during the build. `progress` gets each line that the build prints.

    Raises:
        BaseImageUnavailable: `base` is not here and cannot be pulled.
        SandboxUnavailable: the build failed; the message holds its last words.
    """
    _ensure_base(client, base, progress)
    context = _context(ca_bundle)
    last: list[str] = []
    try:
        lines = client.api.build(
            fileobj=context,
            custom_context=True,
            tag=tag(),
            buildargs={"BASE": base},
            network_mode=network,
            labels={"tir-agent.sandbox": sandbox_hash(), "tir-agent.base": base},
            rm=True,
            forcerm=True,
            decode=True,
            timeout=1800,
        )
        for line in lines:
            if error := line.get("error"):
                raise SandboxUnavailable(
                    f"Building the sandbox image failed: {str(error).strip()}",
                    hint="\n".join(["The build's last lines:", *last[-8:]]),
                )
            for text in str(line.get("stream", "")).splitlines():
                if text.strip():
                    last.append(text)
                    progress(text)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise SandboxUnavailable(f"Building the sandbox image failed: {error}") from None
    image = find(client)
    if image is None:
        raise SandboxUnavailable("The build ended without an image")
    return image


def _ensure_base(client: docker.DockerClient, base: str, progress: Callable[[str], None]) -> None:
    try:
        client.images.get(base)
    except docker.errors.ImageNotFound:
        progress(f"pulling {base}")
        try:
            client.images.pull(base)
        except (docker.errors.DockerException, requests.RequestException):
            raise BaseImageUnavailable(
                f"The base image {base} is not here and cannot be pulled",
                hint="Make one without a registry: sandbox/base-image.sh tir-base, "
                "then: tir sandbox build --base tir-base",
            ) from None


def _files() -> list[Path]:
    folder = sandbox_dir()
    return sorted([folder / name for name in _BUILT_FROM] + list(folder.glob("*.py")))


def _context(ca_bundle: Path | None) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in _files():
            _add(archive, path.name, path.read_bytes())
        _add(archive, "extra-ca.pem", ca_bundle.read_bytes() if ca_bundle else b"")
    buffer.seek(0)
    return buffer


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    # Fixed times and modes: the same files give the same layers, so that the engine's cache is hit.
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o644
    archive.addfile(entry, io.BytesIO(data))
