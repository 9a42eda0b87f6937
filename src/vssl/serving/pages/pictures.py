"""What was sent, as a picture for a person: made anew, so that nothing but pixels reaches the browser."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any
from zipfile import ZipFile

import numpy as np
from PIL import Image

from vssl.config import from_dict
from vssl.errors import BrokenFileError
from vssl.modalities.images.decode import Canvas, decode, read_header
from vssl.modalities.sensors import Spec
from vssl.modalities.sensors.plots import plot, scaled_window
from vssl.reporting.blend import blend
from vssl.runtime import folder
from vssl.serving.samples import window_of
from vssl.serving.service import Service

LARGEST = 960
SMALLEST = 320
PLOT = (640, 400)


class Pictures:
    """Pictures of samples and of the known ones of an export, as WebP."""

    def __init__(self, service: Service) -> None:
        decider = service.decider
        self._samples, self._decider = service.samples, decider
        self._modality, self._spec = decider.about["modality"], decider.about["spec"]
        self._low, self._high = decider.known.get("heat", (0.0, 1.0))
        archive = folder.pictures(decider.path, decider.about)
        self._known = None if archive is None else ZipFile(io.BytesIO(archive))
        self._rows = {name: row for row, name in enumerate(decider.known["bank"])}

    def sample(self, decision: dict[str, Any], heat: bool) -> bytes | None:
        """A sample that was sent, with colour where it is unlike known ones if asked; None if it cannot be shown."""
        data = self._samples.get(decision["content"])
        if data is None or self._modality == "events":
            return None
        try:
            picture = self._image(data) if self._modality == "images" else self._plot(data)
        except BrokenFileError:
            return None
        if heat and decision["heat"] is not None:
            picture = blend(picture, self.strength(decision))
        return _webp(picture)

    def lines(self, decision: dict[str, Any]) -> list[tuple[str, bool]] | None:
        """The lines of a session or window that was sent, and whether the training had their kinds; None without."""
        data = self._samples.get(decision["content"]) if self._modality == "events" else None
        if data is None:
            return None
        texts = data.decode().split("\n")
        return list(zip(texts, self._decider.log_encoder.known(texts), strict=True))

    def strength(self, decision: dict[str, Any]) -> np.ndarray:
        """How unusual each place is: 0 as in 95 % of the known normals' places, 1 as in one of a thousand."""
        return ((np.array(decision["heat"]) - self._low) / (self._high - self._low)).clip(0, 1)

    def known(self, name: str) -> bytes | None:
        """A known sample."""
        entry = f"{self._rows.get(name)}.webp"
        return self._known.read(entry) if self._known is not None and entry in self._known.namelist() else None

    def _image(self, data: bytes) -> Image.Image:
        header, canvas = read_header(data, ""), Canvas(**self._spec["canvas"])
        # As it was sent, not as the model sees it: small defects are to be seen.
        shrunk = min(1.0, LARGEST / max(header.width, header.height))
        height, width = (max(1, round(side * shrunk)) for side in (header.height, header.width))
        pixels = decode(data, "", replace(canvas, height=height, width=width))
        scale = max(1, SMALLEST // max(height, width))
        picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
        return picture.resize((width * scale, height * scale), Image.Resampling.NEAREST)

    def _plot(self, data: bytes) -> Image.Image:
        spec = from_dict(Spec, self._spec, "spec")
        return plot(scaled_window(window_of(data, self._decider.shape), spec), PLOT)


def _webp(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.convert("RGB").save(data, "WEBP", quality=90)
    return data.getvalue()
