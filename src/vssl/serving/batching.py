"""Micro-batching: what arrives while a batch is being decided on waits, and is decided on together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class BusyError(Exception):
    """More is waiting already than will be taken."""


@dataclass(frozen=True)
class Unread(Generic[Asked]):
    """What was sent and is not read yet.

    Attributes:
        read: What reads it, in any thread.
        size: Of what was sent, in bytes.
    """

    read: Callable[[], Asked]
    size: int


@dataclass(frozen=True)
class _Waiting(Generic[Asked, Answer]):
    asked: Asked
    size: int
    answer: asyncio.Future[Answer]


class Batcher(Generic[Asked, Answer]):
    """One thread works on batches; a batch is whatever waits when the thread is free, so nobody waits for company.

    What is sent is read first, in other threads, if there is room for it.

    Attributes:
        waiting: How many wait now, read or not.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Asked]], Sequence[Answer]],
        most: int = 64,
        room: int = 512,
        room_bytes: int = 2**28,
    ) -> None:
        """
        Args:
            work: One answer for each of a batch, in order; runs in a thread of its own.
            most: Largest batch.
            room: So many may wait; more are refused.
            room_bytes: So many bytes may wait; more are refused, unless nothing else waits.
        """
        self._work, self._most, self._room = work, most, room
        self._room_bytes, self._bytes, self._unread = room_bytes, 0, 0
        self._queue: asyncio.Queue[_Waiting[Asked, Answer]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decide")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return self._unread + self._queue.qsize()

    def start(self) -> None:
        """Begin to work, in the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Answer all that wait, then stop."""
        while self._unread:
            await asyncio.sleep(0.01)
        await self._queue.join()
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown()

    async def __call__(self, asked: Sequence[Unread[Asked]]) -> list[Answer]:
        """The answers, once they are there; all of `asked` are taken or none, before any of them is read.

        What was taken is read and decided on also if who asked has gone away: threads that read cannot be stopped, and
        what they read keeps its room.

        Raises:
            BusyError: There is no room for them.
        """
        size = sum(item.size for item in asked)
        if self.waiting + len(asked) > self._room or (self._bytes and self._bytes + size > self._room_bytes):
            raise BusyError(f"{self.waiting} samples are waiting already.")
        self._unread += len(asked)
        self._bytes += size
        return await asyncio.shield(self._answers(asked, size))

    async def _answers(self, asked: Sequence[Unread[Asked]], size: int) -> list[Answer]:
        # In threads: reading takes longer than deciding. All of them are awaited, also after a failure.
        found = await asyncio.gather(*(asyncio.to_thread(item.read) for item in asked), return_exceptions=True)
        self._unread -= len(asked)
        for failure in found:
            if isinstance(failure, BaseException):
                self._bytes -= size
                raise failure
        loop = asyncio.get_running_loop()
        read = cast("list[Asked]", found)
        waiting = [_Waiting(item, sent.size, loop.create_future()) for item, sent in zip(read, asked, strict=True)]
        for item in waiting:
            self._queue.put_nowait(item)
        return list(await asyncio.gather(*(item.answer for item in waiting)))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._most and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                answers = await loop.run_in_executor(self._thread, self._work, [item.asked for item in batch])
                for item, answer in zip(batch, answers, strict=True):
                    item.answer.set_result(answer)
            except Exception as error:
                for item in batch:
                    if not item.answer.done():
                        item.answer.set_exception(error)
            finally:
                for item in batch:
                    self._bytes -= item.size
                    self._queue.task_done()
