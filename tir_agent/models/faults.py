"""What went wrong with a request: to be tried again, or to be told to the user in one sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tir_agent.errors import ContextOverflow, ModelError, ModelRejected, ModelUnavailable
from tir_agent.models.wire import ErrorBody

if TYPE_CHECKING:
    from collections.abc import Mapping

    import openai

__all__ = ["LOOPBACK", "Passing", "dropped", "refused", "refused_midway", "retry_after", "unreachable"]

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""This machine's own names."""
_PASSING_STATUS = frozenset({408, 409, 425, 429})
_NOT_IMPLEMENTED = 501
_BUSY_STATUS = frozenset({429, 503})


class Passing(Exception):
    """A failure that another attempt may not meet."""

    def __init__(self, error: ModelUnavailable, *, wait: float | None = None, busy: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        """What to raise where there is no other attempt."""
        self.wait = wait
        """Seconds that the server asks to wait."""
        self.busy = busy
        """The server works and has no room now: worth waiting for until the deadline."""


def refused(error: openai.APIStatusError, *, model: str, url: str, has_key: bool) -> Passing | ModelError:
    """An answer with an HTTP status of 400 or more, 404 excepted."""
    status = error.status_code
    body = ErrorBody.of(error.body)
    if status in (401, 403):
        return _bad_key(status, url, has_key)
    if status == 429 and body.code == "insufficient_quota":
        return ModelRejected(_sentence("The account has no quota left", body), hint="Check plan and billing")
    if status in _PASSING_STATUS or (status >= 500 and status != _NOT_IMPLEMENTED):
        wait = retry_after(error.response.headers)
        asks = f" and asks to wait {wait:.0f} seconds" if wait else ""
        unavailable = ModelUnavailable(
            _sentence(f"The model server at {url} answered with status {status}{asks}", body),
            hint="It may be overloaded or still loading: try again later",
        )
        return Passing(unavailable, wait=wait, busy=status in _BUSY_STATUS)
    return _rejected(body, model)


def refused_midway(error: openai.APIError, *, model: str, url: str) -> Passing | ModelError:
    """An error object in the middle of a stream; its code is a status where it is a number."""
    body = ErrorBody.of(error.body)
    if _is_overflow(body):
        return _overflow(body)
    if isinstance(body.code, int) and 400 <= body.code < 500 and body.code not in _PASSING_STATUS:
        return _rejected(body, model)
    return Passing(ModelUnavailable(_sentence(f"The model server at {url} failed while it answered", body)))


def unreachable(url: str, error: BaseException) -> ModelUnavailable:
    """No connection was made at all."""
    local = urlsplit(url).hostname in LOOPBACK
    start = "Start it (vllm serve MODEL, llama-server -m FILE, ollama serve)"
    check = "Is this machine online? A server of your own"
    return ModelUnavailable(
        f"Cannot connect to the model server at {url} ({_root(error)})",
        hint=f"{start}, or give its address with --base-url, which ends in /v1 for most servers"
        if local
        else f"{check} is named with --base-url, for example http://localhost:8000/v1",
    )


def dropped(url: str, how: str) -> Passing:
    """A connection or a stream that broke off; `how` says in which way."""
    return Passing(
        ModelUnavailable(
            f"The model server at {url} {how}",
            hint="See its log: it may have run out of memory or been restarted",
        )
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, from `Retry-After-Ms` or `Retry-After` in either form."""
    try:
        return max(float(headers["retry-after-ms"]) / 1000, 0.0)
    except (KeyError, ValueError):
        pass
    value = headers.get("retry-after", "")
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max((when - datetime.now(UTC)).total_seconds(), 0.0)


def _bad_key(status: int, url: str, has_key: bool) -> ModelRejected:
    # The server's own words are left out: some repeat the key, and this sentence is kept in the record.
    if has_key:
        message = f"The model server at {url} refused the API key (status {status})"
        hint = "Check the key in OPENAI_API_KEY, or name another variable with --api-key-env"
    else:
        message = f"The model server at {url} wants an API key (status {status})"
        hint = "Set OPENAI_API_KEY, or name another variable with --api-key-env"
    return ModelRejected(message, hint=hint)


def _rejected(body: ErrorBody, model: str) -> ModelError:
    if _is_overflow(body):
        return _overflow(body)
    if body.code == "model_not_found":
        return ModelRejected(_sentence(f"There is no model {model!r}", body))
    if body.param:
        return ModelRejected(
            _sentence(f"The model server refused the field {body.param!r}", body),
            hint="This model may not take it: leave it out, or give another value",
        )
    return ModelRejected(_sentence("The model server refused the request", body))


def _overflow(body: ErrorBody) -> ContextOverflow:
    return ContextOverflow(
        _sentence("The conversation does not fit the model's context window", body),
        hint="Use a model or server with a longer context, or lower --max-total-tokens",
    )


def _is_overflow(body: ErrorBody) -> bool:
    return (
        body.code == "context_length_exceeded"  # OpenAI and most hosted services
        or body.type == "exceed_context_size_error"  # llama.cpp
        or body.param == "input_tokens"  # vLLM
        or _prose_tells_of_overflow(body.message or "")
    )


_OVERFLOW_WORDS: Final = (
    "model's context length",
    "maximum context length",
    "context length currently available",
    "`inputs` tokens + `max_new_tokens` must be <=",
)


def _prose_tells_of_overflow(message: str) -> bool:
    """The one place where a server's prose decides: SGLang, older vLLM and Ollama give nothing else.

    SGLang: "The input (5000 tokens) is longer than the model's context length (4096 tokens)",
    "Requested token count exceeds the model's maximum context length of 4096 tokens"; vLLM before it
    named the parameter: "This model's maximum context length is 4096 tokens". Ollama: "the prompt is longer
    than the context length currently available". TGI: "`inputs` tokens + `max_new_tokens` must be <= 4096".
    Where another server words it differently, the request counts as refused.
    """
    text = message.lower()
    return any(words in text for words in _OVERFLOW_WORDS)


def _sentence(start: str, body: ErrorBody) -> str:
    return f"{start}: {body.words}" if body.words else start


def _root(error: BaseException) -> str:
    """What the operating system said, under the wrappings of three libraries."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return str(error) or type(error).__name__
