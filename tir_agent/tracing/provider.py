"""Where spans go: to a collector over OTLP/HTTP, or to a file.

The SDK batches them on a thread of its own, and drops what does not fit into its queue: a run never waits
for a collector. It reads its own environment variables (`OTEL_EXPORTER_OTLP_*`, `OTEL_RESOURCE_ATTRIBUTES`,
`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`); the global tracer provider is left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self
from urllib.parse import urlsplit

import tir_agent
from tir_agent.agent import Observer
from tir_agent.errors import StorageError, UsageError
from tir_agent.settings import RunSettings
from tir_agent.trajectory import Problem, Sample

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

__all__ = ["Tracing", "open_tracing"]

_CLOSING_SECONDS = 10.0
"""For the last spans to be sent, at most."""
_PATH = "/v1/traces"


class Tracing:
    """Makes an observer for each run. `open_tracing` makes it; a tracer of one's own does as well."""

    def __init__(
        self, tracer: Tracer, *, contents: bool = False, close: Callable[[], None] = lambda: None
    ) -> None:
        self._tracer = tracer
        self._contents = contents
        self._close = close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def observer(self, problem: Problem, settings: RunSettings, sample: Sample | None = None) -> Observer:
        """Of one run, whose span begins now."""
        from tir_agent.tracing.spans import TracingObserver

        return TracingObserver(self._tracer, problem, settings, sample=sample, contents=self._contents)

    async def close(self) -> None:
        """Send what is left, for ten seconds at most."""
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self._close()
            # After the deadline the loop may be gone.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(closed.set)

        # No executor: the end of the event loop would wait for its threads.
        threading.Thread(target=close, name="tir-tracing-close", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closed.wait(), _CLOSING_SECONDS)


def open_tracing(
    endpoint: str | None = None,
    *,
    file: Path | None = None,
    contents: bool = False,
    on_trouble: Callable[[str], None] = lambda text: None,
) -> Tracing:
    """Spans go to `file`, one JSON object a line, or else to the collector at `endpoint`.

    `endpoint` is a URL such as `http://localhost:4318`; without one the SDK's environment variables say
    where, and without these it is that address. `contents` also records what was said and run.
    `on_trouble` is told once, from another thread, when spans cannot be delivered.

    Raises:
        UsageError: the packages are not installed, or `endpoint` is not a URL.
        StorageError: `file` cannot be written.
    """
    try:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError:
        raise UsageError(
            "Tracing needs OpenTelemetry, which is not installed", hint="pip install 'tir-agent[otel]'"
        ) from None
    stream: IO[str] | None = None
    if file is not None:
        stream = _opened(file)
        exporter = ConsoleSpanExporter(out=stream, formatter=_line)
    else:
        exporter = _otlp_exporter(endpoint)
    own = Resource({"service.name": "tir-agent", "service.version": tir_agent.__version__})
    resource = Resource.create().merge(own).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    logger = logging.getLogger("opentelemetry")
    ear = _Ear(on_trouble)
    logger.addHandler(ear)

    def close() -> None:
        provider.shutdown()
        logger.removeHandler(ear)
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()

    return Tracing(provider.get_tracer("tir_agent", tir_agent.__version__), contents=contents, close=close)


def _otlp_exporter(endpoint: str | None) -> object:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise UsageError(
            "Sending traces needs OpenTelemetry's exporter, which is not installed",
            hint="pip install opentelemetry-exporter-otlp-proto-http, or have them written to a file",
        ) from None
    return OTLPSpanExporter(endpoint=None if endpoint is None else _traces_url(endpoint))


def _traces_url(endpoint: str) -> str:
    """The path is added where the URL has none, as for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
    url = urlsplit(endpoint)
    if url.scheme not in {"http", "https"} or not url.netloc:
        raise UsageError(f"{endpoint!r} is not the URL of a collector", hint="http://localhost:4318")
    return url._replace(path=_PATH).geturl() if url.path in {"", "/"} else endpoint


def _opened(file: Path) -> IO[str]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("a", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"Cannot write {file}: {error.strerror}") from None


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"


class _Ear(logging.Handler):
    """Hears what the SDK logs of its troubles, which would otherwise go to standard error each time."""

    def __init__(self, on_trouble: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_trouble = on_trouble
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._told:
            self._told = True
            self._on_trouble(f"Traces are not being delivered: {record.getMessage()}")
