"""Rows of numbers as they are sent in JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from vssl.modalities.rows import Spec

from vssl.errors import DataError
from vssl.modalities.wire import JsonSample, JsonWire


@dataclass(frozen=True, kw_only=True)
class Row(JsonSample):
    """A row of numbers."""

    values: list[float] = field(metadata={"description": "One number per column."})


class RowWire(JsonWire[Row]):
    """Rows of numbers: float64 [C]."""

    json_sample = Row
    request_help = "Decide on rows of numbers."

    def __init__(self, spec: Spec) -> None:
        self._columns = len(spec.mean)

    def check(self, sample: Row) -> None:
        if len(sample.values) != self._columns:
            raise DataError(f"{sample.id} has not {self._columns} numbers.")

    def size(self, sample: Row) -> int:
        return 8 * self._columns

    def content(self, sample: Row) -> bytes:
        return np.array(sample.values, dtype="<f8").tobytes()

    def decode(self, content: bytes, name: str) -> np.ndarray:
        return np.frombuffer(content, "<f8")

    def picture(self, content: bytes) -> Image.Image:
        grey = np.clip(128 + 30 * self.decode(content, ""), 0, 255).astype(np.uint8)
        return Image.fromarray(grey[None].repeat(8, 0))


def build(spec: Spec) -> RowWire:
    """The wire for these measurements."""
    return RowWire(spec)
