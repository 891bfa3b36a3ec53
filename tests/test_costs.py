"""What runs cost: literal tables in, literal sums out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tir_agent.agent import Agent
from tir_agent.console import money, summary
from tir_agent.costs import Price, PriceTable, RunTotal, cost, total
from tir_agent.errors import PriceError
from tir_agent.kernel.base import Sandbox
from tir_agent.models.openai import OpenAIModel
from tir_agent.models.scripted import ScriptedModel
from tir_agent.problems import problem_from_text
from tir_agent.prompts import load_prompt
from tir_agent.settings import RunSettings, Sampling
from tir_agent.trajectory import Completion, Cost, FinishReason, Message, Origin, Role, Trajectory, Usage

from model_server import ModelServer, chunk, counts, events

HOSTED = "https://api.openai.com/v1"
DAY = date(2026, 3, 1)


def entry(models: str, *, price: float = 1.0, more: str = "") -> str:
    return f"""
[[price]]
models = {models}
input = {price}
output = 4
currency = "EUR"
as_of = 2026-03-01
source = "a letter"
{more}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own.toml"


def input_price(table: PriceTable, model: str, base_url: str | None = HOSTED) -> float | None:
    price = table.price_of(model, base_url)
    return float(price.input) if price else None


def reply(
    prompt: int, written: int, *, cached: int = 0, thought: int = 0, estimated: bool = False
) -> Completion:
    return Completion(
        text="\\boxed{42}",
        finish_reason=FinishReason.STOP,
        prompt_tokens=prompt,
        completion_tokens=written,
        cached_tokens=cached,
        reasoning_tokens=thought,
        estimated=estimated,
        duration=0,
    )


def usd(amount: float, *, as_of: date = DAY, estimated: bool = False, currency: str = "USD") -> Cost:
    return Cost(amount=amount, currency=currency, as_of=as_of, estimated=estimated)


# The table


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4.1", 2.0),
        ("gpt-4.1-2025-04-14", 2.0),
        ("gpt-4.1-mini-2025-04-14", 0.4),
        ("gpt-4.1-nano", 0.1),
        ("gpt-4o", 2.5),
        ("gpt-4o-mini", 0.15),
        ("o3", 2.0),
        ("o4-mini", 1.1),
        ("gpt-5", 1.25),
        ("gpt-5-mini", 0.25),
        ("deepseek-flash", 0.3),
        ("gpt-4.1-turbo-of-tomorrow", None),
        ("gpt-4o-audio-preview", None),
        ("openai/gpt-4.1", None),
        ("Qwen/Qwen2.5-Math-7B-Instruct", None),
    ],
)
def test_the_shipped_prices(model: str, price: float | None) -> None:
    assert input_price(PriceTable.load(), model) == price


def test_every_shipped_price_makes_sense() -> None:
    for name, price in PriceTable.load().shipped.items():
        assert price.cached_input is not None, name
        assert 0 < price.cached_input < price.input < price.output, name
        assert price.as_of <= date.today()
        assert price.source.startswith("https://")


@pytest.mark.parametrize(
    "base_url",
    [
        None,
        "http://localhost:8000/v1",
        "http://127.0.0.1:8000/v1",
        "http://127.8.0.1/v1",
        "http://0.0.0.0:8000/v1",
        "http://[::1]:8000/v1",
        "http://vllm.localhost/v1",
    ],
)
def test_a_model_of_this_machine_has_no_price_whatever_it_is_called(base_url: str | None) -> None:
    assert PriceTable.load().price_of("gpt-4.1", base_url) is None


def test_ones_own_prices_go_before_the_shipped_ones(own: Path) -> None:
    own.write_text(entry('["gpt-4*"]', price=7))
    table = PriceTable.load(own)
    assert input_price(table, "gpt-4.1") == 7
    assert input_price(table, "gpt-5") == 1.25


def test_the_longest_pattern_wins_and_a_plain_name_before_any(own: Path) -> None:
    own.write_text(
        entry('["*"]', price=1)
        + entry('["math-*"]', price=2)
        + entry('["math-??????????"]', price=3)
        + entry('["math-large-*", "[odd]"]', price=4)
        + entry('["math-large-1*"]', price=6)
        + entry('["math-large-1"]', price=5)
    )
    table = PriceTable.load(own)
    names = ["gpt-4.1", "math-small", "math-large-9", "math-large-1", "[odd]"]
    assert [input_price(table, name) for name in names] == [1, 2, 4, 5, 4]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("price = [", "end of document"),
        ("\n  price = what", "line 2, column 11"),
        ('[[price]]\nmodels = "x"\n', "price 1, models: "),
        (entry('["x"]') + entry('["y"]', price=-1), "price 2, input: .*greater than or equal to 0"),
        (entry('["x"]', price=float("nan")), "price 1, input: .*finite"),
        (entry('["x", 5]'), "price 1, models 2: .*string"),
        (entry('["x"]', more='cached_input = "cheap"'), "price 1, cached_input: .*decimal"),
        (entry('["x"]', more="per_token = 1"), "price 1, per_token: Extra inputs"),
        (entry('["x"]').replace("EUR", "euros"), "price 1, currency: "),
        (entry('["x"]').replace("2026-03-01", '"spring"'), "price 1, as_of: "),
        (entry('["x"]').replace("output = 4\n", ""), "price 1, output: Field required"),
        (entry("[]"), "price 1, models: "),
        (entry('["x"]') * 2, "two prices for 'x'"),
        ("prices = 1", "prices: Extra inputs"),
    ],
)
def test_a_malformed_file_is_named_with_the_place(own: Path, text: str, complaint: str) -> None:
    own.write_text(text)
    with pytest.raises(PriceError, match=complaint) as caught:
        PriceTable.load(own)
    assert str(own) in caught.value.message
    assert "\n" not in caught.value.message
    assert "docs/costs.md" in (caught.value.hint or "")


def test_a_file_that_cannot_be_read(tmp_path: Path, own: Path) -> None:
    with pytest.raises(PriceError, match="No such file"):
        PriceTable.load(own)
    with pytest.raises(PriceError, match="Is a directory"):
        PriceTable.load(tmp_path)
    own.write_bytes(b"# \xff")
    with pytest.raises(PriceError, match=r"not UTF-8 text \(byte 2\)"):
        PriceTable.load(own)


# The sums

DOLLARS = Price.model_validate(
    {
        "models": ("m",),
        "input": "2",
        "cached_input": "0.5",
        "output": "8",
        "currency": "USD",
        "as_of": DAY,
        "source": "a letter",
    }
)


@pytest.mark.parametrize(
    ("replies", "amount"),
    [
        ([], 0),
        ([reply(1_000_000, 0)], 2.0),
        ([reply(0, 1_000_000)], 8.0),
        ([reply(1_000_000, 0, cached=1_000_000)], 0.5),
        ([reply(1_000_000, 0, cached=400_000)], 1.4),
        ([reply(10, 1_000_000, thought=900_000)], 8.00002),
        ([reply(100, 10), reply(200, 20, cached=100)], 0.00069),
        ([reply(1, 0)] * 3, 0.000006),
        ([reply(100, 0, cached=500)], 0.00005),
    ],
)
def test_what_replies_cost(replies: list[Completion], amount: float) -> None:
    assert cost(DOLLARS, replies) == usd(amount)


def test_without_a_price_for_cached_tokens_they_cost_as_much_as_others() -> None:
    price = DOLLARS.model_copy(update={"cached_input": None})
    assert cost(price, [reply(1_000_000, 0, cached=1_000_000)]) == usd(2.0)


def test_a_cost_from_estimated_counts_says_so() -> None:
    assert cost(DOLLARS, [reply(1, 1), reply(1, 1, estimated=True)]).estimated
    assert not cost(DOLLARS, [reply(1, 1)]).estimated


def test_runs_add_up_and_currencies_stay_apart() -> None:
    usages = [
        Usage(turns=2, cells=1, prompt_tokens=10, completion_tokens=5, cached_tokens=4, cost=usd(0.1)),
        Usage(turns=1, prompt_tokens=20, reasoning_tokens=3, cost=usd(0.2, as_of=date(2025, 1, 1))),
        Usage(turns=1, cost=usd(7, currency="CNY", estimated=True)),
        Usage(turns=3, completion_tokens=9),
    ]
    assert total(usages) == RunTotal(
        runs=4,
        turns=7,
        cells=1,
        prompt_tokens=30,
        cached_tokens=4,
        completion_tokens=14,
        reasoning_tokens=3,
        costs=(usd(7, currency="CNY", estimated=True), usd(0.1 + 0.2, as_of=date(2025, 1, 1))),
        unpriced=1,
    )
    assert total([]) == RunTotal()


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (usd(0), "$0.00"),
        (usd(0.0000012), "$0.0000012"),
        (usd(0.00314), "$0.0031"),
        (usd(0.5), "$0.50"),
        (usd(0.999), "$1.00"),
        (usd(1234.567), "$1234.57"),
        (usd(2, currency="EUR"), "€2.00"),
        (usd(0.25, currency="CNY"), "0.25 CNY"),
        (usd(0.25, estimated=True), "about $0.25"),
    ],
)
def test_money_for_people(amount: Cost, words: str) -> None:
    assert money(amount) == words


# From the server to the record


@pytest.mark.parametrize(
    ("details", "cached", "thought"),
    [
        ({}, 0, 0),
        ({"prompt_tokens_details": None, "completion_tokens_details": None}, 0, 0),
        ({"prompt_tokens_details": {"cached_tokens": None, "audio_tokens": 0}}, 0, 0),
        ({"prompt_tokens_details": {"cached_tokens": 64}}, 64, 0),
        ({"prompt_tokens_details": {"cached_tokens": 1000}}, 100, 0),
        ({"completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": 0}}, 0, 7),
    ],
)
async def test_cached_and_thought_tokens_are_read(
    details: dict[str, object], cached: int, thought: int
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 9, **details}
    question = (Message.of(Role.USER, ("What is 2 + 2?", Origin.PROBLEM)),)
    async with ModelServer(events(chunk("4", "stop"), counts(usage))) as server:
        model = OpenAIModel("m", base_url=server.url)
        completion = await model.complete(question, Sampling(), timeout=20)
        await model.close()
    assert (completion.cached_tokens, completion.reasoning_tokens) == (cached, thought)
    assert not completion.estimated


async def solve(sandbox: Sandbox, price: Price | None) -> Trajectory:
    replies = [
        reply(100, 10).model_copy(update={"text": "```python\n6 * 7\n```"}),
        reply(200, 20, cached=100, thought=5),
    ]
    agent = Agent(
        ScriptedModel(replies), sandbox, load_prompt("tir"), RunSettings(model="scripted"), price=price
    )
    return await agent.solve(problem_from_text("What is 6 times 7?"))


async def test_a_run_records_what_it_cost(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, DOLLARS)
    usage = trajectory.usage
    assert (usage.prompt_tokens, usage.cached_tokens) == (300, 100)
    assert (usage.completion_tokens, usage.reasoning_tokens) == (30, 5)
    assert usage.cost == usd(0.00069)
    assert ", 30 tokens, $0.00069, " in summary(trajectory)
    assert Trajectory.model_validate_json(trajectory.model_dump_json()) == trajectory


async def test_a_run_without_a_price_records_tokens_only(local_sandbox: Sandbox) -> None:
    trajectory = await solve(local_sandbox, None)
    assert trajectory.usage.cost is None
    assert trajectory.usage.cached_tokens == 100
    assert "$" not in summary(trajectory)
