"""The number of threads follows what the machine gives."""

from __future__ import annotations

from vssl.training.threads import MAX_INTERVAL, ThreadTuner


class Machine:
    """Steps take so many seconds for each number of threads."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds = seconds
        self.used: list[int] = []
        self.threads = ThreadTuner(max(seconds), self.use)
        self.now = max(seconds)

    def use(self, count: int) -> None:
        self.now = count

    def steps(self, count: int) -> list[int]:
        start = len(self.used)
        for _ in range(count):
            self.used.append(self.now)
            self.threads.record(self.seconds[self.now])
        return self.used[start:]


def test_on_a_quiet_machine_all_threads_are_kept_and_trials_become_rare():
    machine = Machine({2: 0.3, 1: 0.6})
    used = machine.steps(2 * MAX_INTERVAL)
    assert used.count(1) < 0.04 * len(used)
    assert machine.threads.count == 2


def test_on_a_busy_machine_fewer_threads_are_taken_within_a_few_steps():
    machine = Machine({2: 6.0, 1: 0.6})
    used = machine.steps(100)
    assert used.count(2) < 10
    assert machine.threads.count == 1


def test_a_machine_that_becomes_busy_is_noticed_at_once():
    machine = Machine({2: 0.3, 1: 0.6})
    machine.steps(500)
    machine.seconds[2] = 6.0
    assert machine.steps(100).count(2) < 12


def test_a_machine_that_becomes_quiet_is_used_in_full_again():
    machine = Machine({2: 6.0, 1: 0.6})
    machine.steps(200)
    machine.seconds[2] = 0.3
    machine.steps(MAX_INTERVAL)
    assert machine.threads.count == 2


def test_one_thread_is_left_alone():
    machine = Machine({1: 0.6})
    assert set(machine.steps(50)) == {1}


def test_all_threads_are_given_back():
    machine = Machine({2: 6.0, 1: 0.6})
    machine.steps(50)
    machine.threads.restore()
    assert machine.now == 2
