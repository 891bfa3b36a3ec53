"""The limiter against a real server that enforces limits, and by a clock that is wound by hand."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest

from tir_agent.errors import ModelUnavailable
from tir_agent.models.choice import open_model
from tir_agent.models.limiter import LimiterState, RateLimiter
from tir_agent.models.openai import OpenAIModel, Patience
from tir_agent.settings import RateLimits, Sampling
from tir_agent.trajectory import Completion, Message, Origin, Role

from model_server import Act, ModelServer, Reply, drops, fails, says, stalls

QUESTION = (Message.of(Role.USER, ("What is 2 + 2?", Origin.PROBLEM)),)
FAST = Patience(first_wait=0.001, longest_wait=0.01)
FAR = 1e9


class Room:
    """A server's act: at most `places` requests at a time, each for a while; the rest is refused."""

    def __init__(self, places: int, act: Act | None = None) -> None:
        self.places = places
        self.inside = 0
        self.most_inside = 0
        self.refused = 0
        self._act = act or says("fine")

    async def __call__(self, reply: Reply) -> None:
        if self.inside >= self.places:
            self.refused += 1
            await fails(429)(reply)
            return
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await asyncio.sleep(0.02)
            await self._act(reply)
        finally:
            self.inside -= 1


@dataclass(order=True)
class Ring:
    when: float
    number: int
    callback: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class HandClock:
    """Stands still until it is wound."""

    def __init__(self) -> None:
        self._now = 0.0
        self._rings: list[Ring] = []
        self._count = count()

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], object], /) -> Ring:
        ring = Ring(when, next(self._count), callback)
        heapq.heappush(self._rings, ring)
        return ring

    async def wind(self, seconds: float) -> None:
        end = self._now + seconds
        await settle()
        while self._rings and self._rings[0].when <= end:
            ring = heapq.heappop(self._rings)
            self._now = max(self._now, ring.when)
            if not ring.cancelled:
                ring.callback()
                await settle()
        self._now = end


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


class Crowd:
    """Requests that note when they got their turn, and stay until they are told to go."""

    def __init__(self, limiter: RateLimiter, clock: HandClock | None = None) -> None:
        self.limiter = limiter
        self.clock = clock
        self.came: list[str] = []
        self.times: list[float] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._leave: dict[str, asyncio.Event] = {}

    def enter(self, name: str, *, tokens: int = 0, deadline: float = FAR, used: int | None = None) -> None:
        async def visit() -> None:
            async with self.limiter.place(tokens=tokens, deadline=deadline) as place:
                self.came.append(name)
                self.times.append(self.clock.time() if self.clock else 0.0)
                if used is not None:
                    place.settle(used)
                await self._leave[name].wait()

        self._leave[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(visit())

    def leave(self, name: str) -> None:
        self._leave[name].set()

    async def go_home(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def ask_together(server: ModelServer, number: int, limiter: RateLimiter | None) -> list[Completion]:
    async with server:
        model = OpenAIModel("m", base_url=server.url, patience=FAST, limiter=limiter)
        try:
            asking = (model.complete(QUESTION, Sampling(), timeout=60) for _ in range(number))
            return await asyncio.gather(*asking)
        finally:
            await model.close()


# Against a server


async def test_sixty_four_at_once_all_succeed_and_few_are_refused() -> None:
    room = Room(8)
    limiter = RateLimiter()
    replies = await ask_together(ModelServer(room), 64, limiter)
    assert [reply.text for reply in replies] == ["fine"] * 64
    state = limiter.state
    assert (state.in_flight, state.waiting, state.refusals) == (0, 0, room.refused)
    assert state.cuts >= 1
    assert room.refused <= 20 + 10 * state.cuts
    assert 2 <= state.window <= 10
    assert sum(reply.queued > 0 for reply in replies) >= 40
    unlimited = Room(8)
    await ask_together(ModelServer(unlimited), 64, None)
    assert room.refused < unlimited.refused / 2


async def test_a_window_that_began_too_small_grows_to_what_the_server_takes() -> None:
    room = Room(40)
    limiter = RateLimiter()
    await ask_together(ModelServer(room), 200, limiter)
    assert room.most_inside > 30


async def test_the_window_stays_at_its_limit() -> None:
    room = Room(1000)
    await ask_together(ModelServer(room), 60, RateLimiter(RateLimits(concurrent=7)))
    assert (room.most_inside, room.refused) == (7, 0)


async def test_a_window_that_does_not_adapt() -> None:
    limiter = RateLimiter(RateLimits(concurrent=4, adaptive=False))
    await ask_together(ModelServer(fails(503), says("fine")), 3, limiter)
    assert (limiter.state.refusals, limiter.state.cuts, limiter.state.window) == (1, 0, 4)


async def test_one_servers_models_share_their_limiter() -> None:
    room = Room(1000)
    limiter = RateLimiter(RateLimits(concurrent=3))
    async with ModelServer(room) as server:
        models = [await open_model(name, base_url=server.url, limiter=limiter) for name in "abc"]
        asking = [model.complete(QUESTION, Sampling(), timeout=60) for model in models for _ in range(5)]
        await asyncio.gather(*asking)
        for model in models:
            await model.close()
    assert room.most_inside == 3


async def test_a_pause_that_the_server_asks_for_is_everybodys() -> None:
    limiter = RateLimiter(RateLimits(concurrent=1))
    server = ModelServer(fails(429, Retry_After_Ms="1000"), says("fine"))
    in_flight: list[int] = []

    async def watch() -> None:
        while not limiter.state.refusals:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        while limiter.state.pause:
            in_flight.append(limiter.state.in_flight)
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    replies = await ask_together(server, 3, limiter)
    await watching
    assert set(in_flight[1:]) == {0}
    assert sorted(reply.attempts for reply in replies) == [1, 1, 2]
    assert len(server.requests) == 4


async def test_a_request_gives_its_place_back_between_attempts() -> None:
    limiter = RateLimiter(RateLimits(concurrent=1))
    slow = Patience(first_wait=0.2)
    async with ModelServer(drops(), says("fine")) as server:
        model = OpenAIModel("m", base_url=server.url, patience=slow, limiter=limiter)
        order: list[int] = []

        async def ask(number: int) -> None:
            await model.complete(QUESTION, Sampling(), timeout=60)
            order.append(number)

        await asyncio.gather(ask(1), ask(2))
        await model.close()
    assert order == [2, 1]


async def test_who_waits_too_long_is_told_so() -> None:
    limiter = RateLimiter(RateLimits(concurrent=1))
    async with ModelServer(stalls()) as server:
        model = OpenAIModel("m", base_url=server.url, limiter=limiter)
        first = asyncio.create_task(model.complete(QUESTION, Sampling(), timeout=60))
        await server.asked.wait()
        with pytest.raises(ModelUnavailable, match=r"waited [\d.]+ seconds for its turn"):
            await model.complete(QUESTION, Sampling(), timeout=2.0)
        assert len(server.requests) == 1
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert limiter.state.in_flight == 0
        await model.close()


async def test_time_in_the_queue_is_not_the_servers() -> None:
    limiter = RateLimiter(RateLimits(concurrent=1))
    impatient = Patience(first_chunk=2.0, attempts=1)

    async def slow(reply: Reply) -> None:
        await asyncio.sleep(0.25)
        await says("fine")(reply)

    async with ModelServer(slow) as server:
        model = OpenAIModel("m", base_url=server.url, patience=impatient, limiter=limiter)
        asking = [model.complete(QUESTION, Sampling(), timeout=60) for _ in range(10)]
        replies = await asyncio.gather(*asking)
        await model.close()
    queued = sorted(reply.queued for reply in replies)
    assert queued[0] < queued[-1]
    assert queued[-1] > impatient.first_chunk
    assert all(reply.queued <= reply.duration for reply in replies)


async def test_the_servers_own_count_takes_the_place_of_the_estimate() -> None:
    # An estimate is the prompt and 1024 tokens of reply: 64 of these would be a matter of minutes.
    limiter = RateLimiter(RateLimits(tokens_per_minute=20_000))
    replies = await ask_together(ModelServer(says("fine")), 64, limiter)
    assert len(replies) == 64


# By a clock that is wound by hand


async def test_first_come_first_served() -> None:
    crowd = Crowd(RateLimiter(RateLimits(concurrent=2)))
    names = [str(number) for number in range(20)]
    for name in names:
        crowd.enter(name)
    for number, name in enumerate(names):
        await settle()
        assert crowd.came == names[: number + 2]
        crowd.leave(name)
    await settle()
    assert crowd.limiter.state.in_flight == 0


async def test_a_large_request_is_not_overtaken() -> None:
    clock = HandClock()
    crowd = Crowd(RateLimiter(RateLimits(tokens_per_minute=6000), clock=clock), clock)
    for name, tokens in [("first", 600), ("large", 500), ("small", 1)]:
        crowd.enter(name, tokens=tokens)
    await clock.wind(1)
    assert crowd.came == ["first"]
    await clock.wind(10)
    assert crowd.came == ["first", "large", "small"]
    await crowd.go_home()


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 15, 60, 601])
async def test_no_minute_has_more_requests_than_the_limit(limit: int) -> None:
    clock = HandClock()
    limiter = RateLimiter(
        RateLimits(requests_per_minute=limit, concurrent=10_000, adaptive=False), clock=clock
    )
    crowd = Crowd(limiter, clock)
    for number in range(3 * limit):
        crowd.enter(str(number))
    await clock.wind(170)
    times = crowd.times
    assert all(later - earlier >= 60 - 1e-3 for earlier, later in zip(times, times[limit:], strict=False))
    assert len(times) >= 2 * limit
    assert times.count(0.0) == max(1, limit // 10)
    await crowd.go_home()


async def test_limits_can_change_while_requests_wait_and_what_was_taken_stays_taken() -> None:
    clock = HandClock()
    half, whole = (RateLimits(requests_per_minute=n, concurrent=10_000, adaptive=False) for n in (20, 40))
    limiter = RateLimiter(half, clock=clock)
    crowd = Crowd(limiter, clock)
    for number in range(60):
        crowd.enter(str(number))
    await clock.wind(60)
    assert len(crowd.times) == 20
    limiter.change(whole)
    await clock.wind(60)
    assert 58 <= len(crowd.times) <= 60
    assert crowd.times.count(60.0) <= 1
    await crowd.go_home()


async def test_places_can_change_while_requests_are_under_way() -> None:
    limiter = RateLimiter(RateLimits(concurrent=1, adaptive=False))
    crowd = Crowd(limiter)
    for name in "abcde":
        crowd.enter(name)
    await settle()
    limiter.change(RateLimits(concurrent=3, adaptive=False))
    await settle()
    assert crowd.came == ["a", "b", "c"]
    limiter.change(RateLimits(concurrent=1, adaptive=False))
    crowd.leave("a")
    crowd.leave("b")
    await settle()
    assert limiter.state.in_flight == 1
    crowd.leave("c")
    await settle()
    assert crowd.came == ["a", "b", "c", "d"]
    await crowd.go_home()


async def test_tokens_that_were_not_used_are_given_back() -> None:
    clock = HandClock()
    crowd = Crowd(RateLimiter(RateLimits(tokens_per_minute=6000), clock=clock), clock)
    for number in range(10):
        crowd.enter(str(number), tokens=600, used=60)
    await clock.wind(0)
    assert len(crowd.came) == 1
    await clock.wind(6 * 10)
    assert len(crowd.came) == 10
    await crowd.go_home()


async def test_a_request_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_for_later() -> None:
    clock = HandClock()
    crowd = Crowd(RateLimiter(RateLimits(tokens_per_minute=6000), clock=clock), clock)
    for name, tokens in [("small", 300), ("huge", 5400), ("last", 600)]:
        crowd.enter(name, tokens=tokens)
    await clock.wind(600)
    assert crowd.came == ["small", "huge", "last"]
    small, huge, last = crowd.times
    assert small == 0
    assert huge == pytest.approx(300 / 5401 * 60)
    assert last - huge == pytest.approx(5400 / 5401 * 60)
    await crowd.go_home()


async def test_a_deadline_ends_the_wait_and_leaves_no_trace() -> None:
    clock = HandClock()
    crowd = Crowd(RateLimiter(RateLimits(concurrent=1), clock=clock), clock)
    crowd.enter("first")
    crowd.enter("late", deadline=12)
    crowd.enter("next")
    await clock.wind(11)
    assert not crowd.tasks["late"].done()
    await clock.wind(2)
    with pytest.raises(ModelUnavailable, match="waited 12 seconds for its turn"):
        await crowd.tasks["late"]
    crowd.leave("first")
    await settle()
    assert crowd.came == ["first", "next"]
    assert crowd.limiter.state == LimiterState(
        in_flight=1, waiting=0, window=1, cuts=0, refusals=0, waited=12 + 13, pause=0
    )
    await crowd.go_home()


async def test_who_is_cancelled_while_it_waits_lets_the_others_pass() -> None:
    crowd = Crowd(RateLimiter(RateLimits(concurrent=1)))
    for name in ("first", "cancelled", "next"):
        crowd.enter(name)
    await settle()
    crowd.tasks["cancelled"].cancel()
    crowd.leave("first")
    await settle()
    assert crowd.came == ["first", "next"]
    await crowd.go_home()


async def test_who_is_cancelled_in_the_moment_of_its_turn_gives_everything_back() -> None:
    clock = HandClock()
    limits = RateLimits(concurrent=1, tokens_per_minute=6000, requests_per_minute=10)
    crowd = Crowd(RateLimiter(limits, clock=clock), clock)
    async with crowd.limiter.place(deadline=FAR):
        crowd.enter("cancelled", tokens=600)
        await clock.wind(60)
    assert (crowd.limiter.state.in_flight, crowd.came) == (1, [])
    crowd.tasks["cancelled"].cancel()
    await settle()
    assert crowd.came == []
    assert crowd.limiter.state.in_flight == 0
    crowd.enter("next", tokens=600)
    await clock.wind(0)
    assert crowd.came == ["next"]
    await crowd.go_home()


async def test_one_round_trip_cuts_once() -> None:
    limiter = RateLimiter(RateLimits(concurrent=16))
    async with asyncio.TaskGroup() as group:
        inside = asyncio.Barrier(16)

        async def refused() -> None:
            async with limiter.place(deadline=FAR) as place:
                await inside.wait()
                place.busy()

        for _ in range(16):
            group.create_task(refused())
    assert (limiter.state.cuts, limiter.state.window, limiter.state.refusals) == (1, 8, 16)
    async with limiter.place(deadline=FAR) as place:
        place.busy()
    assert (limiter.state.cuts, limiter.state.window) == (2, 4)


async def test_after_a_cut_a_full_window_of_successes_adds_one() -> None:
    limiter = RateLimiter(RateLimits(concurrent=8))

    async def fill(number: int) -> None:
        inside = asyncio.Barrier(number)

        async def succeed() -> None:
            async with limiter.place(deadline=FAR):
                await inside.wait()

        await asyncio.gather(*(succeed() for _ in range(number)))

    for window in (4, 2):
        async with limiter.place(deadline=FAR) as place:
            place.busy()
        assert limiter.state.window == window
    windows = []
    for _ in range(8):
        await fill(limiter.state.window)
        windows.append(limiter.state.window)
    assert windows[0] == 2
    assert windows[-1] > 2
    for _ in range(50):
        async with limiter.place(deadline=FAR):
            pass
    assert limiter.state.window == windows[-1]


async def test_a_pause_holds_up_those_who_come_later_too() -> None:
    clock = HandClock()
    crowd = Crowd(RateLimiter(RateLimits(adaptive=False), clock=clock), clock)
    async with crowd.limiter.place(deadline=FAR) as place:
        place.busy(30)
    crowd.enter("early")
    await clock.wind(29)
    crowd.enter("late")
    assert (crowd.came, crowd.limiter.state.pause) == ([], 1)
    await clock.wind(2)
    assert (crowd.came, crowd.times) == (["early", "late"], [30, 30])
    await crowd.go_home()


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_no_place_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    clock = HandClock()
    limits = RateLimits(
        requests_per_minute=chance.choice([None, 600]),
        tokens_per_minute=chance.choice([None, 60_000]),
        concurrent=chance.randint(1, 6),
        adaptive=chance.random() < 0.7,
    )
    limiter = RateLimiter(limits, clock=clock)
    most = 0

    async def request() -> None:
        nonlocal most
        deadline = clock.time() + chance.choice([0, 1, 5, FAR])
        async with limiter.place(tokens=chance.randint(0, 9000), deadline=deadline) as place:
            most = max(most, limiter.state.in_flight)
            for _ in range(chance.randint(0, 5)):
                await asyncio.sleep(0)
            place.settle(chance.randint(0, 9000))
            match chance.randint(0, 3):
                case 0:
                    raise ValueError
                case 1:
                    place.busy(chance.choice([None, 0.5]))
                case 2:
                    place.busy()
                    raise ValueError

    tasks: list[asyncio.Task[None]] = []
    for _ in range(300):
        match chance.randint(0, 3):
            case 0 | 1:
                tasks.append(asyncio.create_task(request()))
            case 2 if tasks:
                chance.choice(tasks).cancel()
            case _:
                await clock.wind(chance.choice([0, 0.1, 3]))
    await clock.wind(100_000)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {
        type(None),
        ValueError,
        ModelUnavailable,
        asyncio.CancelledError,
    }
    assert 1 <= most <= limits.concurrent
    assert (limiter.state.in_flight, limiter.state.waiting) == (0, 0)
    assert 1 <= limiter.state.window <= limits.concurrent
    passed = Crowd(limiter, clock)
    passed.enter("new", tokens=100_000)
    await clock.wind(0)
    assert passed.came == ["new"]
    await passed.go_home()
