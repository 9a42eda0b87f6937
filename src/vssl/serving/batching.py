"""Micro-batching: samples that arrive while a batch is being decided on wait, and form the next batch."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")


class BusyError(Exception):
    """As many samples are waiting already as may wait."""


@dataclass(frozen=True)
class PendingSample(Generic[Item]):
    """A sample that was sent and is not decoded yet.

    Attributes:
        read: Decodes it; may run in any thread.
        size: Size of what was sent, in bytes.
    """

    read: Callable[[], Item]
    size: int


@dataclass(frozen=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    size: int
    result: asyncio.Future[Result]


class Batcher(Generic[Item, Result]):
    """One thread works on batches of whatever waits when it is free: batches form without added latency.

    Samples are decoded first, in other threads, if there is room for them.

    Attributes:
        waiting: How many samples wait now, decoded or not.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        max_batch: int = 64,
        max_waiting: int = 512,
        max_bytes: int = 2**28,
    ) -> None:
        """
        Args:
            work: Gives one result per item of a batch, in order; runs in a thread of its own.
            max_batch: Largest batch.
            max_waiting: Most samples that may wait; more are refused.
            max_bytes: Most bytes that may wait; more are refused, unless nothing else waits.
        """
        self._work, self._max_batch, self._max_waiting, self._max_bytes = work, max_batch, max_waiting, max_bytes
        self._bytes = self._unread = 0
        self._queue: asyncio.Queue[_Waiting[Item, Result]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decide")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return self._unread + self._queue.qsize()

    def start(self) -> None:
        """Begin to work, in the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish all samples that wait, then stop."""
        while self._unread:
            await asyncio.sleep(0.01)
        await self._queue.join()
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown()

    async def __call__(self, samples: Sequence[PendingSample[Item]]) -> list[Result]:
        """The results, once they are there; all samples are taken or none, before any of them is decoded.

        Samples that were taken are finished even if the client has gone away: threads that decode cannot be stopped,
        and until they end their bytes count.

        Raises:
            BusyError: There is no room for the samples.
        """
        size = sum(sample.size for sample in samples)
        full = self._bytes and self._bytes + size > self._max_bytes
        if full or self.waiting + len(samples) > self._max_waiting:
            raise BusyError(f"{self.waiting} samples are waiting already.")
        self._unread += len(samples)
        self._bytes += size
        return await asyncio.shield(self._results(samples, size))

    async def _results(self, samples: Sequence[PendingSample[Item]], size: int) -> list[Result]:
        # In threads: decoding takes longer than deciding. All of them are awaited, also after a failure.
        decoded = await asyncio.gather(*(asyncio.to_thread(one.read) for one in samples), return_exceptions=True)
        self._unread -= len(samples)
        for failure in decoded:
            if isinstance(failure, BaseException):
                self._bytes -= size
                raise failure
        loop = asyncio.get_running_loop()
        pairs = zip(cast("list[Item]", decoded), samples, strict=True)
        waiting = [_Waiting(item, sample.size, loop.create_future()) for item, sample in pairs]
        for one in waiting:
            self._queue.put_nowait(one)
        return list(await asyncio.gather(*(one.result for one in waiting)))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._max_batch and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                results = await loop.run_in_executor(self._thread, self._work, [one.item for one in batch])
                for one, result in zip(batch, results, strict=True):
                    one.result.set_result(result)
            except Exception as error:
                for one in batch:
                    if not one.result.done():
                        one.result.set_exception(error)
            finally:
                for one in batch:
                    self._bytes -= one.size
                    self._queue.task_done()
