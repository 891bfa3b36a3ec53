"""The command line as a user meets it: real processes, a real kernel, a real HTTP server for the model."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tir_agent.store import load
from tir_agent.trajectory import FinishReason, StopReason, Trajectory, Verdict

from model_server import Act, ModelServer, chunk, drops, events, fails, never_stops, page, says, stalls

CODE = "I compute.\n```python\nprint(6 * 7)\n```\n"
ANSWER = "So it is \\boxed{42}."
PROBLEM = "What is 6 times 7?"


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    def trajectory(self) -> Trajectory:
        return Trajectory.model_validate_json(self.out)


@pytest.fixture
def home(tmp_path: Path, local_sandbox: object) -> Path:
    """A folder for what is saved; the sandbox's environment is there before."""
    return tmp_path


async def start(
    *arguments: str, home: Path, stdin: int = asyncio.subprocess.DEVNULL, **more: str
) -> asyncio.subprocess.Process:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "TIR_"))
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tir_agent",
        *arguments,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, "TIR_HOME": str(home), "TERM": "xterm", **more},
    )


async def tir(*arguments: str, home: Path, stdin: bytes | None = None, **more: str) -> Result:
    pipe = asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL
    process = await start(*arguments, home=home, stdin=pipe, **more)
    out, err = await asyncio.wait_for(process.communicate(stdin), 60)
    assert process.returncode is not None
    result = Result(process.returncode, out.decode(), err.decode())
    assert "Traceback (most recent call last)" not in result.err, result.err
    return result


def at(server: ModelServer) -> list[str]:
    return ["--model", "m", "--base-url", server.url, "--kernel", "local"]


def server_of(*acts: Act) -> ModelServer:
    """A server whose acts are for the run alone, and not for what is asked about it before."""
    return ModelServer(*acts, probed=says("1 2 3"))


async def test_a_problem_is_solved_shown_and_saved(home: Path) -> None:
    async with server_of(says(CODE), says(ANSWER)) as server:
        result = await tir("solve", PROBLEM, "--gold", "42", *at(server), home=home)
    assert result.status == 0, result.err
    assert result.out.startswith(f"{PROBLEM}\n\nI compute.\n  │ print(6 * 7)\n  └─ ")
    assert "\n  42\n" in result.out
    assert "Answer: 42\n✓ correct" in result.out
    assert "\x1b" not in result.out + result.err
    (saved,) = (home / "trajectories").iterdir()
    trajectory = load(saved)
    assert trajectory.answer == "42"
    assert trajectory.grade is not None
    assert trajectory.grade.verdict is Verdict.CORRECT
    assert "without any isolation" in trajectory.notes[0]
    shown = await tir("show", home=home)
    assert result.out.split("\n✓")[0] in shown.out
    assert shown.out == (await tir("show", str(saved), home=home)).out


async def test_a_terminal_gets_colour(home: Path) -> None:
    async with server_of(says(CODE), says(ANSWER)) as server:
        master, slave = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "tir_agent", "solve", PROBLEM, *at(server)],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TIR_HOME": str(home), "TERM": "xterm-256color"},
        )
        os.close(slave)
        drawn = await asyncio.to_thread(read_all, master)
        await process.wait()
        os.close(master)
    assert "\x1b[" in drawn
    assert "Answer" in drawn


def read_all(descriptor: int) -> str:
    data = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            return data.decode()
        if not piece:
            return data.decode()
        data += piece


async def test_what_a_run_cost_is_printed_and_saved(home: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[price]]\nmodels = ["m"]\ninput = 100\noutput = 1000\ncurrency = "USD"\n'
        'as_of = 2026-03-01\nsource = "a letter"\n'
    )
    async with server_of(says(ANSWER)) as server:
        free = await tir("solve", PROBLEM, *at(server), home=home)
        paid = await tir("solve", PROBLEM, "--prices", str(prices), *at(server), home=home)
        shown = await tir("show", home=home)
    assert "$" not in free.out
    assert "3 tokens, $0.0037, " in paid.out
    assert "3 tokens, $0.0037, " in shown.out


async def test_a_bad_price_file_is_told_before_anything_is_asked(home: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text("[[price]]\ninput = -1\n")
    async with server_of(says(ANSWER)) as server:
        result = await tir("solve", PROBLEM, "--prices", str(prices), *at(server), home=home)
    assert (result.status, server.requests) == (2, [])
    assert f"{prices}: price 1, " in result.err.replace("\n", "")


async def test_json_is_one_record_and_nothing_else(home: Path) -> None:
    async with server_of(says(CODE), says(ANSWER)) as server:
        result = await tir("solve", PROBLEM, "--json", "--seed", "5", *at(server), home=home)
    assert result.out.count("\n") == 1
    assert result.trajectory().answer == "42"
    assert result.trajectory().settings.sampling.seed == 5
    assert "api" not in json.dumps(json.loads(result.out)["settings"])


@pytest.mark.parametrize(
    "problem", ["求 $\\frac{84}{2}$ 的值。", "line one\nline two", "[bold]x[/bold] {y} %s"]
)
async def test_any_text_is_a_problem(home: Path, tmp_path: Path, problem: str) -> None:
    path = tmp_path / "problem.txt"
    path.write_text(problem, encoding="utf-8")
    async with server_of(says(ANSWER)) as server:
        by_file = await tir("solve", "--file", str(path), "--json", *at(server), home=home)
        by_stdin = await tir("solve", "--json", *at(server), home=home, stdin=problem.encode())
        drawn = await tir("solve", problem, *at(server), home=home)
    assert by_file.trajectory().problem.text == problem
    assert by_stdin.trajectory().problem == by_file.trajectory().problem
    assert drawn.out.startswith(problem)


async def test_out_names_the_file(home: Path, tmp_path: Path) -> None:
    async with server_of(says(ANSWER)) as server:
        result = await tir("solve", PROBLEM, "--out", str(tmp_path / "x" / "t.json"), *at(server), home=home)
    assert result.status == 0
    assert load(tmp_path / "x" / "t.json").answer == "42"
    assert not (home / "trajectories").exists()


async def test_a_full_disk_loses_nothing(home: Path) -> None:
    async with server_of(says(ANSWER)) as server:
        result = await tir("solve", PROBLEM, "--out", "/dev/full", *at(server), home=home)
        printed = await tir("solve", PROBLEM, "--json", "--out", "/dev/full", *at(server), home=home)
    assert result.status == 1
    assert "No space left" in result.err
    rescued = Path(result.err.rpartition("saved as ")[2].strip())
    assert load(rescued).answer == "42"
    assert printed.trajectory().answer == "42"
    for path in rescued.parent.glob("tir-*.json"):
        path.unlink()


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ([""], None, "The problem is empty"),
        ([], b"  \n", "The problem is empty"),
        ([], b"\x89PNG\r\n\x1a\n\x00", "not UTF-8"),
        (["--file", "/nowhere.txt"], None, "Cannot read /nowhere.txt: No such file"),
        ([PROBLEM, "--file", "/etc/hostname"], None, "not both"),
        ([PROBLEM, "--prompt", "nope"], None, "no prompt named 'nope'"),
        ([PROBLEM, "--api-key-env", "NOT_SET", "--model", "m"], None, "NOT_SET is not set"),
        ([PROBLEM, "--kernel", "moon"], None, "moon"),
        ([PROBLEM, "--temperature", "7"], None, "--temperature"),
        ([PROBLEM, "--model", "/nowhere.gguf", "--kernel", "local"], None, "nowhere.gguf"),
    ],
)
async def test_a_mistake_gets_a_sentence(
    home: Path, arguments: list[str], stdin: bytes | None, message: str
) -> None:
    result = await tir("solve", *arguments, home=home, stdin=stdin)
    assert result.status == 2, result
    assert message in result.err
    assert result.out == "" or "--model" in arguments


async def test_a_place_that_cannot_be_written_is_found_out_first(home: Path) -> None:
    async with server_of(says(ANSWER)) as server:
        result = await tir("solve", PROBLEM, "--out", "/proc/x/t.json", *at(server), home=home)
        assert server.requests == []
    assert result.status == 1
    assert "Cannot write" in result.err


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (fails(401, {"message": "bad key", "code": "invalid_api_key"}), "ModelRejected"),
        (fails(404, {"message": "no such model", "code": "model_not_found"}), "ModelRejected"),
        (page("<html>not an API</html>"), "Model"),
    ],
)
async def test_a_server_that_refuses_is_a_sentence_and_a_saved_run(
    home: Path, act: object, kind: str
) -> None:
    async with server_of(act) as server:  # type: ignore[arg-type]
        result = await tir("solve", PROBLEM, "--json", *at(server), "--max-seconds", "20", home=home)
    assert result.status == 1
    assert result.err.count("error: ") == 1
    trajectory = result.trajectory()
    assert trajectory.stop is StopReason.ERROR
    assert trajectory.failure is not None
    assert trajectory.failure.kind.startswith(kind)
    assert trajectory.messages[-1].content.endswith(PROBLEM)


async def test_a_server_that_is_down(home: Path) -> None:
    arguments = ["--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--kernel", "local"]
    result = await tir("solve", PROBLEM, "--json", *arguments, "--max-seconds", "5", home=home)
    assert result.status == 1
    assert "127.0.0.1:9" in result.err
    assert "hint: " in result.err
    assert result.trajectory().stop is StopReason.ERROR


async def test_a_stream_that_breaks_off_is_asked_for_again(home: Path) -> None:
    async with server_of(drops("So it"), says(ANSWER)) as server:
        result = await tir("solve", PROBLEM, *at(server), home=home)
    assert result.status == 0
    assert "broke off" in result.out
    assert result.out.count("Answer: 42") == 1


async def test_a_burst_of_errors_is_survived(home: Path) -> None:
    async with server_of(fails(503), fails(429), says(ANSWER)) as server:
        assert (await tir("solve", PROBLEM, *at(server), home=home)).status == 0


async def test_a_model_that_never_stops_is_stopped(home: Path) -> None:
    async with server_of(never_stops()) as server:
        result = await tir("solve", PROBLEM, "--json", *at(server), home=home)
    assert result.status == 3
    trajectory = result.trajectory()
    assert trajectory.stop is StopReason.REPETITION
    assert {turn.completion.finish_reason for turn in trajectory.turns} == {FinishReason.REPETITION}


async def test_a_problem_too_long_for_the_model(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("What is 1 + 1? " * 14_000)
    async with server_of(fails(400, {"message": "too long", "code": "context_length_exceeded"})) as server:
        arguments = ["--max-total-tokens", "1000000"]
        result = await tir("solve", "--file", str(path), "--json", *arguments, *at(server), home=home)
    assert (result.status, result.trajectory().stop) == (3, StopReason.CONTEXT_FULL)


async def test_a_problem_longer_than_the_budget(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("What is 1 + 1? " * 14_000)
    async with server_of(says(ANSWER)) as server:
        result = await tir("solve", "--file", str(path), "--json", *at(server), home=home)
    assert (result.status, result.trajectory().stop) == (3, StopReason.TOKEN_LIMIT)


async def wait_for(process: asyncio.subprocess.Process, text: str) -> None:
    assert process.stdout is not None
    seen = b""
    while text.encode() not in seen:
        piece = await asyncio.wait_for(process.stdout.read(4096), 30)
        assert piece, seen
        seen += piece


async def test_ctrl_c_ends_the_cell_first_and_the_run_goes_on(home: Path) -> None:
    loop = "```python\nimport time\nprint('on')\ntime.sleep(100)\n```\n"
    async with server_of(says(loop), says(ANSWER)) as server:
        process = await start("solve", PROBLEM, "--timeout", "60", *at(server), home=home)
        await wait_for(process, "time.sleep(100)")
        await asyncio.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, err
    assert "KeyboardInterrupt" in out.decode()
    assert "Answer: 42" in out.decode()


async def test_ctrl_c_without_a_cell_ends_the_run_and_saves_it(home: Path) -> None:
    async with server_of(says(CODE), stalls()) as server:
        process = await start("solve", PROBLEM, *at(server), home=home)
        await wait_for(process, "42\n")
        await asyncio.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    (saved,) = (home / "trajectories").iterdir()
    assert load(saved).stop is StopReason.INTERRUPTED
    assert load(saved).usage.cells == 1


async def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    async with server_of(says(CODE), says(ANSWER)) as server:
        await tir("solve", PROBLEM, *at(server), home=home)
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m tir_agent show | head -n 1",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TIR_HOME": str(home)},
    )
    out, err = await process.communicate()
    assert out.decode().strip() == PROBLEM
    assert err == b""


async def test_show_refuses_what_is_no_trajectory(home: Path) -> None:
    result = await tir("show", "/etc/hostname", home=home)
    assert (result.status, result.err) == (2, "error: /etc/hostname is not JSON\n")
    assert (await tir("show", home=home)).status == 2


async def test_the_model_cannot_draw_on_the_terminal(home: Path) -> None:
    rude = "\x1b[2J\x1b]0;title\x07boo\x9b1m\n```python\nprint('\\x1b[31mred')\n```\n"
    async with server_of(says(rude), says(ANSWER)) as server:
        result = await tir("solve", PROBLEM, *at(server), home=home)
    assert "\x1b" not in result.out
    assert "\x9b" not in result.out
    assert "\nboo" in result.out


async def test_doctor_names_what_is_wrong(home: Path) -> None:
    result = await tir(
        "doctor", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", home=home, DOCKER_HOST="unix:///none"
    )
    assert result.status == 1
    assert "✗ Docker engine: No Docker engine answers" in result.out
    assert "✗ server: " in result.out
    assert "Not ready" in result.out


async def test_doctor_says_what_the_server_can_do_and_asks_it_once(home: Path, tmp_path: Path) -> None:
    # Kernels are not what this is about, and looking at them takes seconds.
    async with ModelServer(says("1 2 3")) as server:
        first = await tir(
            "doctor", *at(server)[:4], home=home, DOCKER_HOST="unix:///none", PATH=str(tmp_path)
        )
        asked = len(server.requests)
        again = await tir(
            "doctor", *at(server)[:4], home=home, DOCKER_HOST="unix:///none", PATH=str(tmp_path)
        )
        assert len(server.requests) == asked + 1
        await tir(
            "doctor", *at(server)[:4], "--probe", home=home, DOCKER_HOST="unix:///none", PATH=str(tmp_path)
        )
        assert len(server.requests) > asked + 5
    for words in ("+ chat", "- raw completions", "- tool calls", "- seeds", "limit: max_tokens"):
        assert words in first.out
        assert words in again.out
    (kept,) = (home / "cache" / "capabilities").iterdir()
    assert kept.suffix == ".json"


async def test_tokens_are_recorded_on_request(home: Path) -> None:
    told = {"content": [{"token": ANSWER, "logprob": -0.5}]}
    token = chunk(ANSWER, "stop", token_ids=[7], logprobs=told)
    async with server_of(events(token)) as server:
        more = ["--tokens", "--top-k", "-1", "--min-p", "0"]
        asked = await tir("solve", PROBLEM, "--json", *at(server), *more, home=home)
        await tir("solve", PROBLEM, "--json", *at(server), home=home)
    completion = asked.trajectory().turns[0].completion
    assert (completion.token_ids, completion.logprobs) == ((7,), (-0.5,))
    assert asked.trajectory().settings.tokens
    assert asked.trajectory().settings.sampling.top_k == -1
    assert server.requests[0]["logprobs"] is True
    assert (server.requests[0]["top_k"], server.requests[0]["min_p"]) == (-1, 0)
    assert "logprobs" not in server.requests[1]


async def test_without_docker_and_bubblewrap_it_stops_with_a_sentence(home: Path, tmp_path: Path) -> None:
    async with server_of(says(ANSWER)) as server:
        arguments = ["--model", "m", "--base-url", server.url]
        result = await tir(
            "solve", PROBLEM, *arguments, home=home, DOCKER_HOST="unix:///none", PATH=str(tmp_path)
        )
        assert server.requests == []
    assert result.status == 1
    assert "neither a Docker engine nor bubblewrap" in result.err
    assert "apt install bubblewrap" in result.err


async def test_the_version() -> None:
    result = await tir("--version", home=Path("/tmp"))
    assert result.out.startswith("tir-agent 0.")
