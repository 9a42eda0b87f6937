"""Images, decoded once to 8 bits on one canvas, and views of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
from vssl.errors import BrokenFileError, DataError, EmptyDataError, StorageError, TooManyBrokenError
from vssl.files import atomic
from vssl.modalities.base import Chunk, Contents, Dataset, LabelledSample, Modality, OnProgress
from vssl.modalities.copies import Memory
from vssl.modalities.images import SIZE, Config, Spec, copies, corruptions, store
from vssl.modalities.images.contact_sheet import contact_sheet
from vssl.modalities.images.decode import Canvas, preview, read_header
from vssl.modalities.images.index import Index, open_index
from vssl.modalities.images.index import choose_canvas as measure_canvas
from vssl.modalities.images.notes import notes
from vssl.modalities.images.presets import preset
from vssl.modalities.images.synthetic import synthesise
from vssl.modalities.images.views import apply, draw, make_view, normalise
from vssl.modalities.tiling import Tiling
from vssl.modalities.unreadable import Unreadable
from vssl.stats.blocks import at_most
from vssl.types import Images

# Enough for the mean and spread of the channels to two digits.
SAMPLE = 512
PICTURE_SIDE = 160
SAMPLE_BYTES = 512 * 2**20
DRAWS = 4
FIELDS = 8
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}
OVERVIEW_PX = 512
"""Longest side of what large pictures are described by as a whole."""
FAINT, BLANK = 0.1, 1e-6
"""Contrasts of a field and of a picture, in spreads of the training images, below which all are alike: a field may be
flat, but a picture without any contrast at all is none."""


def summarise_channels(source: str | Path, config: Config) -> Spec:
    """Mean and spread of the channels, from a sample of the images; see `images.measure`."""
    index = open_index(source, config.label_from)
    canvas = measure_canvas(index, config.size if config.size or config.tile else SIZE)
    if len(index) <= SAMPLE:
        # All are decoded here, so they are kept for the training that follows.
        with suppress(TooManyBrokenError, StorageError):
            store.load(index, canvas, max_broken=1.0)
    counts = np.zeros((canvas.channels, 256))
    broken: list[Unreadable] = []
    for chunk in store.read(index, canvas, _some(index, canvas, SAMPLE, seed=0), workers=1):
        broken += chunk.broken
        for channel in range(canvas.channels):
            counts[channel] += np.bincount(chunk.pixels[:, channel].ravel(), minlength=256)
    if not counts.any():
        first = broken[0]
        raise EmptyDataError(f"{source}: none of {len(broken)} images tried can be read ({first.id}: {first.reason}).")
    shares, levels = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
    mean = shares @ levels
    std = np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(1))
    # Images of one flat tone have no spread to divide by.
    std = np.where(std < 1e-3, 1.0, std)
    return Spec(canvas, tuple(mean.tolist()), tuple(std.tolist()))


def _some(index: Index, canvas: Canvas, count: int, seed: int) -> np.ndarray:
    """Rows of random images, ascending: `count` of them, and no more than have `SAMPLE_BYTES` on the canvas."""
    count = at_most(count, canvas.channels * canvas.height * canvas.width, SAMPLE_BYTES)
    return np.sort(np.random.default_rng(seed).permutation(len(index))[:count])


def _fingerprint(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()


class ImageModality(Modality):
    """Images, decoded once to 8 bits on one canvas, and views of them."""

    shape: tuple[int, int, int]
    patch_grid = (FIELDS, FIELDS)
    dense_patches = True
    corruptions = tuple(corruptions.KINDS)

    def __init__(self, config: Config, spec: Spec) -> None:
        self.config = config
        self.spec = spec
        self.max_broken = config.max_broken
        size = (spec.canvas.height, spec.canvas.width)
        tile = (min(size[0], config.tile), min(size[1], config.tile)) if config.tile else size
        self.tiling = None if tile == size else Tiling(size, tile)
        self.shape = (spec.canvas.channels, *tile)
        self.normalisation = (spec.mean, spec.std)
        self.trains_discriminator = config.views != "natural"
        self._presets = preset(config.views, spec.canvas.channels)

    def load(self, source: str | Path, on_progress: OnProgress | None = None) -> Pixels:
        data = store.load(self._index(source), self.spec.canvas, self.config.max_broken, on_progress=on_progress)
        return Pixels(torch.from_numpy(data.pixels), data.ids, data.metadata, data.fingerprint, data.broken)

    def training_samples(self, dataset: Dataset) -> Dataset:
        if self.tiling is None:
            return dataset
        assert isinstance(dataset, Pixels)
        return TilePixels(dataset, self.tiling)

    def stream(self, source: str | Path, start: int = 0, size: int = 1024) -> Iterator[Chunk]:
        index = self._index(source)
        for chunk in store.read(index, self.spec.canvas, np.arange(start, len(index)), batch=size):
            part = index.select(chunk.rows)
            yield Chunk(part.ids, part.metadata, torch.from_numpy(chunk.pixels), chunk.broken)

    def sample(self, source: str | Path, count: int, seed: int) -> Chunk:
        index, canvas = self._index(source), self.spec.canvas
        chunks = list(store.read(index, canvas, _some(index, canvas, count, seed), workers=1))
        kept = index.select(np.concatenate([chunk.rows for chunk in chunks]))
        pixels = torch.from_numpy(np.concatenate([chunk.pixels for chunk in chunks]))
        return Chunk(kept.ids, kept.metadata, pixels, [item for chunk in chunks for item in chunk.broken])

    def contents(self, source: str | Path) -> Contents:
        index = self._index(source)
        return Contents(len(index), index.fingerprint, _fingerprint(index.metadata))

    def notes(self, source: str | Path) -> list[str]:
        return notes(self._index(source), self.spec.canvas, self.tiling)

    def signatures(self, chunk: Chunk) -> list[bytes]:
        return [picture.tobytes() for picture in copies.thumbnails(chunk.raw)]

    def remember(self, dataset: Dataset) -> dict[str, np.ndarray]:
        return copies.remember(dataset)

    def copies(self, memory: Memory) -> copies.PictureCopyDetector:
        return copies.PictureCopyDetector(memory)

    def views(self, raw: Tensor, generator: torch.Generator, part: slice = slice(None)) -> list[Images]:
        raw, rows = self._tiles(raw, generator), len(raw)
        return [
            self._finish(apply(raw[part], draw(config, rows, generator)[part], config, generator))
            for config in self._presets
        ]

    def eval_view(self, raw: Tensor) -> Images:
        return self._finish(raw.float() / 255)

    def overview(self, raw: Tensor) -> Images:
        shrunk = -(-max(raw.shape[2:]) // OVERVIEW_PX)
        # Channel by channel: a large picture in floats has a quarter of a gigabyte.
        small = [F.avg_pool2d(raw[:, channel, None].float(), shrunk) for channel in range(raw.shape[1])]
        return self.eval_view(torch.cat(small, 1))

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
        generator = torch.Generator().manual_seed(seed)
        raw = self._tiles(self.sample(source, samples, seed).raw, generator)
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

    def _tiles(self, raw: Tensor, generator: torch.Generator) -> Tensor:
        """A random tile of each picture; the batch itself where it holds tiles, or pictures without tiles."""
        if self.tiling is None or tuple(raw.shape[1:]) == self.shape:
            return raw
        tiles = torch.randint(len(self.tiling), (len(raw),), generator=generator, device=generator.device).tolist()
        return torch.cat([self.tiling.cut(picture, [tile]) for picture, tile in zip(raw, tiles, strict=True)])

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


class TilePixels:
    """The tiles of large pictures as training samples: of each picture all its tiles, cut when they are asked for."""

    def __init__(self, pictures: Pixels, tiling: Tiling) -> None:
        self.pictures, self.tiling = pictures, tiling
        rows = np.repeat(np.arange(len(pictures)), len(tiling))
        self.ids: Sequence[str] = [pictures.ids[row] for row in rows.tolist()]
        # Arrow forgets the number of rows of a table without columns.
        self.metadata = pictures.metadata.take(pa.array(rows)) if pictures.metadata.num_columns else pictures.metadata
        self.fingerprint, self.broken = pictures.fingerprint, pictures.broken

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, rows: np.ndarray) -> Tensor:
        pictures, tiles = np.divmod(rows, len(self.tiling))
        pairs = zip(pictures.tolist(), tiles.tolist(), strict=True)
        return torch.cat([self.tiling.cut(self.pictures.pixels[picture], [tile]) for picture, tile in pairs])

    def to(self, device: torch.device) -> Dataset:
        return TilePixels(self.pictures.to(device), self.tiling)


def _picture(index: Index, row: int) -> Image.Image | None:
    try:
        return preview(index.read(row), index.ids[row], PICTURE_SIDE)
    except BrokenFileError:
        # Reading for training and embedding has named it already; here it only has no picture.
        return None
