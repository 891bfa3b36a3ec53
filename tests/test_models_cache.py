"""What is kept of a server, and when it is asked again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tir_agent.models.cache import CapabilityCache
from tir_agent.models.capabilities import Capabilities, Findings
from tir_agent.models.openai import OpenAIModel

from model_server import ModelServer, fails, says

URL = "http://localhost:8000/v1"


def found(*, days: float = 0, passing: bool = False) -> Findings:
    asked = datetime.now(UTC) - timedelta(days=days)
    return Findings(capabilities=Capabilities(seed=True), asked=asked, passing=passing)


def test_what_was_found_is_kept_for_a_week(tmp_path: Path) -> None:
    cache = CapabilityCache(tmp_path / "new" / "folder")
    assert cache.get(URL, "m", "vllm") is None
    for days, kept in ((0, True), (6.9, True), (7.1, False), (-1, False)):
        cache.put(URL, "m", "vllm", found(days=days))
        assert (cache.get(URL, "m", "vllm") is not None) is kept, days


def test_each_model_on_each_server_has_its_own(tmp_path: Path) -> None:
    cache = CapabilityCache(tmp_path)
    cache.put(URL, "m", "vllm", found())
    assert cache.get(URL, "other", "vllm") is None
    assert cache.get("http://localhost:8001/v1", "m", "vllm") is None
    assert cache.get(URL, "m", "vllm, context of 8 tokens") is None
    assert cache.get(URL, "m", "vllm") == cache.get(URL, "m", "vllm")


def test_no_password_of_an_address_is_kept(tmp_path: Path) -> None:
    cache = CapabilityCache(tmp_path)
    url = "http://user:secret@localhost:8000/v1?key=secret"
    cache.put(url, "m", None, found())
    (file,) = tmp_path.iterdir()
    assert "secret" not in file.read_text() + file.name
    assert cache.get(url, "m", None)


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"[]", b'{"url": 5}'])
def test_a_damaged_file_is_no_cache(tmp_path: Path, damage: bytes) -> None:
    cache = CapabilityCache(tmp_path)
    cache.put(URL, "m", None, found())
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert cache.get(URL, "m", None) is None
    cache.put(URL, "m", None, found())
    assert cache.get(URL, "m", None)


def test_a_folder_that_cannot_be_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = CapabilityCache(tmp_path / "file" / "folder")
    cache.put(URL, "m", None, found())
    assert cache.get(URL, "m", None) is None


def test_what_may_pass_is_not_kept(tmp_path: Path) -> None:
    cache = CapabilityCache(tmp_path)
    cache.put(URL, "m", None, found(passing=True))
    assert list(tmp_path.iterdir()) == []


async def test_a_server_is_asked_once_for_all_processes(tmp_path: Path) -> None:
    async with ModelServer(says("fine")) as server:
        for number, refresh in enumerate([False, False, True]):
            model = OpenAIModel("m", base_url=server.url, cache=CapabilityCache(tmp_path), api_key="sk-1")
            before = len(server.requests)
            assert (await model.findings(refresh=refresh)).capabilities.chat
            assert (len(server.requests) > before) is (number != 1)
            asked = len(server.requests)
            await model.capabilities()
            assert len(server.requests) == asked
            await model.close()
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["model"] == "m"
    assert "sk-1" not in file.read_text()


async def test_a_failure_is_not_remembered(tmp_path: Path) -> None:
    async with ModelServer(fails(401), says("fine")) as server:
        model = OpenAIModel("m", base_url=server.url, cache=CapabilityCache(tmp_path))
        with pytest.raises(Exception, match="key"):
            await model.capabilities()
        assert (await model.capabilities()).chat
        await model.close()
