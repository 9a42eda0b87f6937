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

LARGEST_PX, SMALLEST_PX, CLOSEUP_PX = 960, 320, 320


class ImageWire(FileWire):
    """Image files, decoded to uint8 [C, H, W]."""

    request_help = "Decide on image files. One that cannot be read is reviewed."
    file_help = "Image files: PNG, JPEG, WebP, BMP, TIFF."

    def __init__(self, spec: Spec) -> None:
        self._canvas = spec.canvas
        self.decoded_bytes = spec.canvas.channels * spec.canvas.height * spec.canvas.width

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

    def closeup(self, content: bytes, centre: tuple[float, float]) -> Image.Image | None:
        header = read_header(content, "")
        if max(header.width, header.height) <= LARGEST_PX:
            return None
        pixels = decode(content, "", replace(self._canvas, height=header.height, width=header.width))
        picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
        size = min(CLOSEUP_PX, header.width), min(CLOSEUP_PX, header.height)
        left, top = (
            min(max(0, round(share * side) - part // 2), side - part)
            for share, side, part in zip(centre[::-1], picture.size, size, strict=True)
        )
        return picture.crop((left, top, left + size[0], top + size[1]))

    def find_files(self, folder: Path) -> tuple[list[Path], list[str]]:
        found = list_pictures(folder)
        return [folder / name for name in found.names], found.notes

    def split(self, data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
        """Each page of a TIFF file is a sample."""
        return tiff.each_page(data, name)


def build(spec: Spec) -> ImageWire:
    """The wire for these measurements."""
    return ImageWire(spec)
