"""Ctrl-C: the first signal lets the step end, the second interrupts."""

import signal
import threading

import pytest

from vssl.training.signals import stop_on_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request(number: signal.Signals):
    with stop_on_signal() as stop:
        assert not stop
        signal.raise_signal(number)
        assert stop


def test_the_second_signal_stops_at_once():
    with stop_on_signal():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_signals_mean_afterwards_what_they_meant_before():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def fail() -> None:
        with stop_on_signal():
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_outside_the_main_thread_nothing_is_watched():
    before, seen = signal.getsignal(signal.SIGINT), []

    def watch() -> None:
        with stop_on_signal() as stop:
            seen.append((bool(stop), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
