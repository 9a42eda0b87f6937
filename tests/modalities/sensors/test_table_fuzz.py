"""Random tables of any office: read to what was written, or refused; never anything else."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from vssl.errors import VsslError
from vssl.modalities import sensors

START = dt.datetime(2024, 3, 28, 23, 57)
UNCLEAR = ("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d-%m-%y %H:%M:%S")
CLEAR = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%d.%m.%Y %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%Y年%m月%d日 %H時%M分%S秒",
    "%Y%m%d%H%M%S",
    "epoch s",
    "epoch ms",
    "epoch us",
    "excel",
    "two columns",
)
NAMES = {"time": ("Druck", "Temp. (°C)"), "Zeitstempel": ("Öl", "a b"), "日時": ("温度", "圧力センサ")}


@dataclass(frozen=True)
class Table:
    """A table, as it is written, and what is in it."""

    content: bytes
    times: list[dt.datetime]
    values: np.ndarray
    channels: list[str]
    is_clear: bool


def stamp(time: dt.datetime, form: str, decimal: str) -> str:
    seconds = (time - dt.datetime(1970, 1, 1)).total_seconds()
    if form == "excel":
        return f"{25569 + seconds / 86400:.9f}".replace(".", decimal)
    if form.startswith("epoch"):
        return str(int(seconds) * {"s": 1, "ms": 10**3, "us": 10**6}[form[6:]])
    return time.strftime(form)


def number(value: float, digits: int, decimal: str, thousands: str) -> str:
    text = f"{value:,.{digits}f}" if thousands else f"{value:.{digits}f}"
    return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(20, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    form = draw(st.sampled_from(CLEAR * 2 + UNCLEAR))
    delimiter = draw(st.sampled_from(",;\t|"))
    decimal = draw(st.sampled_from(".,"))
    # Between commas 1.234 is a decimal, and nobody can tell that it is not.
    groups = ["", "", "'", "\u00a0", *([","] if decimal == "." else ["."] if delimiter != "," else [])]
    thousands = draw(st.sampled_from(groups))
    name = draw(st.sampled_from(sorted(NAMES)))
    scales = [draw(st.sampled_from([1.0, 30.0, 5e3, 2e6])) for _ in NAMES[name]]
    digits = [draw(st.integers(0, 4)) for _ in NAMES[name]]
    encodings = {"日時": ["utf-8", "utf-8-sig", "utf-16", "cp932", "euc_jp"]}
    encoding = draw(st.sampled_from(encodings.get(name, ["utf-8", "utf-8-sig", "utf-16", "cp1252"])))
    there = (form if form.startswith("%") else "") + thousands
    encoding = encoding if there.encode(encoding, "ignore").decode(encoding) == there else "utf-8"
    steps = rng.choice([1, 1, 1, 1, 7], count) * draw(st.sampled_from([10, 60]))
    times = [START + dt.timedelta(seconds=int(seconds)) for seconds in np.cumsum(steps)]
    values = np.stack([rng.normal(scale, scale / 3, count) for scale in scales], 1)
    values = np.stack([np.round(column, places) for column, places in zip(values.T, digits, strict=True)], 1)

    def quoted(cell: str) -> str:
        return f'"{cell}"' if delimiter in cell else cell

    rows = []
    for time, row in zip(times, values, strict=True):
        two = [time.strftime("%d.%m.%Y"), time.strftime("%H:%M:%S")]
        first = two if form == "two columns" else [stamp(time, form, decimal)]
        cells = [number(value, places, decimal, thousands) for value, places in zip(row, digits, strict=True)]
        rows.append(delimiter.join(map(quoted, first + cells)))
    order = draw(st.sampled_from(["rising", "rising", "falling", "shuffled"]))
    rows = (
        rows[::-1]
        if order == "falling"
        else [rows[at] for at in rng.permutation(count)]
        if order == "shuffled"
        else rows
    )
    header = [name, "Uhrzeit"] if form == "two columns" else [name]
    lines = draw(st.sampled_from([[], ["Logger X12"], ["Logger X12", "", "made: by hand"]]))
    lines = [*lines, delimiter.join(map(quoted, [*header, *NAMES[name]]))]
    if draw(st.booleans()):
        lines.append(delimiter.join(["[s]"] * len(header) + ["[bar]"] * 2))
    lines += rows + draw(st.sampled_from([[], [], ["End of file"]]))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    content = (newline.join(lines) + newline).encode(encoding)
    # A thousand and three decimals look alike, a column of them alone is refused; so is a day that may be a month.
    is_clear = form not in UNCLEAR and not any(places == 3 or thousands for places in digits)
    # Of decimals in any order it does not show that they are days.
    is_clear &= (form, order) != ("excel", "shuffled")
    return Table(content, times, values, list(NAMES[name]), is_clear)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_a_random_table_is_read_to_what_was_written_or_refused(table: Table):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(table.content)
        config = sensors.Config(window="1", stride="1")
        try:
            spec = sensors.measure(path, config)
            data = sensors.build(config, spec).load(path)
        except VsslError:
            if table.is_clear:
                raise
            event("refused")
            return
        event("read")
        assert list(spec.channels) == table.channels
        assert [name.partition("@")[2] for name in data.ids] == [time.isoformat() for time in table.times]
        found = data.batch(np.arange(len(data)))[:, :, 0].numpy()
        np.testing.assert_allclose(found, table.values, rtol=1e-6)
