"""Text tables as programs of all countries write them: what is recognised, and what is refused with a remedy."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from small_series import built
from vssl.errors import ConfigError, DataError, VsslError
from vssl.modalities import sensors

ROWS = range(40)
X = [20.25 + row * row / 64 for row in ROWS]
Y = [1234.5 + 7 * row % 61 for row in ROWS]


def iso(row: int) -> str:
    return str(dt.datetime(2026, 1, 5, 8) + dt.timedelta(minutes=row))


def comma(text: str) -> str:
    return text.replace(".", ",")


def written(path: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def values(path: Path, **settings: object) -> dict[str, list[float]]:
    modality = built(path, **({"window": "1", "stride": "1"} | settings))
    data = modality.load(path)
    raw = data.batch(np.arange(len(data)))[:, :, 0].T
    return {name: column.tolist() for name, column in zip(modality.spec.channels, raw, strict=True)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "   "])
def test_values_may_be_divided_by_any_of_five_signs(tmp_path: Path, delimiter: str):
    rows = [delimiter.join([iso(row).replace(" ", "T"), f"{X[row]:.4f}", f"{Y[row]:.1f}"]) for row in ROWS]
    path = written(tmp_path / "a.txt", [delimiter.join(["time", "x", "y"]), *rows])
    found = values(path)
    assert list(found) == ["x", "y"]
    np.testing.assert_allclose([found["x"], found["y"]], [np.round(X, 4), Y], rtol=1e-6)


@pytest.mark.parametrize("group", [",", "'", "’", "\u00a0", "\u202f", " ", ""])
@pytest.mark.parametrize("decimal", [".", ","])
def test_thousands_and_decimals_are_read_in_every_countrys_way(tmp_path: Path, group: str, decimal: str):
    if group == ",":
        group = "." if decimal == "," else ","
    texts = [f"{1000 * value:,.2f}".replace(",", "_").replace(".", decimal).replace("_", group) for value in X]
    for delimiter in ",;":
        quoted = [f'"{text}"' if delimiter in text else text for text in texts]
        rows = [f"{iso(row)}{delimiter}{text}" for row, text in enumerate(quoted)]
        path = written(tmp_path / f"{ord(delimiter)}.csv", [f"time{delimiter}x", *rows])
        np.testing.assert_allclose(values(path)["x"], np.round([1000 * value for value in X], 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "Öldruck"),
        ("utf-8-sig", "Öldruck"),
        ("utf-16", "Öldruck"),
        ("utf-16-le", "Öldruck"),
        ("latin-1", "température"),
        ("cp1252", "Druck – Öl"),
        ("cp932", "圧力センサ"),
        ("cp932", "ﾓｰﾀ温度"),
        ("euc_jp", "圧力センサ"),
    ],
)
def test_names_are_read_in_the_encoding_of_the_file(tmp_path: Path, encoding: str, name: str):
    path = written(tmp_path / "a.csv", [f"time,{name}", *(f"{iso(row)},{X[row]}" for row in ROWS)], encoding)
    assert list(values(path)) == [name]


def test_an_encoding_may_be_forced_and_a_wrong_one_is_no_traceback(tmp_path: Path):
    path = written(tmp_path / "a.csv", ["time,éé", *(f"{iso(row)},{X[row]}" for row in ROWS)], "latin-1")
    assert list(values(path, encoding="latin-1")) == ["éé"]
    with pytest.raises(DataError, match=r"a\.csv: line 1 is not written in utf-8: .* --encoding"):
        built(path, encoding="utf-8")


def test_lines_before_the_names_units_and_summaries_are_passed_over_and_told(tmp_path: Path):
    rows = [f"{iso(row)};{comma(f'{X[row]:.4f}')};{comma(str(Y[row]))}" for row in ROWS]
    before = ["Messgerät X12", "Seriennummer;1234", "", "Zeit;Temperatur;Druck", "[s];[°C];[bar]"]
    path = written(tmp_path / "a.csv", [*before, *rows, "Mittelwert;12,5;7", "Ende der Datei"], "cp1252")
    modality = built(path, window="1", stride="1")
    assert modality.spec.channels == ("Temperatur", "Druck")
    assert len(modality.load(path)) == len(ROWS)
    said = " ".join(modality.notes(path))
    for part in (
        "semicolons",
        "decimal commas",
        "cp1252",
        "3 lines above the column names",
        "1 line of units below",
        "2 lines at the end",
    ):
        assert part in said
    assert "Mittelwert;12,5;7" in said


@pytest.mark.parametrize("first", ["sep=;", "# by a logger", ""])
def test_a_first_line_that_is_no_row_does_no_harm(tmp_path: Path, first: str):
    path = written(tmp_path / "a.csv", [first, "x;y", *(f"{X[row]};{Y[row]}" for row in ROWS)])
    assert list(values(path)) == ["x", "y"]


def test_a_file_without_names_of_columns_loses_no_row(tmp_path: Path):
    path = written(tmp_path / "a.csv", [f"{iso(row)},{X[row]},{Y[row]}" for row in ROWS])
    modality = built(path, window="1", stride="1")
    assert modality.spec.channels == ("column_2", "column_3")
    assert len(modality.load(path)) == len(ROWS)
    assert "no column names" in modality.notes(path)[0]


@pytest.mark.parametrize(("header", "end"), [("time;x;;", ";;"), ("time;x", ";"), ("time;x;", "")])
def test_empty_last_columns_do_no_harm(tmp_path: Path, header: str, end: str):
    path = written(tmp_path / "a.csv", [header, *(f"{iso(row)};{X[row]}{end}" for row in ROWS)])
    assert list(values(path)) == ["x"]


@pytest.mark.parametrize("sign", [",", "."])
def test_a_number_that_may_be_a_thousand_or_a_decimal_is_refused_until_somebody_says(tmp_path: Path, sign: str):
    path = written(tmp_path / "a.csv", ["time;x", *(f"{iso(row)};{1 + row % 9}{sign}{200 + 3 * row}" for row in ROWS)])
    with pytest.raises(
        DataError, match=rf"a\.csv: the column 'x' has '1\{sign}200' in row 1, .* name the sign with --decimal"
    ):
        built(path)
    assert values(path, decimal=sign)["x"][0] == pytest.approx(1.2)
    assert values(path, decimal="." if sign == "," else ",")["x"][0] == 1200


def test_another_column_or_the_training_tells_what_a_number_is(tmp_path: Path):
    both = written(tmp_path / "both.csv", ["x;y", *(f"1,{200 + 3 * row};{row},5" for row in ROWS)])
    assert values(both)["x"][0] == pytest.approx(1.2)
    modality = built(both, window="1", stride="1")
    later = written(tmp_path / "later.csv", ["x;y", *(f"1,{200 + 3 * row};2,{300 + row}" for row in ROWS)])
    assert modality.load(later).batch(np.array([0])).flatten().tolist() == pytest.approx([1.2, 2.3])


def test_a_thousand_that_comes_late_is_read_or_refused_with_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vssl.modalities.sensors.tables.BLOCK_BYTES", 512)
    small = [f"{row % 7},{900.5 + row}" for row in range(99)]
    path = written(tmp_path / "a.csv", ["x,y", *small, '"1",1001.5', '"1","1,002.5"'])
    assert values(path)["y"][-2:] == [1001.5, 1002.5]
    path = written(
        tmp_path / "b.csv", ["x;y", *(line.replace(",", ";").replace(".5", "") for line in small), "3;1.001"]
    )
    with pytest.raises(VsslError, match=r"b\.csv: the column 'y' has '1\.001' in row 100,"):
        values(path)


def test_words_for_a_missing_value_are_missing_and_counted(tmp_path: Path):
    words = {3: "n/a", 7: "---", 8: "---", 12: "#N/A", 13: "NaN", 20: "-"}
    path = written(tmp_path / "a.csv", ["time,x,y", *(f"{iso(row)},{words.get(row, X[row])},{Y[row]}" for row in ROWS)])
    found = values(path)["x"]
    assert np.flatnonzero(np.isnan(found)).tolist() == sorted(words)
    modality = built(path, window="1", stride="1")
    (note,) = modality.notes(path)
    assert note.startswith("5 values are words that stand for a missing number: '---' (2)")


@pytest.mark.parametrize("value", ["OFF", "Bad", "1.2*", "12 V", "0x1F", "1.2.3", "12,5,1"])
def test_a_text_among_numbers_is_refused_with_its_row(tmp_path: Path, value: str):
    rows = [f'{iso(row)},"{value if row == 30 else X[row]}"' for row in ROWS]
    with pytest.raises(DataError, match=r"a\.csv: the column 'x' holds numbers, but row 31 has .*--labels x"):
        built(written(tmp_path / "a.csv", ["time,x", *rows]))


def test_a_decimal_comma_that_divides_columns_is_refused(tmp_path: Path):
    with pytest.raises(
        DataError, match=r"a\.csv: line 1 names 2 columns, but the rows have 3 values \(a decimal comma"
    ):
        built(written(tmp_path / "a.csv", ["time,x", *(f"{iso(row)},20,{row + 10}" for row in ROWS)]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delimiter": "ab"}, "--delimiter 'ab'"),
        ({"decimal": ";"}, "--decimal ';'"),
        ({"encoding": "klingon"}, "--encoding 'klingon' is not known"),
        ({"date_format": "%Q"}, "--date-format '%Q': %Q is not known"),
        ({"date_format": "yyyy"}, "it has no directive"),
        ({"date_format": "%d %d"}, "stands in it twice"),
    ],
)
def test_settings_that_nobody_knows_are_refused(settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        sensors.Config(**settings)


def test_a_plain_table_gives_no_note(tmp_path: Path):
    path = written(tmp_path / "a.csv", ["time,x,y", *(f"{iso(row)},{X[row]},{Y[row]}" for row in ROWS)])
    assert built(path).notes(path) == []


@pytest.mark.parametrize("index_names", ["", "time,,,\n"])
def test_names_in_several_lines_are_refused_with_the_remedy(tmp_path: Path, index_names: str):
    rows = "".join(f"2024-01-01 00:0{minute}:00,{minute}.5,2.5,3.5\n" for minute in range(5))
    (tmp_path / "a.csv").write_text(f",temp,temp,press\n,mean,max,mean\n{index_names}{rows}")
    with pytest.raises(DataError, match=r"a\.csv: \d columns .* \(multi-level columns\), join them in one line"):
        sensors.measure(tmp_path, sensors.Config(window="2"))
