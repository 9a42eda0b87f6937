"""Ctrl-C that lets the step in progress end, so that the run stays usable and can be resumed exactly."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Request:
    """Becomes true when somebody asked to stop."""

    def __init__(self) -> None:
        self._made = False

    def __bool__(self) -> bool:
        return self._made

    def make(self, number: int, frame: FrameType | None) -> None:
        if self._made:
            raise KeyboardInterrupt
        self._made = True


@contextmanager
def requests() -> Iterator[Request]:
    """Watch for SIGINT and SIGTERM; a second one stops at once. Outside the main thread nothing is watched."""
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.make) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
