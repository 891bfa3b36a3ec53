"""Whether a model can be used, step by step, with a remedy for the step that fails."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from tir_agent.checks import Check
from tir_agent.errors import ModelError, ModelRejected, ModelUnavailable, TirError, UsageError
from tir_agent.models.base import Model
from tir_agent.models.cache import CapabilityCache
from tir_agent.models.capabilities import Findings
from tir_agent.models.choice import embedded_path, is_embedded, open_model
from tir_agent.settings import Sampling
from tir_agent.trajectory import Message, Origin, Role

__all__ = ["CheckName", "check_model", "examine_model"]


class CheckName(StrEnum):
    """What is looked at, in this order."""

    LIBRARY = "llama.cpp"
    """Embedded models: the library is installed."""
    WEIGHTS = "weights"
    """Embedded models: the file is there and is a model."""
    SERVER = "server"
    """It can be reached, or started."""
    KEY = "key"
    """It takes the API key."""
    MODEL = "model"
    """It answers with a token."""


_QUESTION: Final = (Message.of(Role.USER, ("Hello", Origin.PROMPT)),)


async def check_model(
    name: str, *, base_url: str | None = None, api_key: str | None = None, timeout: float = 30.0
) -> tuple[Check, ...]:
    """Check a model by its name; steps after the first that fails are left out.

    The last step has the model write one token, since only that shows that the key is good: many
    servers list their models for anyone. Each step takes at most `timeout` seconds.
    """
    if is_embedded(name):
        return await _check_embedded(name, timeout)
    return await _check_server(name, base_url, api_key, timeout)


async def examine_model(
    name: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    cache: CapabilityCache | None = None,
    refresh: bool = False,
) -> Findings:
    """Find out what the server of a model can do; `refresh` asks it although the answer is remembered.

    Raises:
        UsageError: the name, the address or the key is malformed.
        ModelError: the server cannot be asked.
    """
    if is_embedded(name):
        embedded = await open_model(name)
        try:
            capabilities = await embedded.capabilities()
        finally:
            await embedded.close()
        return Findings(capabilities=capabilities, asked=datetime.now(UTC))
    from tir_agent.models.openai import OpenAIModel

    model = OpenAIModel(name, base_url=base_url, api_key=api_key, cache=cache)
    try:
        return await model.findings(refresh=refresh)
    finally:
        await model.close()


async def _check_embedded(name: str, timeout: float) -> tuple[Check, ...]:
    from tir_agent.models.gguf import checked_gguf, installed_gguf, require_llamacpp

    checks: list[Check] = []
    step = CheckName.LIBRARY
    try:
        require_llamacpp()
        checks.append(Check(step, passed=True, detail="xllamacpp is installed"))
        step = CheckName.WEIGHTS
        path = checked_gguf(embedded_path(name) or installed_gguf())
        checks.append(Check(step, passed=True, detail=str(path)))
        step = CheckName.SERVER
        model = await open_model(name)
    except TirError as error:
        return (*checks, _failed(step, error))
    checks.append(Check(step, passed=True, detail=await model.describe() or "started"))
    return (*checks, await _check_answer(model, timeout))


async def _check_server(
    name: str, base_url: str | None, api_key: str | None, timeout: float
) -> tuple[Check, ...]:
    from tir_agent.models.openai import OpenAIModel, Patience

    try:
        model = OpenAIModel(name, base_url=base_url, api_key=api_key, patience=Patience(attempts=1))
    except UsageError as error:
        return (_failed(CheckName.SERVER, error),)
    reached = Check(CheckName.SERVER, passed=True, detail=f"{model.base_url} can be reached")
    try:
        await model.models(timeout=timeout)
    except ModelUnavailable as error:
        await model.close()
        return (_failed(CheckName.SERVER, error),)
    except ModelRejected:
        # It may have no list of models, or keep it to itself, and answer all the same.
        pass
    answered = await _check_answer(model, timeout)
    if answered.name is CheckName.KEY:
        return (reached, answered)
    key = Check(CheckName.KEY, passed=True, detail="accepted" if api_key else "none given, and none wanted")
    return (reached, key, answered)


async def _check_answer(model: Model, timeout: float) -> Check:
    """Have one token written, and close the model."""
    try:
        reply = await model.complete(_QUESTION, Sampling(max_tokens=1), timeout=timeout)
    except ModelError as error:
        return _failed(CheckName.KEY if _key_is_refused(error) else CheckName.MODEL, error)
    finally:
        await model.close()
    return Check(CheckName.MODEL, passed=True, detail=f"{model.name} answered in {reply.duration:.1f} s")


def _key_is_refused(error: ModelError) -> bool:
    import openai

    return isinstance(error.__cause__, (openai.AuthenticationError, openai.PermissionDeniedError))


def _failed(step: CheckName, error: TirError) -> Check:
    return Check(step, passed=False, detail=error.message, remedy=error.hint)
