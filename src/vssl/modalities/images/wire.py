"""Images as they are sent to the runtime or to the service: one file each; without torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from vssl.modalities.images import Spec, tiff
from vssl.modalities.images.decode import decode, read_header
from vssl.modalities.images.folder_listing import list_pictures
from vssl.modalities.wire import FileWire

LARGEST_PX, SMALLEST_PX = 960, 320


class ImageWire(FileWire):
    """Image files, decoded to uint8 [C, H, W]."""

    request_help = "Decide on image files. One that cannot be read is reviewed."
    file_help = "Image files: PNG, JPEG, WebP, BMP, TIFF."

    def __init__(self, spec: Spec) -> None:
        self._canvas = spec.canvas

    def decode(self, content: bytes, name: str) -> np.ndarray:
        return decode(content, name, self._canvas)

    def picture(self, content: bytes) -> Image.Image:
        header = read_header(content, "")
        # In the size in which it was sent, not in that of the model: small defects are to be seen.
        shrunk = min(1.0, LARGEST_PX / max(header.width, header.height))
        height, width = (max(1, round(side * shrunk)) for side in (header.height, header.width))
        pixels = decode(content, "", replace(self._canvas, height=height, width=width))
        scale = max(1, SMALLEST_PX // max(height, width))
        picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
        return picture.resize((width * scale, height * scale), Image.Resampling.NEAREST)

    def find_files(self, folder: Path) -> tuple[list[Path], list[str]]:
        listing = list_pictures(folder)
        return [folder / name for name in listing.names], listing.notes

    def split(self, data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
        """Each page of a TIFF file is a sample."""
        return tiff.each_page(data, name)


def build(spec: Spec) -> ImageWire:
    """The wire for these measurements."""
    return ImageWire(spec)
