"""Traces: the real agent in a real kernel, and the spans that come of it."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, server_attributes
from opentelemetry.trace import SpanKind, StatusCode

from tir_agent.agent import Agent, Observer, Observers
from tir_agent.errors import ContextOverflow, ModelUnavailable, StorageError, UsageError
from tir_agent.kernel.base import Sandbox
from tir_agent.models.scripted import ScriptedModel
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt, prompt_names
from tir_agent.settings import ConversationForm, Limits, RunSettings, Sampling
from tir_agent.tracing import Tracing, names, open_tracing
from tir_agent.tracing.server import server_attributes as server_of
from tir_agent.trajectory import Completion, FinishReason, Sample, ToolCall, Trajectory

PAGE = (Path(__file__).parent.parent / "docs" / "observability.md").read_text(encoding="utf-8")
PROBLEM = problem_from_text("What is 6 times 7?", gold="42")
ANSWER = "So it is \\boxed{42}."


def code(source: str) -> str:
    return f"Let me compute.\n```python\n{source}\n```\n"


@pytest.fixture
def memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def tracing_into(memory: InMemorySpanExporter, *, contents: bool = False) -> Tracing:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return Tracing(provider.get_tracer("test"), contents=contents)


async def solve(
    sandbox: Sandbox,
    tracing: Tracing,
    replies: Sequence[str | Completion | Exception],
    *,
    prompt: str = "tir",
    sample: Sample | None = None,
    settings: RunSettings | None = None,
    model: ScriptedModel | None = None,
) -> Trajectory:
    settings = settings or RunSettings(
        model="scripted", sampling=Sampling(seed=5), limits=Limits(cell_seconds=10, grace_seconds=1)
    )
    agent = Agent(model or ScriptedModel(replies), sandbox, load_prompt(prompt), settings)
    return await agent.solve(PROBLEM, observer=tracing.observer(PROBLEM, settings, sample))


def by_name(memory: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    found: dict[str, list[ReadableSpan]] = defaultdict(list)
    for span in sorted(memory.get_finished_spans(), key=lambda span: span.start_time):
        found[span.name].append(span)
    return found


async def test_a_run_is_a_tree_of_its_requests_and_cells(
    local_sandbox: Sandbox, memory: InMemorySpanExporter
) -> None:
    trajectory = await solve(
        local_sandbox, tracing_into(memory), [code("6 * 7"), ANSWER], sample=Sample(arm="small", index=3)
    )
    spans = by_name(memory)
    (run,) = spans["invoke_agent tir"]
    first, second = spans["chat scripted"]
    (cell,) = spans["execute_tool python"]
    assert run.parent is None
    assert [span.parent.span_id for span in (first, second, cell)] == [run.context.span_id] * 3
    assert first.end_time <= cell.start_time <= cell.end_time <= second.start_time <= run.end_time
    assert run.kind is first.kind is cell.kind is SpanKind.INTERNAL
    assert {span.status.status_code for found in spans.values() for span in found} == {StatusCode.UNSET}
    said = trajectory.turns[0].completion
    assert dict(first.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "tir_agent",
        "gen_ai.request.model": "scripted",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.seed": 5,
        "gen_ai.request.stop_sequences": tuple(load_prompt("tir").stop),
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": said.prompt_tokens,
        "gen_ai.usage.output_tokens": said.completion_tokens,
        "tir.requests": 1,
        "tir.turn": 1,
    }
    assert dict(cell.attributes) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "python",
        "gen_ai.tool.type": "function",
        "tir.execution.status": "ok",
        "tir.turn": 1,
    }
    wanted = {
        "gen_ai.agent.name": "tir",
        "gen_ai.conversation.id": trajectory.id,
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.usage.output_tokens": trajectory.usage.completion_tokens,
        "tir.cells": 1,
        "tir.problem.id": PROBLEM.id,
        "tir.prompt": "tir",
        "tir.sample.arm": "small",
        "tir.sample.index": 3,
        "tir.stop": "ANSWERED",
        "tir.turns": 2,
        "tir.verdict": "correct",
    }
    assert {name: run.attributes[name] for name in wanted} == wanted


async def test_what_was_said_is_recorded_on_request_alone(
    local_sandbox: Sandbox, memory: InMemorySpanExporter
) -> None:
    replies = [code("print(6 * 7)"), code("1 / 0"), ANSWER]
    await solve(local_sandbox, tracing_into(memory), replies)
    silent = "".join(span.to_json() for span in memory.get_finished_spans())
    assert "6 * 7" not in silent
    assert "6 times 7" not in silent
    assert "division by zero" not in silent
    memory.clear()
    await solve(local_sandbox, tracing_into(memory, contents=True), replies)
    spans = by_name(memory)
    sent = json.loads(spans["chat scripted"][1].attributes["gen_ai.input.messages"])
    assert [message["role"] for message in sent][-3:] == ["user", "assistant", "user"]
    assert sent[-3]["parts"][0]["content"].endswith(PROBLEM.text)
    assert sent[-1]["parts"] == [{"type": "text", "content": "```output\n42\n```"}]
    (reply,) = json.loads(spans["chat scripted"][2].attributes["gen_ai.output.messages"])
    assert reply == {
        "role": "assistant",
        "parts": [{"type": "text", "content": ANSWER}],
        "finish_reason": "stop",
    }
    cell = spans["execute_tool python"][0].attributes
    assert json.loads(cell["gen_ai.tool.call.arguments"])["code"].strip() == "print(6 * 7)"
    assert json.loads(cell["gen_ai.tool.call.result"]) == {"status": "ok", "output": "42"}
    assert spans["execute_tool python"][1].status.description == "division by zero"
    assert spans["invoke_agent tir"][0].attributes["tir.answer"] == "42"


async def test_a_failed_cell_is_an_error_of_its_own_span_and_not_of_the_run(
    local_sandbox: Sandbox, memory: InMemorySpanExporter
) -> None:
    replies = [code("1 / 0") + code("2"), code("import os\nos._exit(1)"), ANSWER]
    await solve(local_sandbox, tracing_into(memory), replies)
    spans = by_name(memory)
    cells = spans["execute_tool python"]
    assert [cell.attributes["error.type"] for cell in cells] == ["ZeroDivisionError", "refused", "died"]
    assert {cell.status.status_code for cell in cells} == {StatusCode.ERROR}
    assert spans["invoke_agent tir"][0].status.status_code is StatusCode.UNSET


async def test_a_tool_call_is_known_by_its_id(local_sandbox: Sandbox, memory: InMemorySpanExporter) -> None:
    call = ToolCall(id="call_7", name="python", arguments='{"code": "6 * 7"}')
    reply = Completion(
        text="",
        finish_reason=FinishReason.STOP,
        tool_calls=(call,),
        prompt_tokens=9,
        completion_tokens=4,
        cached_tokens=8,
        reasoning_tokens=3,
        duration=0.1,
    )
    await solve(local_sandbox, tracing_into(memory, contents=True), [reply, ANSWER], prompt="tools")
    spans = by_name(memory)
    (cell,) = spans["execute_tool python"]
    assert cell.attributes["gen_ai.tool.call.id"] == "call_7"
    first, second = spans["chat scripted"]
    assert first.attributes["gen_ai.usage.cache_read.input_tokens"] == 8
    assert first.attributes["gen_ai.usage.reasoning.output_tokens"] == 3
    sent = json.loads(second.attributes["gen_ai.input.messages"])
    assert sent[-2]["parts"][-1] == {
        "type": "tool_call",
        "id": "call_7",
        "name": "python",
        "arguments": {"code": "6 * 7"},
    }
    assert sent[-1]["role"] == "tool"
    assert sent[-1]["parts"][0]["type"] == "tool_call_response"
    assert sent[-1]["parts"][0]["id"] == "call_7"


async def test_the_machinerys_failure_is_an_error_of_the_run(
    local_sandbox: Sandbox, memory: InMemorySpanExporter
) -> None:
    trajectory = await solve(local_sandbox, tracing_into(memory), [code("1"), ModelUnavailable("it is down")])
    assert trajectory.failure is not None
    spans = by_name(memory)
    (run,) = spans["invoke_agent tir"]
    for span in (run, spans["chat scripted"][1]):
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == "ModelUnavailable"
    assert "it is down" not in run.to_json()


async def test_a_request_that_does_not_fit_is_a_span_of_its_own(
    local_sandbox: Sandbox, memory: InMemorySpanExporter
) -> None:
    await solve(local_sandbox, tracing_into(memory), [ContextOverflow("too long"), ANSWER])
    first, second = by_name(memory)["chat scripted"]
    assert first.attributes["error.type"] == "ContextOverflow"
    assert second.attributes["gen_ai.request.max_tokens"] < first.attributes["gen_ai.request.max_tokens"]


async def test_a_run_that_is_cancelled_leaves_no_span_open(
    local_sandbox: Sandbox, memory: InMemorySpanExporter
) -> None:
    began = asyncio.Event()

    class Bell(Observer):
        def cell_started(self, code: str, interrupt: object) -> None:
            began.set()

    settings = RunSettings(model="scripted", limits=Limits(cell_seconds=60, grace_seconds=1))
    agent = Agent(
        ScriptedModel([code("import time\ntime.sleep(50)")]), local_sandbox, load_prompt("tir"), settings
    )
    observer = Observers(tracing_into(memory).observer(PROBLEM, settings), Bell())
    running = asyncio.create_task(agent.solve(PROBLEM, observer=observer))
    await asyncio.wait_for(began.wait(), 30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 30)
    spans = by_name(memory)
    assert {name: len(found) for name, found in spans.items()} == {
        "chat scripted": 1,
        "execute_tool python": 1,
        "invoke_agent tir": 1,
    }
    assert spans["execute_tool python"][0].attributes["error.type"] == "INTERRUPTED"
    assert spans["invoke_agent tir"][0].attributes["tir.stop"] == "INTERRUPTED"


async def test_fifty_runs_at_once_do_not_mix(local_sandbox: Sandbox, memory: InMemorySpanExporter) -> None:
    tracing = tracing_into(memory, contents=True)
    few = asyncio.Semaphore(8)

    async def one(index: int) -> None:
        async with few:
            replies = [code(f"print('number {index}.')"), f"It is \\boxed{{{index}}}."]
            await solve(local_sandbox, tracing, replies, sample=Sample(arm="a", index=index))

    await asyncio.gather(*(one(index) for index in range(50)))
    spans = by_name(memory)
    runs = {span.context.span_id: span for span in spans["invoke_agent tir"]}
    assert len(runs) == 50
    assert len({span.context.trace_id for span in runs.values()}) == 50
    assert (len(spans["chat scripted"]), len(spans["execute_tool python"])) == (100, 50)
    for cell in spans["execute_tool python"]:
        run = runs[cell.parent.span_id]
        assert cell.context.trace_id == run.context.trace_id
        index = run.attributes["tir.sample.index"]
        assert f"'number {index}.'" in json.loads(cell.attributes["gen_ai.tool.call.arguments"])["code"]
    for chat in spans["chat scripted"]:
        index = runs[chat.parent.span_id].attributes["tir.sample.index"]
        said = chat.attributes["gen_ai.output.messages"]
        assert f"number {index}." in said or f"{{{index}}}" in said


async def test_a_callers_span_is_the_parent(local_sandbox: Sandbox, memory: InMemorySpanExporter) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("caller")
    with tracer.start_as_current_span("mine") as mine:
        await solve(local_sandbox, Tracing(tracer), [ANSWER])
    (run,) = by_name(memory)["invoke_agent tir"]
    assert run.parent.span_id == mine.get_span_context().span_id


async def test_raw_text_is_completed_and_not_chatted_with(
    local_sandbox: Sandbox, memory: InMemorySpanExporter
) -> None:
    name = next(
        name for name in prompt_names() if load_prompt(name).conversation is ConversationForm.COMPLETION
    )
    await solve(local_sandbox, tracing_into(memory, contents=True), [ANSWER], prompt=name)
    first = by_name(memory)["text_completion scripted"][0]
    assert first.attributes["gen_ai.operation.name"] == "text_completion"
    (sent,) = json.loads(first.attributes["gen_ai.input.messages"])
    assert sent["role"] == "user"


async def test_a_served_model_is_called_by_a_client(
    local_sandbox: Sandbox, memory: InMemorySpanExporter
) -> None:
    settings = RunSettings(model="m", base_url="http://user:secret@localhost:8000/v1?key=secret")
    await solve(local_sandbox, tracing_into(memory), [ANSWER], settings=settings)
    (chat,) = by_name(memory)["chat m"]
    assert chat.kind is SpanKind.CLIENT
    assert (chat.attributes["server.address"], chat.attributes["server.port"]) == ("localhost", 8000)
    assert chat.attributes["gen_ai.request.stream"] is True
    assert chat.attributes["gen_ai.response.time_to_first_chunk"] >= 0
    assert "secret" not in "".join(span.to_json() for span in memory.get_finished_spans())


@pytest.mark.parametrize(
    ("url", "provider", "address", "port"),
    [
        ("https://api.openai.com/v1", "openai", "api.openai.com", 443),
        ("https://api.mistral.ai/v1", "mistral_ai", "api.mistral.ai", 443),
        ("https://mine.openai.azure.com/openai/v1", "azure.ai.openai", "mine.openai.azure.com", 443),
        ("http://10.0.0.7:8000/v1", "openai", "10.0.0.7", 8000),
        ("https://notx.ai/v1", "openai", "notx.ai", 443),
        (None, "tir_agent", None, None),
    ],
)
def test_a_provider_is_known_by_its_address(
    url: str | None, provider: str, address: str | None, port: int | None
) -> None:
    attributes = server_of(url)
    found = (
        attributes["gen_ai.provider.name"],
        attributes.get("server.address"),
        attributes.get("server.port"),
    )
    assert found == (provider, address, port)


def test_the_names_are_the_conventions_own() -> None:
    known = {
        value
        for module in (gen_ai_attributes, error_attributes, server_attributes)
        for name, value in vars(module).items()
        if name.isupper()
    }
    used = {value for name, value in vars(names).items() if name.isupper()}
    assert {name for name in used if not name.startswith("tir.")} <= known
    providers = {provider.value for provider in gen_ai_attributes.GenAiProviderNameValues}
    assert {
        server_of(f"https://{host}/v1")["gen_ai.provider.name"]
        for host in ("api.anthropic.com", "api.deepseek.com", "api.groq.com", "api.perplexity.ai", "api.x.ai")
    } <= providers


def test_every_attribute_is_in_the_documentation() -> None:
    for name, value in vars(names).items():
        if name.isupper():
            assert f"`{value}`" in PAGE, value


async def test_spans_go_to_a_file_one_a_line(local_sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "traces" / "spans.jsonl"
    async with open_tracing(file=path, contents=True) as tracing:
        await solve(local_sandbox, tracing, [code("print('\\ud800')"), ANSWER])
    spans = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert sorted(span["name"] for span in spans) == [
        "chat scripted",
        "chat scripted",
        "execute_tool python",
        "invoke_agent tir",
    ]
    assert {span["resource"]["attributes"]["service.name"] for span in spans} == {"tir-agent"}


async def test_the_sdks_environment_variables_are_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=blue")
    path = tmp_path / "spans.jsonl"
    settings = RunSettings(model="scripted")
    async with open_tracing(file=path) as tracing:
        agent = Agent(ScriptedModel([ANSWER]), None, load_prompt("cot"), settings)
        await agent.solve(PROBLEM, observer=tracing.observer(PROBLEM, settings))
    for line in path.read_text().splitlines():
        attributes = json.loads(line)["resource"]["attributes"]
        assert (attributes["service.name"], attributes["team"]) == ("mine", "blue")


async def test_a_file_that_cannot_be_written_is_told_at_once() -> None:
    with pytest.raises(StorageError, match="Cannot write"):
        open_tracing(file=Path("/proc/no/spans.jsonl"))


def test_what_is_not_the_address_of_a_collector_is_refused() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    with pytest.raises(UsageError, match="not the URL of a collector"):
        open_tracing("localhost:4318")


def test_without_tracing_nothing_of_opentelemetry_is_imported() -> None:
    program = [
        "import sys, tir_agent.cli.app, tir_agent.agent, tir_agent.tracing, tir_agent.console",
        "print(sorted(name for name in sys.modules if name.startswith('opentelemetry')))",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_missing_extra_is_one_sentence_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(UsageError, match="exporter") as caught:
        open_tracing("http://localhost:4318")
    assert "pip install opentelemetry-exporter-otlp-proto-http" in str(caught.value.hint)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(UsageError, match="not installed") as caught:
        open_tracing()
    assert "pip install 'tir-agent[otel]'" in str(caught.value.hint)


def test_several_observers_hear_of_everything() -> None:
    heard: list[tuple[int, str]] = []

    def recorder(number: int) -> Observer:
        def method(name: str) -> object:
            return lambda self, *arguments: heard.append((number, name))

        kinds = {name: method(name) for name, _ in inspect.getmembers(Observer, inspect.isfunction)}
        recording: type[Observer] = type("Recording", (Observer,), kinds)
        return recording()

    both = Observers(recorder(1), recorder(2))
    events = [name for name, _ in inspect.getmembers(Observer, inspect.isfunction)]
    for name in events:
        method = getattr(both, name)
        method(*[None] * len(inspect.signature(method).parameters))
    assert heard == [(number, name) for name in events for number in (1, 2)]


class Collector(ThreadingHTTPServer):
    """Takes what is sent to it, as a collector of OpenTelemetry's would."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Intake)
        self.received: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Intake(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("by_environment", [True, False])
async def test_spans_reach_a_collector(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    if by_environment:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    troubles: list[str] = []
    settings = RunSettings(model="scripted")
    async with open_tracing(None if by_environment else collector.url, on_trouble=troubles.append) as tracing:
        agent = Agent(ScriptedModel([ANSWER]), None, load_prompt("cot"), settings)
        await agent.solve(PROBLEM, observer=tracing.observer(PROBLEM, settings))
    assert [path for path, _ in collector.received] == ["/v1/traces"]
    assert b"invoke_agent tir" in collector.received[0][1]
    assert troubles == []


async def test_a_collector_that_is_down_is_told_once_and_holds_nothing_up() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    troubles: list[str] = []
    settings = RunSettings(model="scripted")
    async with open_tracing("http://127.0.0.1:9", on_trouble=troubles.append) as tracing:
        agent = Agent(ScriptedModel([ANSWER]), None, load_prompt("cot"), settings)
        trajectory = await agent.solve(PROBLEM, observer=tracing.observer(PROBLEM, settings))
    assert trajectory.answer == "42"
    assert len(troubles) == 1
    assert "not being delivered" in troubles[0]
