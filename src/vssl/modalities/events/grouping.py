"""From lines to samples: ready sessions, sessions by a key, or windows of lines or of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from vssl.modalities.broken import Broken
from vssl.modalities.events.collect import Collector, Sample
from vssl.modalities.events.files import LogFile
from vssl.modalities.events.lines import Line
from vssl.modalities.spans import Span

Tokens = Callable[[str], int]
Source = tuple[LogFile, Iterator[Line]]


Item = Sample | Broken


def ready(sources: Iterator[Source], tokens: Tokens, length: int) -> Iterator[Item]:
    """Each line is a session: its name, a comma, its events with blanks between them."""
    names = Names()
    for file, lines in sources:
        for line in lines:
            name, comma, events = line.message.partition(",")
            if not comma or not name.strip() or len(name.split()) > 1:
                yield Broken(f"{file.name}@{line.number}", "no session: a line must read `id,event event ...`")
            elif not events.strip():
                yield Broken(f"{file.name}@{line.number}", f"the session {name.strip()!r} has no event")
            else:
                collector = Collector(file.name, length)
                for place, event in enumerate(events.split()):
                    # What the sample is recognised by is the whole line, its name included: once.
                    text = "" if place else line.text
                    collector.add(tokens(event), Line(line.number, text, event, damaged=line.damaged and not place))
                yield collector.sample(names.unique(name.strip(), file, line.number))


def by_key(sources: Iterator[Source], tokens: Tokens, length: int) -> Iterator[Item]:
    """Lines of one key are a session, wherever they stand; in the order of the sessions' first lines.

    All sessions are open until the last line is read: about 0.7 kB each at 20 events. Lines without a key belong to
    none.
    """
    found: dict[str, Collector] = {}
    for file, lines in sources:
        for line in lines:
            if line.broken:
                yield Broken(f"{file.name}@{line.number}", line.message)
            elif line.session:
                if line.session not in found:
                    found[line.session] = Collector(file.name, length)
                found[line.session].add(tokens(line.message), line)
    for name in list(found):
        yield found.pop(name).sample(name)


def by_lines(sources: Iterator[Source], tokens: Tokens, length: int, window: Span, stride: Span) -> Iterator[Item]:
    """Windows of so many lines, none across the border of two files; the last one ends where its file ends."""
    size, step = int(window.size), int(stride.size)
    for file, lines in sources:
        held: deque[tuple[int, Line]] = deque(maxlen=size)
        new = size  # lines until the next window is full
        for line in lines:
            if line.broken:
                yield Broken(f"{file.name}@{line.number}", line.message)
                continue
            held.append((tokens(line.message), line))
            new -= 1
            if not new:
                yield _window(file, held, length)
                new = step
        if (held and new < step) or 0 < len(held) < size:
            yield _window(file, held, length)


def by_time(sources: Iterator[Source], tokens: Tokens, length: int, window: Span, stride: Span) -> Iterator[Item]:
    """Windows of so much time from each file's first line on; those without a line give no sample.

    A line without a time is as late as the one before, and so is one whose clock went back.
    """
    for file, lines in sources:
        open_windows = _TimeWindows(file, length, window.size, stride.size)
        for line in lines:
            if line.broken:
                yield Broken(f"{file.name}@{line.number}", line.message)
            else:
                yield from open_windows.add(tokens(line.message), line)
        yield from open_windows.close()


class _TimeWindows:
    """The windows that are open at a moment: those that began less than a window's length ago."""

    def __init__(self, file: LogFile, length: int, window_s: float, stride_s: float) -> None:
        self._file, self._length, self._window_s, self._stride_s = file, length, window_s, stride_s
        self._open: dict[int, Collector] = {}
        self._start_s: float | None = None
        self._now_s = 0.0
        self._written: tuple[int, int] | None = None

    def add(self, token: int, line: Line) -> Iterator[Sample]:
        if line.time_s is not None:
            if self._start_s is None:
                self._start_s = line.time_s
            self._now_s = max(self._now_s, line.time_s - self._start_s)
        last = int(self._now_s // self._stride_s)
        first = max(0, int((self._now_s - self._window_s) // self._stride_s) + 1)
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
            if collector.rows != self._written:
                self._written = collector.rows
                yield collector.sample(_name(self._file, *collector.rows))


def _window(file: LogFile, held: Sequence[tuple[int, Line]], length: int) -> Sample:
    collector = Collector(file.name, length)
    for token, line in held:
        collector.add(token, line)
    return collector.sample(_name(file, *collector.rows))


def _name(file: LogFile, first: int, last: int) -> str:
    return f"{file.name}@{first}-{last}"


class Names:
    """Sees to it that no two sessions have one name: a name that was there before gets its place added.

    8 bytes of a hash are kept of each name, as they may be many millions.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def unique(self, name: str, file: LogFile, row: int) -> str:
        key = hash(name)
        if key in self._seen:
            return f"{name}@{file.name}:{row}"
        self._seen.add(key)
        return name
