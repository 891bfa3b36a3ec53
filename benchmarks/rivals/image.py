"""The container image of the rivals that run in Docker, and the removal of what they leave."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import docker
import docker.errors
import requests

from tir_agent.assets import sandbox_dir
from tir_agent.errors import SandboxUnavailable
from tir_agent.kernel.image import DEFAULT_BASE, connect
from tir_agent.kernel.owner import Owner

from rivals.base import NotMeasured

__all__ = ["LABEL", "EngineError", "ImageOptions", "ensure_image", "own_label", "remove_containers"]

LABEL = "tir-agent.benchmark"
EngineError = (docker.errors.DockerException, requests.RequestException)
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class ImageOptions:
    """How the image is built: the same options as `tir sandbox build` has."""

    base: str = DEFAULT_BASE
    network: str | None = None
    ca_bundle: Path | None = None


def own_label() -> str:
    """Marks the containers of this process."""
    return Owner.this().label()


def ensure_image(options: ImageOptions) -> str:
    """Build the image unless it is there, and return its tag.

    Raises:
        NotMeasured: there is no engine, or the build failed.
    """
    try:
        client = connect()
    except SandboxUnavailable as error:
        raise NotMeasured(error.message) from None
    try:
        tag = f"kernel-speed-rivals:{_hash(options.base)}"
        if not client.images.list(name=tag):
            _build(client, tag, options)
        return tag
    except EngineError as error:
        raise NotMeasured(f"its image cannot be built: {str(error).strip()[-200:]}") from None
    finally:
        client.close()


def remove_containers(*, others: bool = False) -> None:
    """Remove this process's containers, or with `others` those of processes that are no more."""
    try:
        client = connect()
    except SandboxUnavailable:
        return
    try:
        for container in client.containers.list(all=True, filters={"label": LABEL}):
            label = container.labels.get(LABEL, "")
            owner = Owner.parse(label)
            if (owner is not None and owner.is_gone()) if others else label == own_label():
                container.remove(force=True)
    except EngineError:
        return
    finally:
        client.close()


def _build(client: docker.DockerClient, tag: str, options: ImageOptions) -> None:
    with tempfile.TemporaryDirectory(prefix="kernel-speed-") as folder:
        context = Path(folder)
        for name in ("Dockerfile", "requirements.txt"):
            shutil.copy(_HERE / name, context / name)
        shutil.copy(sandbox_dir() / "requirements.txt", context / "constraints.txt")
        (context / "extra-ca.pem").write_bytes(options.ca_bundle.read_bytes() if options.ca_bundle else b"")
        client.images.build(
            path=folder,
            tag=tag,
            buildargs={"BASE": options.base},
            network_mode=options.network,
            rm=True,
            forcerm=True,
            timeout=1800,
        )


def _hash(base: str) -> str:
    digest = hashlib.sha256(base.encode())
    for path in (_HERE / "Dockerfile", _HERE / "requirements.txt", sandbox_dir() / "requirements.txt"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
