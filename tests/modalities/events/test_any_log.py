"""Random logs, of all stamps, encodings, orders and line ends: read to what was written, or refused."""

from __future__ import annotations

import gzip
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stamped_lines import WRITTEN, written
from vssl.errors import DataError
from vssl.modalities import events
from vssl.modalities.events import file_encodings
from vssl.modalities.events.files import find_logs, read_lines
from vssl.modalities.events.reading import detect_parser, make_parser
from vssl.modalities.events.timestamp_formats import FORMATS
from vssl.modalities.events.tokenise import SessionTokeniser

FORMS = [(name, form) for name, forms in WRITTEN.items() for form in forms]
TEXTS = {
    "utf-8": ("gate 認証 失敗", "gate 認証 成功", "Tür offen"),
    "utf-8-sig": ("gate opened", "Température élevée"),
    "utf-16": ("gate 認証 失敗", "gate opened"),
    "utf-16-le": ("gate opened", "gate closed"),
    "utf-16-be": ("gate opened", "装置の温度が高い"),
    "cp1252": ("Température élevée", "Gerät läuft", "gate opened"),
    "cp932": ("装置の温度が高い", "ポンプを停止しました", "接続エラー"),
    "euc_jp": ("装置の温度が高い", "ポンプを停止しました", "認証に失敗しました"),
    "gb18030": ("认证 失败", "温度过高 停止", "泵 已启动"),
}
WINDOW = timedelta(minutes=10)


@dataclass(frozen=True)
class Made:
    """A log, and what was written into it."""

    name: str
    data: bytes
    encoding: str
    lines: list[str]
    moments: list[datetime | None]
    texts: list[str]
    rising: bool


@st.composite
def logs(draw: st.DrawFn) -> Made:
    name, form = draw(st.sampled_from(FORMS))
    encoding = draw(st.sampled_from([own for own in TEXTS if own != "cp1252" or form.isascii()]))
    count = draw(st.integers(40, 120))
    now = datetime(draw(st.integers(2002, 2033)), draw(st.integers(1, 12)), draw(st.integers(1, 28)), tzinfo=UTC)
    step = draw(st.sampled_from([1, 45, 700, 40_000]))
    rising = draw(st.booleans())
    traces = draw(st.sets(st.integers(0, count - 1), max_size=5))
    texts = draw(st.lists(st.sampled_from(TEXTS[encoding]), min_size=count, max_size=count))
    steps = draw(st.lists(st.integers(0 if rising else -(step // 4), step), min_size=count, max_size=count))
    lines, moments, said = [], [], []
    for row in range(count):
        now += timedelta(seconds=steps[row])
        lines.append(f"{written(form, now)} {texts[row]} {row} until 2038-01-19 03:14:07")
        moments.append(now)
        said.append(texts[row])
        if row in traces:
            lines.append(f"    at 2038-01-{1 + row % 28:02d} 03:14:07 of {texts[row]}")
            moments.append(None)
            said.append(texts[row])
    assume(any(steps[1:]))  # a number that is the same in all lines is no time
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return Made(name, (end.join(lines) + end).encode(encoding), encoding, lines, moments, said, rising)


def seconds(moment: datetime, name: str) -> float:
    """What a stamp of this format says of a moment."""
    return (moment if FORMATS[name].named else moment.replace(year=2000)).timestamp()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(logs(), st.booleans())
def test_a_random_log_is_read_to_what_was_written(made: Made, packed: bool):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("made.log.gz" if packed else "made.log")
        path.write_bytes(gzip.compress(made.data) if packed else made.data)
        reading = detect_parser(find_logs(path), events.Config())
        if reading.alternative:
            assert (
                {FORMATS[made.name].family}
                == {FORMATS[reading.timestamp_format].family}
                == {FORMATS[reading.alternative].family}
            )
            order = {"dmy": "dmy", "mdy": "mdy", "yy md": "ymd", "dm yy": "dmy"}[made.name]
            reading = detect_parser(find_logs(path), events.Config(date_format=order))
        assert (reading.format, reading.timestamp_format) == ("lines", made.name)
        read = make_parser(reading)
        encoding = file_encodings.file_encoding(path, "", reading.encodings)
        found = [read(row) for row in read_lines(find_logs(path)[0], encoding=encoding)]
    assert [line.text for line in found] == made.lines
    for line, moment, text in zip(found, made.moments, made.texts, strict=True):
        assert text in line.message
        assert (line.time_s is None) == (moment is None)
        if moment is not None and FORMATS[made.name].named:
            assert line.time_s == pytest.approx(seconds(moment, made.name), abs=1)
    named = [line.time_s for line in found if line.time_s is not None]
    if made.rising:  # over New Year too, and within a second of what is not written
        assert all(b >= a for a, b in pairwise(named))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(logs(), st.sampled_from(["20", "10min"]))
def test_its_samples_hold_every_line_once_and_are_those_of_a_service(made: Made, window: str):
    config = events.Config(window=window)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.log"
        path.write_bytes(made.data)
        try:
            modality = events.build(config, events.measure(path, config))
            data = modality.load(path)
        except DataError:  # windows of time of lines in no order
            assert window != "20"
            assert not made.rising
            return
    table = data.metadata
    spans = list(zip(table["first"].to_pylist(), table["last"].to_pylist(), strict=True))
    if window == "20":
        assert {number for first, last in spans for number in range(first, last + 1)} == set(
            range(1, len(made.lines) + 1)
        )
    else:
        assert sum(table["events"].to_pylist()) == len(made.lines)
    encoder = SessionTokeniser(modality.spec)
    for row, (first, last) in enumerate(spans):
        assert (encoder(made.lines[first - 1 : last], "x") == data.raw[row].numpy()).all()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(60, 300),
    st.integers(1, 400),
    st.lists(st.tuples(st.integers(2, 58), st.integers(-9000, 9000)), max_size=3),
)
def test_windows_of_time_are_those_of_the_true_times_whatever_strays(
    count: int, step: int, strays: list[tuple[int, int]]
):
    start = datetime(2024, 5, 6, 8, tzinfo=UTC)
    moments = [start + timedelta(seconds=step * row) for row in range(count)]
    shown = list(moments)
    for row, days in strays:
        shown[row] = moments[row] + timedelta(days=days)
    near = {row for row, days in strays if days}
    config = events.Config(window="10min")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.log"
        path.write_text("".join(f"{moment:%Y-%m-%d %H:%M:%S} INFO tick\n" for moment in shown))
        table = events.build(config, events.measure(path, config)).load(path).metadata
    # A line whose stamp strays is in the window of the line before it; all others are where they belong.
    place = 0
    expected = []
    for row, moment in enumerate(moments):
        place = place if row in near else (moment - start) // WINDOW
        expected.append(place)
    assert table["events"].to_pylist() == [len(list(own)) for _, own in groupby(expected)]
