"""Images, decoded once to 8 bits on one canvas, and views of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from vssl.encoders.convdecoder import ConvDecoder
from vssl.errors import BrokenFileError, DataError, EmptyDataError
from vssl.files import atomic
from vssl.modalities.base import Chunk, Contents, Dataset, LabelledSample, Modality, OnProgress
from vssl.modalities.copies import Memory
from vssl.modalities.images import Config, Spec, copies, corruptions, store
from vssl.modalities.images.contact_sheet import contact_sheet
from vssl.modalities.images.decode import Canvas, preview, read_header
from vssl.modalities.images.index import Index, open_index
from vssl.modalities.images.index import choose_canvas as measure_canvas
from vssl.modalities.images.notes import notes
from vssl.modalities.images.presets import preset
from vssl.modalities.images.synthetic import synthesise
from vssl.modalities.images.views import apply, draw, make_view, normalise
from vssl.modalities.unreadable import Unreadable
from vssl.types import Images

# Enough for the mean and spread of the channels to two digits.
SAMPLE = 512
PICTURE_SIDE = 160
DRAWS = 4
FIELDS = 8
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}
FAINT, BLANK = 0.1, 1e-6
"""Contrasts of a field and of a picture, in spreads of the training images, below which all are alike: a field may be
flat, but a picture without any contrast at all is none."""


def summarise_channels(source: str | Path, config: Config) -> Spec:
    """Mean and spread of the channels, from a sample of the images; see `images.measure`."""
    index = open_index(source, config.label_from)
    canvas = measure_canvas(index, config.size)
    sample = _sample(index, canvas, SAMPLE, seed=0)
    if not len(sample.raw):
        first = sample.broken[0]
        raise EmptyDataError(
            f"{source}: none of {len(sample.broken)} images tried can be read ({first.id}: {first.reason})."
        )
    values = sample.raw.double() / 255
    std = values.std(dim=(0, 2, 3), correction=0)
    # Images of one flat tone have no spread to divide by.
    std = torch.where(std < 1e-3, 1.0, std)
    return Spec(canvas, tuple(values.mean(dim=(0, 2, 3)).tolist()), tuple(std.tolist()))


def _sample(index: Index, canvas: Canvas, count: int, seed: int) -> Chunk:
    part = index.select(np.sort(np.random.default_rng(seed).permutation(len(index))[:count]))
    (chunk,) = store.stream(part, canvas, batch=len(part), workers=1)
    kept = part.select(chunk.rows)
    return Chunk(kept.ids, kept.metadata, torch.from_numpy(chunk.pixels), chunk.broken)


def _fingerprint(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()


class ImageModality(Modality):
    """Images, decoded once to 8 bits on one canvas, and views of them."""

    shape: tuple[int, int, int]
    patch_grid = (FIELDS, FIELDS)
    corruptions = tuple(corruptions.KINDS)

    def __init__(self, config: Config, spec: Spec) -> None:
        self.config = config
        self.spec = spec
        self.max_broken = config.max_broken
        self.shape = (spec.canvas.channels, spec.canvas.height, spec.canvas.width)
        self.normalisation = (spec.mean, spec.std)
        self.trains_discriminator = config.views != "natural"
        self._presets = preset(config.views, spec.canvas.channels)

    def load(self, source: str | Path, on_progress: OnProgress | None = None) -> Pixels:
        data = store.load(self._index(source), self.spec.canvas, self.config.max_broken, on_progress=on_progress)
        return Pixels(torch.from_numpy(data.pixels), data.ids, data.metadata, data.fingerprint, data.broken)

    def stream(self, source: str | Path, start: int = 0, size: int = 1024) -> Iterator[Chunk]:
        index = self._index(source)
        rest = index.select(np.arange(start, len(index)))
        for chunk in store.stream(rest, self.spec.canvas, batch=size):
            part = rest.select(chunk.rows)
            yield Chunk(part.ids, part.metadata, torch.from_numpy(chunk.pixels), chunk.broken)

    def sample(self, source: str | Path, count: int, seed: int) -> Chunk:
        return _sample(self._index(source), self.spec.canvas, count, seed)

    def contents(self, source: str | Path) -> Contents:
        index = self._index(source)
        return Contents(len(index), index.fingerprint, _fingerprint(index.metadata))

    def notes(self, source: str | Path) -> list[str]:
        return notes(self._index(source), self.spec.canvas)

    def signatures(self, chunk: Chunk) -> list[bytes]:
        return [picture.tobytes() for picture in copies.thumbnails(chunk.raw)]

    def remember(self, dataset: Dataset) -> dict[str, np.ndarray]:
        return copies.remember(dataset)

    def copies(self, memory: Memory) -> copies.PictureCopyDetector:
        return copies.PictureCopyDetector(memory)

    def views(self, raw: Tensor, generator: torch.Generator, part: slice = slice(None)) -> list[Images]:
        return [
            self._finish(apply(raw[part], draw(config, len(raw), generator)[part], config, generator))
            for config in self._presets
        ]

    def eval_view(self, raw: Tensor) -> Images:
        return self._finish(raw.float() / 255)

    def raw_descriptor(self, view: Images) -> Float[Tensor, "B n"]:  # type: ignore[override]
        """Of each channel the mean and log contrast of `FIELDS` x `FIELDS` fields, and the log contrast of the whole.

        The fields are those of the places. The last tells a blank picture, of which each field alone may be usual.
        """
        pixels = view.pixels
        mean = F.adaptive_avg_pool2d(pixels, FIELDS)
        contrast = (F.adaptive_avg_pool2d(pixels.square(), FIELDS) - mean.square()).clamp(min=0).sqrt()
        # Not `std`, which warns of an empty batch.
        whole = (pixels - pixels.mean((2, 3), keepdim=True)).square().mean((2, 3)).sqrt()
        parts = (mean.flatten(1), (contrast + FAINT).log().flatten(1), (whole + BLANK).log())
        return torch.cat(parts, 1)

    def corrupt(self, raw: Tensor, kind: str, level: int, generator: torch.Generator) -> Tensor:
        return corruptions.corrupt(raw, kind, level, generator)

    def synthetic_anomalies(self, raw: Tensor, generator: torch.Generator) -> Tensor:
        return synthesise(raw, generator).pixels

    def pictures(self, source: str | Path, ids: Sequence[str]) -> list[Image.Image | None]:
        try:
            index = self._index(source)
        except DataError:
            return [None] * len(ids)
        rows = {name: row for row, name in enumerate(index.ids)}
        return [_picture(index, rows[name]) if name in rows else None for name in ids]

    def draw(self, source: str | Path, path: Path, samples: int, seed: int) -> Path:
        raw = self.sample(source, samples, seed).raw
        generator = torch.Generator().manual_seed(seed)
        views = [[make_view(raw, config, generator) for _ in range(DRAWS)] for config in self._presets]
        with atomic(path) as file:
            contact_sheet(raw, views).save(file, "PNG")
        return path

    def write_labelled(self, folder: Path, samples: Sequence[LabelledSample], group: str | None) -> tuple[str, str]:
        columns: dict[str, list[Any]] = {"path": [], "label": [], "at": []} | ({group: []} if group else {})
        for sample in samples:
            name = f"{sample.stem}{SUFFIXES[read_header(sample.content, sample.id).format]}"
            with atomic(folder / name) as file:
                file.write(sample.content)
            row = {"path": name, "label": sample.label, "at": sample.at} | ({group: sample.group} if group else {})
            for column, value in row.items():
                columns[column].append(value)
        # Parquet, as a CSV file would bring back the group 01 as the number 1.
        path = folder / "samples.parquet"
        with atomic(path) as file:
            pq.write_table(pa.table(columns), file)
        return f"{path}:label=normal", f"{path}:label=defect"

    def decoder(self, latent: int) -> ConvDecoder:
        return ConvDecoder(latent, self.shape)

    def _index(self, source: str | Path) -> Index:
        return open_index(source, self.config.label_from)

    def _finish(self, pixels: Tensor) -> Images:
        normal = normalise(pixels, self.spec.mean, self.spec.std)
        return Images(normal.contiguous(memory_format=torch.channels_last))


@dataclass(eq=False)
class Pixels:
    """Decoded images for training: uint8 [N, C, H, W], memory-mapped, or on a GPU where they fit."""

    pixels: Tensor
    ids: Sequence[str]
    metadata: pa.Table
    fingerprint: str
    broken: Sequence[Unreadable]

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, rows: np.ndarray) -> Tensor:
        return self.pixels[torch.from_numpy(rows).to(self.pixels.device)]

    def to(self, device: torch.device) -> Pixels:
        if device.type != "cuda" or self.pixels.nbytes > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        return replace(self, pixels=self.pixels.to(device))


def _picture(index: Index, row: int) -> Image.Image | None:
    try:
        return preview(index.read(row), index.ids[row], PICTURE_SIDE)
    except BrokenFileError:
        # Reading for training and embedding has named it already; here it only has no picture.
        return None
