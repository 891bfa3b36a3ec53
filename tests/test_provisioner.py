"""Notebooks in the jail, run by Jupyter's own tools through the kernel spec of `tir kernel install`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbformat.v4 import new_code_cell, new_notebook

from tir_agent.kernel.spec import install, is_valid_name
from tir_agent.settings import Isolation, KernelChoice

from conftest import docker_is_here

CELLS = [
    "from sympy import *\nx = symbols('x')",
    "solve(x**2 - 5*x + 6, x)",
    "print('printed')\nx**2 / 3",
    "import os, socket\nos.getuid(), os.path.exists('/etc/shadow') and os.access('/etc/shadow', os.R_OK)",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3]);",
    "from IPython.display import HTML\nHTML('<b>bold</b>')",
    "socket.create_connection(('1.1.1.1', 53), timeout=2)",
]


@pytest.fixture
def kernel_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    install("jail", KernelChoice.DOCKER, Isolation.SESSION, tmp_path)
    return "jail"


def text(output: dict[str, Any]) -> str:
    return str(output["data"]["text/plain"])


async def test_a_notebook_runs_in_the_docker_sandbox(kernel_name: str) -> None:
    await docker_is_here()
    notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    client = nbclient.NotebookClient(notebook, kernel_name=kernel_name, timeout=60, allow_errors=True)
    await client.async_execute()
    nbformat.validate(notebook)
    outputs = [cell["outputs"] for cell in notebook["cells"]]
    assert outputs[0] == []
    assert text(outputs[1][0]) == "[2, 3]"
    assert outputs[2][0]["text"] == "printed\n"
    assert "frac" in outputs[2][1]["data"]["text/latex"]
    uid, shadow = eval(text(outputs[3][0]))
    assert uid > 1000
    assert not shadow
    assert len(outputs[4][0]["data"]["image/png"]) > 1000
    assert outputs[5][0]["data"]["text/html"] == "<b>bold</b>"
    assert outputs[6][0]["output_type"] == "error"
    assert outputs[6][0]["ename"] in {"OSError", "PermissionError"}


async def test_the_jupyter_command_runs_a_notebook(kernel_name: str, tmp_path: Path) -> None:
    await docker_is_here()
    path = tmp_path / "notebook.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("6 * 7")]), path)
    program = Path(sys.executable).parent / "jupyter-execute"
    process = await asyncio.create_subprocess_exec(
        program, "--inplace", f"--kernel_name={kernel_name}", path, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), timeout=110)
    assert process.returncode == 0, errors.decode()
    assert text(nbformat.read(path, as_version=4)["cells"][0]["outputs"][0]) == "42"


async def test_interrupt_restart_and_shutdown(kernel_name: str) -> None:
    await docker_is_here()
    manager = KernelManager(kernel_name=kernel_name)
    manager.start_kernel()
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=30)
        client.execute_interactive("a = 1", timeout=30)
        cell = client.execute("import time; print('begun', flush=True); time.sleep(60)")
        while client.get_iopub_msg(timeout=30)["msg_type"] != "stream":
            pass
        manager.interrupt_kernel()
        while (heard := client.get_shell_msg(timeout=30))["parent_header"]["msg_id"] != cell:
            pass
        assert heard["content"]["ename"] == "KeyboardInterrupt"
        reply = client.execute_interactive("a", timeout=30)
        assert reply["content"]["status"] == "ok"
        manager.restart_kernel(now=True)
        # The same client: a restart keeps the sockets' names.
        client.wait_for_ready(timeout=30)
        reply = client.execute_interactive("a", timeout=30, output_hook=lambda message: None)
        assert reply["content"]["ename"] == "NameError"
        assert manager.is_alive()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert not manager.is_alive()


def test_the_kernel_spec_names_the_provisioner(kernel_name: str) -> None:
    spec = KernelSpecManager().get_kernel_spec(kernel_name)
    assert spec.metadata["kernel_provisioner"]["provisioner_name"] == "tir-jail"
    assert spec.display_name == "Python 3 (tir sandbox, docker)"
    assert json.loads((Path(spec.resource_dir) / "kernel.json").read_text())["argv"] == []


@pytest.mark.parametrize(
    ("name", "valid"), [("tir", True), ("a.b-c_1", True), ("", False), ("a b", False), ("ä", False)]
)
def test_kernel_names(name: str, valid: bool) -> None:
    assert is_valid_name(name) is valid
