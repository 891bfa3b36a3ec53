"""Rewards from a server over HTTP.

Forms of question and answer, by the last part of the address (`RewardForm`):

- `pooling`: vLLM's `/pooling` for reward models. One chat a request, `{"model", "messages"}`; the answer's
  `data[0].data` is a vector, or one for each token, and the last number is the reward.
- `classify`: `/classify` of a recent vLLM, `{"model", "messages"}`; `data[0].probs`: of one class its
  number, of more the last one's probability. SGLang's `/v1/classify` answers alike, but reads only text.
- `score`: vLLM's `/score`, `{"model", "text_1", "text_2"}` with the problem and the solution;
  the answer's `data[0].score`.
- `sglang`: SGLang's `/classify` for reward models, `{"model", "text"}` with the chat template laid around
  the conversation on this side, for which ChatML stands here; the answer is a list of `{"embedding": [..]}`.
- `plain`: any other address, `{"problem", "messages", "answer"}`, and the answer is `{"reward": 0.5}`.

For models with templates of their own behind SGLang, and process reward models, write a function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, assert_never
from urllib.parse import urlsplit

import tenacity

from tir_agent.errors import ModelRejected, ModelUnavailable, UsageError
from tir_agent.evaluate.rewards import Candidate, finite

if TYPE_CHECKING:
    import httpx2

__all__ = ["RewardForm", "RewardPatience", "ServerReward", "form_of"]

_SHOWN: Final = 200
_AGAIN: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, *(s for s in HTTPStatus if s >= 500)}
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class RewardForm(StrEnum):
    """How a server wants to be asked; see the module."""

    POOLING = "pooling"
    CLASSIFY = "classify"
    SCORE = "score"
    SGLANG = "sglang"
    PLAIN = "plain"


@dataclass(frozen=True)
class RewardPatience:
    """How long to wait for the server, and how often to ask again. Times are seconds."""

    connect: float = 10.0
    reply: float = 120.0
    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 20.0


def form_of(url: str) -> RewardForm:
    """The form that the last part of the address names; `plain` where it names none."""
    last = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    return RewardForm(last) if last in {form.value for form in RewardForm} else RewardForm.PLAIN


class _Again(Exception):
    """Worth another attempt; says what went wrong."""


class ServerReward:
    """A server that scores. To be used and closed in one event loop."""

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        form: RewardForm | None = None,
        key: str | None = None,
        at_once: int = 16,
        patience: RewardPatience | None = None,
    ) -> None:
        """`url` is the whole address, its path included; `form` is told from it where it is None.

        Raises:
            UsageError: it is not an address of HTTP.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(
                f"{url} is not an address of HTTP", hint="--reward http://localhost:8000/pooling"
            )
        self._url = url
        self._local = parts.hostname in _LOOPBACK
        self._model = model
        self._form = form_of(url) if form is None else form
        self._key = key
        self._places = asyncio.Semaphore(at_once)
        self._patience = patience or RewardPatience()
        self._client: httpx2.AsyncClient | None = None

    async def score(self, candidates: Sequence[Candidate]) -> list[float | None]:
        """Several at a time.

        Raises:
            ModelUnavailable: the server cannot be reached, or failed again and again.
            ModelRejected: it refused the request.
            DataError: it answered something that is no reward.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(one)) for one in candidates]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _ask(self, one: Candidate) -> float:
        patience = self._patience
        attempts = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(patience.attempts),
            wait=tenacity.wait_exponential(multiplier=patience.first_wait, max=patience.longest_wait)
            + tenacity.wait_random(0, patience.first_wait),
            retry=tenacity.retry_if_exception_type(_Again),
            reraise=True,
        )
        async with self._places:
            try:
                reply: Any = await attempts(self._post, self._body(one))
            except _Again as error:
                raise ModelUnavailable(
                    f"The reward server at {self._url} {error}", hint="Is it running? Then try again"
                ) from None
        return self._read(reply)

    async def _post(self, body: dict[str, object]) -> Any:
        import httpx2

        if self._client is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            timeout = httpx2.Timeout(self._patience.reply, connect=self._patience.connect)
            # A proxy that the environment names does not know this machine's own addresses.
            self._client = httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=not self._local)
        try:
            response = await self._client.post(self._url, json=body)
        except httpx2.TransportError as error:
            raise _Again(f"cannot be reached ({type(error).__name__})") from error
        if response.status_code in _AGAIN:
            raise _Again(f"answered with status {response.status_code}")
        if not response.is_success:
            raise ModelRejected(
                f"The reward server at {self._url} refused the request (status {response.status_code}): "
                f"{response.text[:_SHOWN]}"
            )
        try:
            return response.json()
        except ValueError:
            raise _Again("answered something that is not JSON") from None

    def _body(self, one: Candidate) -> dict[str, object]:
        named: dict[str, object] = {"model": self._model} if self._model else {}
        match self._form:
            case RewardForm.POOLING | RewardForm.CLASSIFY:
                return named | {"messages": one.as_messages()}
            case RewardForm.SCORE:
                return named | {"text_1": one.problem, "text_2": one.solution}
            case RewardForm.SGLANG:
                chat = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in one.messages)
                return named | {"text": chat}
            case RewardForm.PLAIN:
                return {"problem": one.problem, "messages": one.as_messages(), "answer": one.answer}
        assert_never(self._form)

    def _read(self, reply: Any) -> float:
        source = f"The reward server at {self._url}"
        try:
            match self._form:
                case RewardForm.POOLING:
                    return finite(_last(reply["data"][0]["data"]), source)
                case RewardForm.CLASSIFY:
                    return finite(reply["data"][0]["probs"][-1], source)
                case RewardForm.SCORE:
                    return finite(reply["data"][0]["score"], source)
                case RewardForm.SGLANG:
                    first = reply[0] if isinstance(reply, list) else reply
                    return finite(_last(first["embedding"]), source)
                case RewardForm.PLAIN:
                    return finite(reply["reward"], source)
        except (KeyError, IndexError, TypeError):
            raise ModelRejected(
                f"{source} answered in another form than {self._form.value!r}: {str(reply)[:_SHOWN]}",
                hint="--reward-form says how it wants to be asked",
            ) from None
        assert_never(self._form)


def _last(value: Any) -> Any:
    """The last number of a vector, or of a vector for each token."""
    while isinstance(value, list):
        value = value[-1]
    return value
