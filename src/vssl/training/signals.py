"""Ctrl-C and SIGTERM end the current step first, so that the run stays usable and resumes exactly."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopFlag:
    """True once a signal has asked the training to stop."""

    def __init__(self) -> None:
        self._set = False

    def __bool__(self) -> bool:
        return self._set

    def set(self, number: int, frame: FrameType | None) -> None:
        if self._set:
            raise KeyboardInterrupt
        self._set = True


@contextmanager
def stop_on_signal() -> Iterator[StopFlag]:
    """A flag that SIGINT or SIGTERM sets; a second signal interrupts at once. It works in the main thread only."""
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    handlers = {number: signal.signal(number, flag.set) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
