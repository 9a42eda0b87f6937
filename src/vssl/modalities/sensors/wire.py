"""Windows of series as they are sent to the runtime or the service: JSON, in the units of the data; without torch."""

import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from vssl.errors import DataError
from vssl.modalities.sensors import Spec
from vssl.modalities.wire import JsonSample, JsonWire

PLOT_PX = (640, 400)


@dataclass(frozen=True, kw_only=True)
class Window(JsonSample):
    """A window of series."""

    values: list[list[float | None]] = field(
        metadata={"description": "One list per channel, one value per row, in the units of the data; null is missing."}
    )


class WindowWire(JsonWire[Window]):
    """Windows of series: float64 [C, T], NaN where nothing is known. Their content is these values, little-endian."""

    json_sample = Window
    request_help = "Decide on windows of series, as long as those of the training."
    patches_in_time = True

    def __init__(self, spec: Spec) -> None:
        self._spec, self._shape = spec, (len(spec.channels), spec.window)

    def check(self, sample: Window) -> None:
        channels, rows = self._shape
        if len(sample.values) != channels or any(len(row) != rows for row in sample.values):
            raise DataError(f"{sample.id or 'A window'} is not {channels} channels of {rows} rows.")

    def size(self, sample: Window) -> int:
        return 8 * math.prod(self._shape)

    def content(self, sample: Window) -> bytes:
        return np.array(sample.values, dtype="<f8").tobytes()

    def decode(self, content: bytes, name: str) -> np.ndarray:
        # 32 bits per value where an earlier version kept the sample.
        wide = len(content) == 8 * math.prod(self._shape)
        return np.frombuffer(content, "<f8" if wide else "<f4").reshape(self._shape).astype(np.float64)

    def picture(self, content: bytes) -> Image.Image:
        from vssl.modalities.sensors.plots import plot, scaled_window  # the runtime draws nothing

        return plot(scaled_window(self.decode(content, ""), self._spec), PLOT_PX)


def build(spec: Spec) -> WindowWire:
    """The wire for these measurements."""
    return WindowWire(spec)
