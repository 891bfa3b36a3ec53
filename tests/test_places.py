"""Places that runs wait for."""

from __future__ import annotations

import asyncio

from tir_agent.collect.gates import Places

DEADLINE = 10.0


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Visitors:
    """Those who want in, and stay until they are let out."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.entered: list[int] = []
        self.out = [asyncio.Event() for _ in range(10)]
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, count: int) -> None:
        for number in range(len(self.tasks), len(self.tasks) + count):
            self.tasks.append(asyncio.create_task(self._visit(number)))
        await settled()

    async def leave(self, number: int) -> None:
        self.out[number].set()
        await settled()

    async def _visit(self, number: int) -> None:
        async with self.places.take():
            self.entered.append(number)
            await asyncio.wait_for(self.out[number].wait(), DEADLINE)

    @property
    def counts(self) -> tuple[int, int]:
        return self.places.inside, self.places.waiting


async def test_first_come_first_served() -> None:
    visitors = Visitors(Places(2))
    await visitors.come(4)
    assert visitors.counts == (2, 2)
    await visitors.leave(1)
    assert visitors.entered == [0, 1, 2]
    for number in (0, 2, 3):
        await visitors.leave(number)
    assert visitors.entered == [0, 1, 2, 3]
    assert visitors.counts == (0, 0)


async def test_more_places_let_in_those_who_wait_and_fewer_turn_nobody_out() -> None:
    visitors = Visitors(Places(1))
    await visitors.come(5)
    visitors.places.resize(3)
    await settled()
    assert visitors.counts == (3, 2)
    visitors.places.resize(1)
    await visitors.leave(0)
    await visitors.leave(1)
    assert visitors.counts == (1, 2)
    await visitors.leave(2)
    assert visitors.entered == [0, 1, 2, 3]
    for task in visitors.tasks[3:]:
        task.cancel()
    await settled()
    assert visitors.counts == (0, 0)


async def test_one_that_is_cancelled_gives_its_place_up_in_the_queue_and_when_just_let_in() -> None:
    visitors = Visitors(Places(1))
    await visitors.come(3)
    visitors.tasks[1].cancel()
    await settled()
    assert visitors.counts == (1, 1)
    # In one step of the loop: the place is given to the next one, and that one is cancelled.
    visitors.out[0].set()
    while visitors.places.waiting:  # noqa: ASYNC110
        await asyncio.sleep(0)
    visitors.tasks[2].cancel()
    await settled()
    assert visitors.counts == (0, 0)
    assert 2 not in visitors.entered
