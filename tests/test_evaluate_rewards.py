"""Rewards from functions, files and real HTTP servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tir_agent.errors import DataError, ModelRejected, ModelUnavailable, UsageError
from tir_agent.evaluate.reward_server import RewardForm, RewardPatience, ServerReward, form_of
from tir_agent.evaluate.rewards import Candidate, FunctionReward, RecordedReward, candidate, load_function
from tir_agent.messages import Message, Origin, Role, ToolCall

from evaluations import trajectory

ONE = Candidate("i", "What is 6 times 7?", (("user", "What is 6 times 7?"), ("assistant", "It is 42")), "42")
PATIENCE = RewardPatience(connect=2, reply=2, attempts=3, first_wait=0.01, longest_wait=0.02)
Act = tuple[int, object]


class Server:
    """Answers requests with these statuses and bodies, one after the other, and the last one for ever."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.url = ""

    def next(self) -> Act:
        return self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]


@contextmanager
def serving(*acts: Act) -> Iterator[Server]:
    server = Server(*acts)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append((self.path, dict(self.headers), body))
            status, reply = server.next()
            data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join(10)


async def asked(url: str, **more: Any) -> list[float | None]:
    reward = ServerReward(url, patience=PATIENCE, **more)
    try:
        return await reward.score([ONE])
    finally:
        await reward.close()


@pytest.mark.parametrize(
    ("path", "reply", "value"),
    [
        ("/pooling", {"data": [{"index": 0, "object": "pooling", "data": [0.25]}]}, 0.25),
        ("/pooling", {"data": [{"data": [[0.1], [0.2], [-3.5]]}]}, -3.5),
        ("/classify", {"data": [{"label": "LABEL_1", "probs": [0.2, 0.8], "num_classes": 2}]}, 0.8),
        ("/v1/classify", {"data": [{"label": "x", "probs": [0.6], "num_classes": 1}]}, 0.6),
        ("/score", {"data": [{"index": 0, "object": "score", "score": 0.7}]}, 0.7),
        ("/mine", {"reward": 3}, 3.0),
    ],
)
async def test_each_form_of_answer_is_read(path: str, reply: object, value: float) -> None:
    with serving((200, reply)) as server:
        assert await asked(server.url + path, model="rm") == [value]
        assert server.requests[0][0] == path


async def test_sglangs_reward_models_get_a_text_and_answer_with_an_embedding() -> None:
    with serving((200, [{"embedding": [1.5], "meta_info": {}}])) as server:
        assert await asked(server.url + "/classify", form=RewardForm.SGLANG) == [1.5]
        (_, _, body) = server.requests[0]
        assert body["text"].endswith("<|im_start|>assistant\nIt is 42<|im_end|>\n")


async def test_each_form_is_asked_as_its_server_wants() -> None:
    with serving((200, {"data": [{"score": 1.0}]})) as server:
        await asked(server.url + "/score", model="rm", key="secret")
        _, headers, body = server.requests[0]
        assert body == {"model": "rm", "text_1": "What is 6 times 7?", "text_2": "It is 42"}
        assert headers["Authorization"] == "Bearer secret"
    with serving((200, {"reward": 1.0})) as server:
        await asked(server.url)
        assert server.requests[0][2] == {
            "problem": "What is 6 times 7?",
            "messages": ONE.as_messages(),
            "answer": "42",
        }
    with serving((200, {"data": [{"data": [1.0]}]})) as server:
        await asked(server.url + "/pooling", model="rm")
        assert server.requests[0][2] == {"model": "rm", "messages": ONE.as_messages()}


@pytest.mark.parametrize("failure", [(500, {}), (503, {}), (429, {}), (200, b"not json")])
async def test_a_passing_failure_is_tried_again(failure: Act) -> None:
    with serving(failure, failure, (200, {"reward": 0.5})) as server:
        assert await asked(server.url) == [0.5]
        assert len(server.requests) == 3


async def test_a_lasting_failure_is_said_so() -> None:
    with serving((500, {})) as server:
        with pytest.raises(ModelUnavailable, match="answered with status 500"):
            await asked(server.url)
        assert len(server.requests) == 3
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await asked(server.url)


async def test_a_refusal_is_not_repeated() -> None:
    with serving((404, {"error": "no such model"})) as server:
        with pytest.raises(ModelRejected, match="no such model"):
            await asked(server.url)
        assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [{}, [], {"data": []}, {"data": [{"data": []}]}, 7, None])
async def test_another_form_of_answer_is_refused(reply: object) -> None:
    refused = pytest.raises(ModelRejected, match="another form than 'pooling'")
    with serving((200, reply)) as server, refused:
        await asked(server.url + "/pooling")


@pytest.mark.parametrize("value", [None, "0.5", True, float("nan"), float("inf"), [0.5]])
async def test_what_is_no_number_is_no_reward(value: object) -> None:
    with serving((200, {"reward": value})) as server, pytest.raises(DataError, match="no finite number"):
        await asked(server.url)


async def test_a_server_that_never_answers_is_given_up() -> None:
    patience = RewardPatience(connect=1, reply=0.2, attempts=2, first_wait=0.01, longest_wait=0.01)
    listening = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    try:
        # Nobody calls accept: the connection is made, and nothing is ever said.
        reward = ServerReward(f"http://127.0.0.1:{listening.server_port}", patience=patience)
        with pytest.raises(ModelUnavailable, match="ReadTimeout"):
            await reward.score([ONE])
        await reward.close()
    finally:
        listening.server_close()


async def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving((200, {"reward": 1})) as server:
        assert await asked(server.url) == [1.0]


async def test_many_are_asked_at_once_and_stay_in_order() -> None:
    with serving((200, {"reward": 1})) as server:
        reward = ServerReward(server.url, patience=PATIENCE, at_once=4)
        assert await reward.score([ONE] * 40) == [1.0] * 40
        assert len(server.requests) == 40
        await reward.close()
        await reward.close()


def test_the_form_is_told_from_the_address() -> None:
    assert form_of("http://h:1/pooling") is RewardForm.POOLING
    assert form_of("http://h:1/v1/score/") is RewardForm.SCORE
    assert form_of("http://h:1/") is form_of("http://h:1/rewards") is RewardForm.PLAIN
    for url in ("localhost:8000", "ftp://h/x", "http://"):
        with pytest.raises(UsageError, match="not an address"):
            ServerReward(url)


def length(problem: str, messages: list[dict[str, str]], answer: str | None) -> float:
    """Named in a test as `test_evaluate_rewards:length`."""
    return float(len(messages[-1]["content"]))


def crash(problem: str, messages: list[dict[str, str]], answer: str | None) -> float:
    raise KeyError("x")


async def test_a_function_scores() -> None:
    assert await load_function(f"{__name__}:length").score([ONE, ONE]) == [8.0, 8.0]

    async def later(problem: str, messages: list[dict[str, str]], answer: str | None) -> float:
        return 2.0

    assert await FunctionReward(later).score([ONE]) == [2.0]


async def test_a_function_that_raises_is_named() -> None:
    with pytest.raises(DataError, match="crash raised KeyError"):
        await load_function(f"{__name__}:crash").score([ONE])


@pytest.mark.parametrize("name", ["no.such:thing", "json:nothing", "json:decoder", ":x", "json:"])
def test_a_function_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"no reward function|is not a function"):
        load_function(name)


async def test_rewards_may_be_recorded(tmp_path: Path) -> None:
    path = tmp_path / "rewards.jsonl"
    path.write_text('{"id": "i", "reward": 0.5}\n\n{"id": "j", "reward": -1, "more": 1}\n')
    assert await RecordedReward.read(path).score([ONE]) == [0.5]
    assert await RecordedReward({}).score([ONE]) == [None]


@pytest.mark.parametrize("line", ["no json", "[]", '{"id": 1, "reward": 1}', '{"id": "i"}', "[" * 100_000])
def test_a_file_that_holds_no_rewards_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rewards.jsonl"
    path.write_text(line)
    with pytest.raises(DataError, match=r"rewards\.jsonl:1"):
        RecordedReward.read(path)
    with pytest.raises(DataError, match="Cannot read"):
        RecordedReward.read(tmp_path / "none.jsonl")


def test_a_candidate_is_the_conversation_without_the_gold_answer() -> None:
    one = candidate(trajectory("p", gold="secret"))
    assert one.messages == (("user", "What is p?"), ("assistant", "It is 7"))
    assert one.solution == "It is 7"
    assert "secret" not in repr(one)


def test_tool_messages_and_raw_texts_become_messages_that_reward_models_know() -> None:
    call = ToolCall(id="1", name="python", arguments='{"code": "1"}')
    messages = (
        Message.of(Role.USER, ("Q", Origin.PROBLEM)),
        Message.of(Role.ASSISTANT, ("I run", Origin.MODEL), tool_calls=(call,)),
        Message.of(Role.TOOL, ("1", Origin.INTERPRETER), call_id="1"),
    )
    one = candidate(trajectory().model_copy(update={"messages": messages}))
    assert one.messages == (("user", "Q"), ("assistant", 'I run\n{"code": "1"}'), ("user", "1"))
    raw = (Message.of(Role.RAW, ("Question: p\n", Origin.PROMPT), ("So 7", Origin.MODEL)),)
    one = candidate(trajectory("p").model_copy(update={"messages": raw}))
    assert one.messages == (("user", "What is p?"), ("assistant", "So 7"))
