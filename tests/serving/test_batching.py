"""Micro-batching: what waits is decided on together, in order; no more than there is room for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from vssl.serving.batching import Batcher, BusyError, PendingSample


class Work:
    """Doubles numbers; the first batch waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()

    def __call__(self, asked: Sequence[int]) -> list[int]:
        self.batches.append(list(asked))
        assert self.go.wait(10)
        if 13 in asked:
            raise ValueError("thirteen")
        return [2 * number for number in asked]


async def started(work: Work, **settings: int) -> Batcher[int, int]:
    batcher: Batcher[int, int] = Batcher(work, **settings)
    batcher.start()
    return batcher


def sent(*numbers: int, size: int = 0) -> list[PendingSample[int]]:
    return [PendingSample(lambda number=number: number, size) for number in numbers]


async def begun(work: Work) -> None:
    while not work.batches:
        await asyncio.sleep(0.001)


def test_what_waits_is_decided_on_together_and_answered_in_order():
    async def scene() -> tuple[list[list[int]], list[list[int]]]:
        work = Work()
        batcher = await started(work, max_batch=4)
        first = asyncio.create_task(batcher(sent(1)))
        await begun(work)
        others = []
        for number in (2, 4, 6):
            others.append(asyncio.create_task(batcher(sent(number, number + 1))))
            while batcher._queue.qsize() < number:
                await asyncio.sleep(0.001)
        work.go.set()
        answers = await asyncio.gather(first, *others)
        await batcher.stop()
        return answers, work.batches

    answers, batches = asyncio.run(scene())
    assert answers == [[2], [4, 6], [8, 10], [12, 14]]
    assert batches == [[1], [2, 3, 4, 5], [6, 7]]


def test_what_finds_no_room_is_refused_as_a_whole():
    async def scene() -> int:
        work = Work()
        batcher = await started(work, max_waiting=3)
        first = asyncio.create_task(batcher(sent(1)))
        await begun(work)
        waiting = asyncio.create_task(batcher(sent(2, 3)))
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="2 samples are waiting"):
            await batcher(sent(4, 5))
        left = batcher.waiting
        work.go.set()
        assert await first == [2]
        assert await waiting == [4, 6]
        await batcher.stop()
        return left

    assert asyncio.run(scene()) == 2


def test_a_failure_reaches_those_of_its_batch_and_the_next_batch_works():
    async def scene() -> None:
        work = Work()
        work.go.set()
        batcher = await started(work)
        with pytest.raises(ValueError, match="thirteen"):
            await batcher(sent(13))
        assert await batcher(sent(1)) == [2]
        await batcher.stop()

    asyncio.run(scene())


def test_stopping_answers_all_that_wait():
    async def scene() -> list[list[int]]:
        work = Work()
        batcher = await started(work, max_batch=1)
        asked = [asyncio.create_task(batcher(sent(number))) for number in range(5)]
        await begun(work)
        stopping = asyncio.create_task(batcher.stop())
        work.go.set()
        await stopping
        return await asyncio.gather(*asked)

    assert asyncio.run(scene()) == [[0], [2], [4], [6], [8]]


def test_who_has_gone_away_does_not_hold_up_the_others():
    async def scene() -> list[int]:
        work = Work()
        batcher = await started(work)
        gone = asyncio.create_task(batcher(sent(1)))
        await begun(work)
        gone.cancel()
        stays = asyncio.create_task(batcher(sent(2)))
        await asyncio.sleep(0)
        work.go.set()
        found = await stays
        await batcher.stop()
        return found

    assert asyncio.run(scene()) == [4]


def test_what_finds_no_room_is_not_even_read():
    async def scene() -> list[int]:
        work, slow, read = Work(), threading.Event(), []
        work.go.set()
        batcher = await started(work, max_waiting=2, max_bytes=10)
        reading = asyncio.create_task(batcher([PendingSample(lambda: (slow.wait(10), 1)[1], 8)]))
        await asyncio.sleep(0)
        for size, count in ((1, 2), (8, 1)):
            with pytest.raises(BusyError, match="1 samples are waiting"):
                await batcher([PendingSample(lambda: read.append(1) or 1, size)] * count)
        slow.set()
        assert await reading == [2]
        assert await batcher(sent(2, 3, size=8)) == [4, 6]
        await batcher.stop()
        return read

    assert asyncio.run(scene()) == []


def test_a_failure_leaves_no_room_until_the_others_of_its_request_are_read():
    def fail() -> int:
        raise ValueError("no number")

    async def scene() -> None:
        work, slow = Work(), threading.Event()
        work.go.set()
        batcher = await started(work, max_waiting=2, max_bytes=10)
        reading = asyncio.create_task(
            batcher([PendingSample(fail, 5), PendingSample(lambda: (slow.wait(10), 1)[1], 5)])
        )
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError, match="2 samples are waiting"):
            await batcher(sent(1))
        slow.set()
        with pytest.raises(ValueError, match="no number"):
            await reading
        assert await batcher(sent(4, 5, size=5)) == [8, 10]
        await batcher.stop()

    asyncio.run(scene())


def test_what_is_given_up_keeps_its_room_until_it_is_read_and_stopping_waits_for_it():
    async def scene() -> tuple[bool, bool]:
        work, slow = Work(), threading.Event()
        work.go.set()
        batcher = await started(work, max_waiting=1, max_bytes=10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher([PendingSample(lambda: (slow.wait(10), 1)[1], 10)]), 0.01)
        with pytest.raises(BusyError, match="1 samples are waiting"):
            await batcher(sent(4))
        stopping = asyncio.create_task(batcher.stop())
        await asyncio.sleep(0.05)
        too_early = stopping.done()
        slow.set()
        await stopping
        assert (batcher.waiting, batcher._bytes) == (0, 0)
        return too_early, work.batches == [[1]]

    assert asyncio.run(scene()) == (False, True)
