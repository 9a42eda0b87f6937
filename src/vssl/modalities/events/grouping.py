"""From lines to samples: presplit sessions, sessions by a key, and windows of lines (of time: `time_windows`)."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from vssl.modalities.events.collector import Collector, Sample
from vssl.modalities.events.files import LogFile, Tally, log_name
from vssl.modalities.events.lines import Line
from vssl.modalities.lengths import Length
from vssl.modalities.unreadable import Unreadable

UNIQUE_DIGITS = 16
_LONG_NUMBER = re.compile(r"(?=[a-f]*\d)[0-9a-f]{4,}")
_DATE = re.compile(r"(?:19|20)\d\d[01]\d[0-3]\d\d*")

Tokens = Callable[[str], int]
LogLines = tuple[LogFile, Iterator[Line]]
Item = Sample | Unreadable


def presplit(sources: Iterator[LogLines], tokens: Tokens, length: int) -> Iterator[Item]:
    """Each line is a session: its name, a comma, its events with blanks between them."""
    seen: set[int] = set()  # hashes of the names, as they may be many millions
    for file, lines in sources:
        for line in lines:
            text, comma, events = line.message.partition(",")
            name, place = text.strip(), f"{file.name}@{line.number}"
            if not comma or len(name.split()) != 1:
                yield Unreadable(place, "no session: a line must read `id,event event ...`")
            elif not events.strip():
                yield Unreadable(place, f"the session {name!r} has no event")
            else:
                collector = Collector(file.name, length)
                for position, event in enumerate(events.split()):
                    # What the sample is recognised by is the whole line, its name included: once.
                    text = "" if position else line.text
                    collector.add(tokens(event), Line(line.number, text, event, damaged=line.damaged and not position))
                yield collector.sample(f"{name}@{file.name}:{line.number}" if hash(name) in seen else name)
                seen.add(hash(name))


def by_key(sources: Iterator[LogLines], tokens: Tokens, length: int, tally: Tally) -> Iterator[Item]:
    """Lines of one key are a session, in the order of the sessions' first lines.

    The parts of one rotated log go on with each other's sessions. In another log an equal name is another session,
    except for names that no counter gives twice, such as UUIDs.

    All sessions are open until the last line is read: about 0.7 kB each at 20 events. Lines without a key belong to
    none.
    """
    found: dict[tuple[str, str], tuple[str, Collector]] = {}
    for file, lines in sources:
        log = log_name(file.name)
        for line in lines:
            if line.broken:
                yield Unreadable(f"{file.name}@{line.number}", line.message)
            elif line.session:
                key = ("", line.session) if is_globally_unique(line.session) else (log, line.session)
                if key not in found:
                    found[key] = file.name, Collector(file.name, length)
                found[key][1].add(tokens(line.message), line)
    taken: set[str] = set()
    for key in list(found):
        name, (file_name, collector) = key[1], found.pop(key)
        if name in taken:
            tally.shared += 1
            name = f"{name}@{file_name}"
        taken.add(name)
        yield collector.sample(name)


def is_globally_unique(name: str) -> bool:
    """Whether two machines do not give this name to two things, as it has many digits that are no date: a UUID."""
    numbers = _LONG_NUMBER.findall(name.lower())
    return sum(len(number) for number in numbers if not _DATE.fullmatch(number)) >= UNIQUE_DIGITS


def by_lines(
    sources: Iterator[LogLines], tokens: Tokens, length: int, window: Length, stride: Length
) -> Iterator[Item]:
    """Windows of so many lines, none across the border of two files; the last one ends where its file ends."""
    size, step = int(window.size), int(stride.size)
    for file, lines in sources:
        held: deque[tuple[int, Line]] = deque(maxlen=size)
        new = size  # lines until the next window is full
        for line in lines:
            if line.broken:
                yield Unreadable(f"{file.name}@{line.number}", line.message)
                continue
            held.append((tokens(line.message), line))
            new -= 1
            if not new:
                yield _window(file, held, length)
                new = step
        if (held and new < step) or 0 < len(held) < size:
            yield _window(file, held, length)


def _window(file: LogFile, held: Sequence[tuple[int, Line]], length: int) -> Sample:
    collector = Collector(file.name, length)
    for token, line in held:
        collector.add(token, line)
    return collector.sample()
