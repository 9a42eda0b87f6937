"""Windows of time: robust against a stamp that strays, and against a clock that is set back."""

from collections import deque
from collections.abc import Iterator, Sequence

from vssl.errors import DataError
from vssl.modalities.events.collector import Collector, Sample
from vssl.modalities.events.files import LogFile
from vssl.modalities.events.grouping import Item, LogLines, Tokens
from vssl.modalities.events.lines import Line
from vssl.modalities.events.timestamps import SLACK_S
from vssl.modalities.lengths import Length
from vssl.modalities.unreadable import Unreadable

LOOKAHEAD_LINES = 32  # lines with a stamp in which a clock that strayed must have come back
MAX_CLOCK_RESETS, MAX_CLOCK_RESET_SHARE = 10, 0.02
REMEDY = (
    "Say where the time is (--time-field for JSON lines, --message for what stands behind the stamp), write the stamps "
    "in a form of docs/how-to/event-logs.md, or take a window of lines, such as --window 20."
)


def by_time(sources: Iterator[LogLines], tokens: Tokens, length: int, window: Length, stride: Length) -> Iterator[Item]:
    """Windows of so much time from each file's first line on; those without a line give no sample.

    A line without a time is as late as the one before. So is one whose stamp strays: the clock comes back behind it. A
    clock that is set back and stays so begins a new row of windows.

    Raises:
        DataError: A file has no time stamps, none in a long part of it, or they are in no order.
    """
    for file, lines in sources:
        open_windows = _TimeWindows(file, length, window.size, stride.size)
        gaps = _MissingTimestamps(file)
        for line, now_s, part in effective_times(file, lines, window.size):
            if line.broken:
                yield Unreadable(f"{file.name}@{line.number}", line.message)
            else:
                gaps.see(line)
                yield from open_windows.add(tokens(line.message), line, now_s, part)
        gaps.check()
        yield from open_windows.close()


def effective_times(file: LogFile, lines: Iterator[Line], window_s: float) -> Iterator[tuple[Line, float | None, int]]:
    """Each line with the time at which it counts, and the number of times that the clock was set back before.

    The time is None in front of a file's first stamp.

    Raises:
        DataError: The clock is set back again and again: the lines are in no order of time.
    """
    slack_s, far_s = min(SLACK_S, window_s), max(window_s / 4, 1.0)
    ahead = _Lookahead(lines)
    now_s: float | None = None
    part = stamped = 0
    while (line := ahead.next()) is not None:
        time_s = line.time_s
        if time_s is not None:
            stamped += 1
            if now_s is None:
                now_s = time_s
            elif now_s - slack_s <= time_s <= now_s + far_s:
                now_s = max(now_s, time_s)
            elif not ahead.strays(now_s, time_s, slack_s):
                part += time_s < now_s
                now_s = time_s
                if part > MAX_CLOCK_RESETS and part > MAX_CLOCK_RESET_SHARE * stamped:
                    raise DataError(
                        f"{file.name}: in its first {line.number:,} lines the clock is set back {part} times, lastly "
                        f"in line {line.number}. Windows of time need lines in the order of time: sort them from the "
                        "oldest to the newest, or take a window of lines, such as --window 20."
                    )
        yield line, now_s, part


class _Lookahead:
    """Lines, and a look at the stamps of those to come."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._held: deque[Line] = deque()

    def next(self) -> Line | None:
        return self._held.popleft() if self._held else next(self._lines, None)

    def strays(self, now_s: float, time_s: float, slack_s: float) -> bool:
        """Whether the clock, which jumped from now to `time_s`, soon jumps back, by a quarter of that or more at once.

        One that runs on until it is where it was has been set: it does not stray.
        """
        jump_s = abs(time_s - now_s)
        ahead = time_s > now_s
        largest_s, last_s = 0.0, time_s
        for other_s in self._stamps():
            largest_s = max(largest_s, last_s - other_s if ahead else other_s - last_s)
            last_s = other_s
            if now_s - slack_s <= other_s < (time_s - slack_s if ahead else now_s + jump_s):
                return largest_s >= 0.25 * jump_s
        return False

    def _stamps(self) -> Iterator[float]:
        seen = row = 0
        while seen < LOOKAHEAD_LINES and row < 16 * LOOKAHEAD_LINES:
            if row == len(self._held):
                line = next(self._lines, None)
                if line is None:
                    return
                self._held.append(line)
            time_s = self._held[row].time_s
            row += 1
            if time_s is not None:
                seen += 1
                yield time_s


class _MissingTimestamps:
    """Sees to it that the stamps of a file do not end, or change their form, without a word."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._heads = self._stamped = self._run = self._longest = 0
        self._first: list[Line] = []  # of the run of lines without a time
        self._first_of_longest: list[Line] = []

    def see(self, line: Line) -> None:
        if line.time_s is not None:
            self._stamped += 1
            self._heads += 1
            self._run, self._first = 0, []
        elif not line.text[:1].isspace():  # those of a stack trace are indented
            self._heads += 1
            self._run += 1
            if self._run <= 3:
                self._first.append(line)
            if self._run > self._longest:
                self._longest, self._first_of_longest = self._run, self._first

    def check(self) -> None:
        most = min(max(20, self._heads // 2), max(200, self._heads // 10))
        if self._heads and (not self._stamped or self._longest > most):
            number, texts = self._first_of_longest[0].number, [line.text for line in self._first_of_longest]
            raise DataError(
                f"{self._file.name}: from line {number} on {self._longest:,} lines in a row have no time stamp in the "
                f"form and at the position that the training data have. They begin with: {quote_lines(texts)}. Take it "
                f"away if it is no such log. {REMEDY}"
            )


class _TimeWindows:
    """The windows that are open at a moment: those that began less than a window's length ago."""

    def __init__(self, file: LogFile, length: int, window_s: float, stride_s: float) -> None:
        self._file, self._length, self._window_s, self._stride_s = file, length, window_s, stride_s
        self._open: dict[int, Collector] = {}
        self._start_s: float | None = None
        self._part, self._earliest = 0, 0
        self._written: tuple[int, int] | None = None

    def add(self, token: int, line: Line, now_s: float | None, part: int) -> Iterator[Sample]:
        if self._start_s is None:
            self._start_s = now_s
        passed_s = 0.0 if now_s is None or self._start_s is None else now_s - self._start_s
        last = int(passed_s // self._stride_s)
        if part != self._part:
            yield from self.close()
            self._part, self._earliest = part, last
        first = max(self._earliest, int((passed_s - self._window_s) // self._stride_s) + 1)
        yield from self.close(before=first)
        for number in range(first, last + 1):
            if number not in self._open:
                self._open[number] = Collector(self._file.name, self._length)
            self._open[number].add(token, line)

    def close(self, before: int | None = None) -> Iterator[Sample]:
        """The windows up to a number, or all, that will get no more lines."""
        for number in [number for number in sorted(self._open) if before is None or number < before]:
            collector = self._open.pop(number)
            # Two windows that hold the same lines are one sample.
            if (collector.first, collector.last) != self._written:
                self._written = collector.first, collector.last
                yield collector.sample()


def quote_lines(texts: Sequence[str]) -> str:
    """The first lines, shortened, for a message."""
    return "; ".join(repr(text[:80]) for text in texts[:3])
