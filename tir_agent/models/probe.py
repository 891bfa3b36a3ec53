"""Finding out what a server can do, by asking it for small things and looking at what comes.

A status of 200 tells little: llama.cpp and Ollama ignore the fields that they do not know. So each rule
looks at the effect. `docs/servers.md` has the rules in words, and what was seen of which server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Final

from tir_agent.errors import ModelError, ModelRejected, ModelUnavailable
from tir_agent.models.capabilities import Findings, LimitField, Prefill
from tir_agent.models.connection import Connection
from tir_agent.models.context import context_of
from tir_agent.models.found import Found
from tir_agent.models.hearing import Heard, Questioner
from tir_agent.models.questions import (
    COUNT,
    CUT_WORDS,
    SHORT,
    SHORT_TOKENS,
    STOPS,
    STORY,
    SYSTEM,
    TOOL,
    USE_TOOL,
)
from tir_agent.models.requests import Dialect, Endpoint, token_fields, tool_fields

__all__ = ["probe"]

_FIRST_SECONDS: Final = 120.0
"""For the first answer: a server may load the model only now."""
_SECONDS: Final = 30.0
"""For all other questions together."""
_FEW: Final = 16
"""Tokens of an answer."""
_CALL: Final = 64
"""Tokens of a tool call; where the model thinks first, `_THOUGHT`."""
_THOUGHT: Final = 1024
_LENGTH: Final = frozenset({"length", "max_tokens"})

Body = dict[str, object]


async def probe(connection: Connection, model: str, *, seconds: float = _SECONDS) -> Findings:
    """Ask a server what it can do with `model`: for one answer, and then for `seconds` at most.

    What fails is not known to work, and is no error.

    Raises:
        ModelUnavailable: the server cannot be reached, or does not answer at all.
        ModelRejected: it refuses the key, or answers neither chats nor raw prompts, as for a wrong name.
    """
    asking = _Probe(connection, model)
    try:
        async with asyncio.timeout(_FIRST_SECONDS):
            await asking.begin()
    except TimeoutError:
        raise ModelUnavailable(
            f"The model server at {connection.url} did not answer within {_FIRST_SECONDS:g} seconds"
        ) from None
    await asking.go_on(seconds)
    return asking.findings()


class _Probe:
    """The questions to one server."""

    def __init__(self, connection: Connection, model: str) -> None:
        self._connection = connection
        self._model = model
        self._questioner = Questioner(connection, model)
        self._found = Found()
        self._passing = False
        self._first = Heard()
        """The answer to `COUNT`."""

    async def begin(self) -> None:
        """Whether the server answers at all, and how it wants to be asked."""
        found = self._found
        found.chat = True
        self._first = refused = await self._greet()
        if not refused.ok:
            found.chat = False
            await self._ask_completions()
            if not found.completions:
                raise refused.error or ModelRejected(f"{self._connection.url} is no model server")
            self._first = await self._greet()
        found.stream_usage = self._first.usage is not None
        if self._first.is_longer_than(_FEW):
            # It ignores the limit. Perhaps it knows the other one.
            found.limit_field = LimitField.MAX_COMPLETION_TOKENS
            other = await self._ask(COUNT)
            if other.finish in _LENGTH:
                self._first = other
            else:
                found.limit_field = LimitField.MAX_TOKENS

    async def go_on(self, seconds: float) -> None:
        """All that can be asked at the same time; then what had better be asked alone."""
        questions = [self._ask_stop(), self._ask_seed(), self._ask_tokens(), self._ask_context()]
        if self._found.chat:
            questions += [self._ask_completions(), self._ask_prefill(), self._ask_tools(), self._ask_system()]
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        await self._within(seconds, *questions)
        await self._within(max(end - clock(), 0.0), self._ask_n())

    def findings(self) -> Findings:
        """What has been found out."""
        return self._found.findings(passing=self._passing)

    async def _within(self, seconds: float, *questions: Coroutine[None, None, None]) -> None:
        tasks = [asyncio.create_task(question) for question in questions]
        try:
            await asyncio.wait(tasks, timeout=seconds)
        finally:
            cancelled = [task.cancel() for task in tasks]
            results = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [result for result in results if isinstance(result, ModelError)]
        self._passing = self._passing or any(cancelled) or bool(failures)
        for result in results:
            if isinstance(result, Exception) and result not in failures:
                raise result

    async def _ask(
        self, question: str, more: Body | None = None, *, temperature: float = 0.0, limit: int = _FEW
    ) -> Heard:
        said: list[Body] = [{"role": "user", "content": question}]
        return await self._say(said, more, temperature=temperature, limit=limit)

    async def _say(
        self, messages: list[Body], more: Body | None, *, temperature: float = 0.0, limit: int = _FEW
    ) -> Heard:
        """A small question in the server's dialect, to the endpoint that it has."""
        found = self._found
        name = found.limit_field or LimitField.MAX_TOKENS
        body: Body = {name.value: limit} | (more or {})
        if found.sampling is not False:
            body |= {"temperature": temperature, "top_p": 1.0}
        if found.stream_usage is not False:
            body["stream_options"] = {"include_usage": True}
        if found.chat:
            return await self._put(Endpoint.CHAT, body | {"messages": messages})
        return await self._put(Endpoint.COMPLETIONS, body | {"prompt": messages[-1]["content"]})

    async def _put(self, endpoint: Endpoint, body: Body) -> Heard:
        heard = await self._questioner.ask(endpoint, body)
        self._passing = self._passing or heard.failed
        self._found.reasoning_field = self._found.reasoning_field or heard.reasoning_field
        return heard

    async def _greet(self) -> Heard:
        """The first question, without the fields that the server names as refused; where it names
        none, without one suspect after the other."""
        found = self._found
        found.limit_field, found.sampling, found.stream_usage = LimitField.MAX_TOKENS, True, None
        suspects = ["stream_options", "temperature", "max_tokens"]
        while True:
            heard = await self._ask(COUNT)
            if heard.refusal is None:
                return heard
            blamed = heard.refusal.field if heard.refusal.field in {*suspects, "top_p"} else None
            if not suspects:
                return heard
            blamed = "temperature" if blamed == "top_p" else blamed or suspects[0]
            if blamed not in suspects:
                return heard
            suspects.remove(blamed)
            match blamed:
                case "stream_options":
                    found.stream_usage = False
                case "temperature":
                    found.sampling = False
                case _:
                    found.limit_field = LimitField.MAX_COMPLETION_TOKENS

    async def _ask_completions(self) -> None:
        """Text follows a raw prompt, which is not longer than it was sent: no template is laid around it."""
        body: Body = {"prompt": SHORT, "max_tokens": _FEW, "stream_options": {"include_usage": True}}
        heard = await self._put(Endpoint.COMPLETIONS, body)
        if heard.refusal is not None:
            del body["stream_options"]
            heard = await self._put(Endpoint.COMPLETIONS, body)
        if not heard.failed:
            templated = heard.usage is not None and heard.usage.prompt_tokens > SHORT_TOKENS
            self._found.completions = heard.ok and bool(heard.choices) and not templated

    async def _ask_prefill(self) -> None:
        """The rest of a broken word comes first: by itself, or else where it is asked for.

        The beginning has far more tokens than the answer may have, so where it comes again it is an
        echo, and not a new answer with the same words.
        """
        wish: Body = {"continue_final_message": True, "add_generation_prompt": False}
        by_itself, on_request = await asyncio.gather(self._continues({}), self._continues(wish))
        if by_itself is None or on_request is None:
            return
        continued, self._found.echo = by_itself if by_itself[0] else on_request
        if continued:
            self._found.prefill = Prefill.BY_ITSELF if by_itself[0] else Prefill.ON_REQUEST
        else:
            self._found.prefill = Prefill.NONE

    async def _continues(self, wish: Body) -> tuple[bool, bool] | None:
        """Whether a message is continued, and whether it is repeated first; None where that is unknown."""
        for question, beginning, rest in CUT_WORDS:
            said: list[Body] = [
                {"role": "user", "content": question},
                {"role": "assistant", "content": beginning},
            ]
            heard = await self._say(said, wish, limit=4)
            if heard.failed:
                return None
            echo = heard.text.startswith(beginning)
            if heard.text.removeprefix(beginning).startswith(rest):
                return True, echo
        return False, False

    async def _ask_tools(self) -> None:
        """A function that must be called is called, and offering it is not refused otherwise."""
        limit = _THOUGHT if self._first.reasoning else _CALL
        forced = await self._ask(USE_TOOL, tool_fields([TOOL], "required"), limit=limit)
        free = await self._ask(USE_TOOL, tool_fields([TOOL]), limit=_FEW if forced.ok else limit)
        if forced.failed or free.failed:
            return
        called = TOOL.name in [*forced.called, *free.called]
        if called or not free.ok or forced.finish not in _LENGTH or not forced.reasoning:
            self._found.tools = called and free.ok

    async def _ask_system(self) -> None:
        """It is not refused, and makes the prompt longer."""
        messages: list[Body] = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": COUNT},
        ]
        heard = await self._say(messages, None, limit=1)
        if not heard.failed:
            without, with_it = self._first.usage, heard.usage
            longer = with_it is None or without is None or with_it.prompt_tokens > without.prompt_tokens
            self._found.system = heard.ok and longer

    async def _ask_stop(self) -> None:
        """A count that went on to its limit ends before it."""
        heard = await self._ask(COUNT, {"stop": list(STOPS)})
        if heard.failed:
            return
        ended = heard.ok and heard.finish not in _LENGTH and not heard.cut
        if self._first.finish in _LENGTH or not ended:
            self._found.stop = ended
        self._found.stop_text = heard.stop in STOPS

    async def _ask_seed(self) -> None:
        """One seed gives one reply twice, and another seed gives another.

        Asked up to three times: a prompt that the server has in its cache may round otherwise, and then
        the first reply is an exception.
        """
        replies: list[Heard] = []
        for seed in (7, 20261, 20261, 20261):
            heard = await self._ask(STORY, {"seed": seed}, temperature=1.0)
            if heard.failed:
                return
            if replies and heard.said == replies[-1].said:
                self._found.seed = len(replies) > 1
                return
            replies.append(heard)
        self._found.seed = False

    async def _ask_tokens(self) -> None:
        endpoint = Endpoint.CHAT if self._found.chat else Endpoint.COMPLETIONS
        dialect: Dialect | None = Dialect()
        while dialect is not None:
            asked = {
                name: value
                for name, value in token_fields(endpoint, dialect).items()
                if name not in dialect.left_out
            }
            heard = await self._ask(COUNT, asked)
            if heard.refusal is None:
                break
            dialect = dialect.adapted(heard.refusal.field, asked)
        if not heard.failed:
            self._found.logprobs = heard.ok and heard.logprobs
            self._found.token_ids = heard.ok and heard.token_ids

    async def _ask_n(self) -> None:
        heard = await self._ask(STORY, {"n": 2}, temperature=1.0)
        if not heard.failed:
            self._found.n = heard.ok and {0, 1} <= heard.choices

    async def _ask_context(self) -> None:
        self._found.context_tokens = await context_of(self._connection, self._model)
