"""The server: a real socket, one profile, the minds it serves, and the faults it was told to have."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final, Self

from conformance import faults as f
from conformance.delivery import Events, Pace, deliver, deliver_whole, never
from conformance.faults import Fault, Faults, no_faults
from conformance.limits import Gate, Limits
from conformance.line import Asked, Line
from conformance.minds import Mind, Utterance, echo
from conformance.profiles import ContextShown, Overflow, Profile, StreamUsage
from conformance.reading import read_request
from conformance.records import Log, Record
from conformance.refusals import Refusal, overflow
from conformance.replies import Answer, encode, encode_all
from conformance.requests import Request
from conformance.tokens import Tokenizer
from conformance.writing import write

__all__ = ["ConformanceServer"]

_PAGE: Final = "<!DOCTYPE html><html><head><title>{}</title></head><body><h1>{}</h1></body></html>"
_DONE: Final = b"data: [DONE]\n\n"


class ConformanceServer:
    """Serves while the `async with` block lasts; `url` ends in /v1."""

    def __init__(
        self,
        profile: Profile,
        minds: Mapping[str, Mind] | None = None,
        *,
        faults: Faults = no_faults,
        pace: Pace | None = None,
        limits: Limits | None = None,
        context: int | None = None,
        key: str | None = None,
        port: int = 0,
    ) -> None:
        """`minds` are the models by name; `context` is in tokens; `port` 0 takes a free one.

        `pace` may be changed while it serves: it holds for the answers that are begun from then on.
        """
        self.profile = profile if context is None else replace(profile, context=context)
        self.minds = dict(minds or {"echo": echo})
        self.log = Log()
        self.tokenizer = Tokenizer()
        self._faults = faults
        self.pace = pace or Pace()
        self._limits = limits or Limits()
        self._key = key
        self._port = port
        self._lines: set[Line] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._gate = Gate(self._limits, loop.time())
        self._server = await loop.create_server(
            lambda: Line(self._serve, self._opened, self._lines.discard),
            "127.0.0.1",
            self._port,
            backlog=1024,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*(line.abandon() for line in list(self._lines)))
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The base URL, as clients want it."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    def _opened(self, line: Line) -> None:
        self._lines.add(line)
        self.log.connections += 1

    async def _serve(self, asked: Asked, line: Line) -> None:
        match asked.method, asked.path.partition("?")[0]:
            case "POST", "/v1/chat/completions":
                await self._reply(asked, line, chat=True)
            case "POST", "/v1/completions":
                await self._reply(asked, line, chat=False)
            case "GET", "/v1/models":
                await self._json(line, 200, {"object": "list", "data": self._cards()})
            case "GET", "/props" if self.profile.context_shown is ContextShown.PROPS:
                settings = {"n_ctx": self.profile.context}
                props = {"default_generation_settings": settings, "total_slots": 1, "build_info": "b1-test"}
                await self._json(line, 200, props)
            case "GET", "/health":
                await line.whole(200, b"")
            case _:
                await self._json(line, 404, {"detail": "Not Found"})

    def _cards(self) -> list[dict[str, object]]:
        shown = self.profile.context_shown is ContextShown.MODELS
        more = {"max_model_len": self.profile.context} if shown else {}
        card = {"object": "model", "created": 0, "owned_by": self.profile.owned_by, **more}
        return [{"id": name, **card} for name in self.minds]

    async def _reply(self, asked: Asked, line: Line, *, chat: bool) -> None:
        clock = asyncio.get_running_loop().time
        number = len(self.log.records) + 1
        fault = self._faults(number)
        record = Record(number, asked.path, {}, asked.headers, clock(), fault)
        self.log.begin(record)
        try:
            record.body = _parsed(asked.body)
            if not await self._failed(fault, line, record):
                await self._answer(asked, line, record, chat=chat)
        except Refusal as refusal:
            record.status = refusal.status
            await self._json(line, refusal.status, refusal.body(self.profile.errors), refusal.headers)
        except (asyncio.CancelledError, ConnectionError):
            record.left = True
            raise
        finally:
            self.log.end(record, clock())

    async def _failed(self, fault: Fault | None, line: Line, record: Record) -> bool:
        """Whether the fault was the whole answer."""
        match fault:
            case f.TooMany():
                refusal = Refusal(429, "Rate limit reached", code="rate_limit_exceeded", kind="requests")
                record.status = 429
                await self._json(line, 429, refusal.body(self.profile.errors), _waits(fault))
            case f.BadStatus(html=True):
                record.status = fault.status
                text = _PAGE.format(fault.status, "Bad gateway")
                await line.whole(fault.status, text.encode(), "text/html")
            case f.BadStatus():
                record.status = fault.status
                refusal = Refusal(fault.status, "The server had an error while processing your request")
                await self._json(line, fault.status, refusal.body(self.profile.errors))
            case f.HtmlPage():
                record.status = 200
                await line.whole(200, _PAGE.format("Sign in", "Sign in").encode(), "text/html; charset=utf-8")
            case f.Hangs():
                await never()
            case _:
                return False
        return True

    async def _answer(self, asked: Asked, line: Line, record: Record, *, chat: bool) -> None:
        profile = self._profile_for(record.fault)
        self._check_key(asked)
        body = record.body
        if not chat and not profile.completions:
            raise Refusal(
                404,
                "This is a chat model and not supported in the v1/completions endpoint. "
                "Did you mean to use v1/chat/completions?",
                param="model",
                kind="invalid_request_error",
            )
        mind = self._mind(body.get("model"), profile)
        request = self._fitted(read_request(body, profile, self.tokenizer, chat=chat), profile)
        record.request = request
        now = asyncio.get_running_loop().time()
        headers = self._gate.enter(request.prompt_tokens + (request.limit or 0), self.log.running, now)
        room = profile.context - request.prompt_tokens
        replies = [write(said, request, profile, self.tokenizer, room=room) for said in _said(mind, request)]
        record.texts = tuple(said.text for said in replies)
        record.tokens = sum(reply.count for reply in replies)
        record.status = 200
        identity = f"{'chatcmpl' if chat else 'cmpl'}-{record.number:08x}"
        answer = Answer(identity, int(time.time()), request, replies, profile, self.tokenizer)
        if request.stream:
            events = _events(answer, profile)
            record.completed = await deliver(line, events, self.pace, record.fault, headers)
        else:
            whole = encode(answer.whole()).encode("utf-8", "replace")
            record.completed = await deliver_whole(line, whole, self.pace, record.fault, headers)

    def _profile_for(self, fault: Fault | None) -> Profile:
        match fault:
            case f.Context():
                return replace(self.profile, context=fault.tokens)
            case f.FinishMissing():
                return replace(self.profile, finish=replace(self.profile.finish, told=False))
            case f.UsageWithFinish():
                return replace(self.profile, usage=StreamUsage.WITH_FINISH)
            case _:
                return self.profile

    def _check_key(self, asked: Asked) -> None:
        if self._key is not None and asked.headers.get("authorization") != f"Bearer {self._key}":
            raise Refusal(401, "Incorrect API key provided", code="invalid_api_key")

    def _mind(self, model: object, profile: Profile) -> Mind:
        if isinstance(model, str) and model in self.minds:
            return self.minds[model]
        if profile.checks_model:
            raise Refusal(404, f"The model `{model}` does not exist.", param="model", code="model_not_found")
        return next(iter(self.minds.values()))

    def _fitted(self, request: Request, profile: Profile) -> Request:
        """The request as the model will see it.

        Raises:
            Refusal: the prompt is too long.
        """
        if profile.overflow is Overflow.TRUNCATED:
            while request.prompt_tokens >= profile.context:
                oldest = next((turn for turn in request.turns[:-1] if turn.role != "system"), None)
                if oldest is None:
                    break
                request = request.without(oldest)
        refusal = overflow(profile.overflow, request.prompt_tokens, request.limit, profile.context)
        if refusal is not None:
            raise refusal
        return request

    async def _json(
        self, line: Line, status: int, body: object, headers: Mapping[str, str] | None = None
    ) -> None:
        await line.whole(status, encode(body).encode("utf-8", "replace"), headers=headers)


def _said(mind: Mind, request: Request) -> list[Utterance]:
    if request.n == 1:
        return [mind(request)]
    return [mind(replace(request, sample=sample)) for sample in range(request.n)]


def _events(answer: Answer, profile: Profile) -> Events:
    events = list(answer.events())
    frames = [b"data: %b\n\n" % data for data in encode_all([event for event, _ in events])]
    frames.append(_DONE)
    return Events(
        frames,
        next((number for number, (_, ended) in enumerate(events) if ended), len(events)),
        comment=None if profile.comment is None else f": {profile.comment}\n\n".encode(),
    )


def _parsed(data: bytes) -> dict[str, object]:
    try:
        body = json.loads(data)
    except ValueError as error:
        raise Refusal(400, f"We could not parse the JSON body of your request: {error}") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The body of the request must be a JSON object")
    return body


def _waits(fault: f.TooMany) -> dict[str, str]:
    match fault.form:
        case f.WaitForm.NOT:
            return {}
        case f.WaitForm.SECONDS:
            return {"Retry-After": f"{fault.wait:.0f}"}
        case f.WaitForm.DATE:
            when = datetime.now(UTC) + timedelta(seconds=fault.wait)
            return {"Retry-After": format_datetime(when, usegmt=True)}
        case f.WaitForm.MILLISECONDS:
            return {"Retry-After-Ms": f"{fault.wait * 1000:.0f}", "Retry-After": f"{fault.wait:.0f}"}
