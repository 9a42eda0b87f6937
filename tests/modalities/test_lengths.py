"""Lengths in rows, lines or time."""

from __future__ import annotations

import pytest

from vssl.errors import ConfigError
from vssl.modalities.lengths import Length, parse


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ("64", Length(64, False)),
        ("10min", Length(600, True)),
        ("1.5h", Length(5400, True)),
        ("250ms", Length(0.25, True)),
        ("2 d", Length(172_800, True)),
    ],
)
def test_lengths_are_whole_numbers_or_times(length: str, expected: Length):
    assert parse(length, "window") == expected


@pytest.mark.parametrize("length", ["", "ten", "0", "1.5", "-3", "5 parsecs"])
def test_what_is_no_length_is_refused(length: str):
    with pytest.raises(ConfigError, match=r"--window '.*neither a whole number, such as 20, nor a time"):
        parse(length, "window")
