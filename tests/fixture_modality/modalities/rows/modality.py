"""Rows of numbers as raw samples float64 [C], and views of them with noise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor
from vssl.modalities.rows import Config, Spec, read
from vssl.modalities.rows.wire import RowWire

from vssl.files import atomic
from vssl.modalities.base import Chunk, Contents, Dataset, LabelledSample, Modality, OnProgress
from vssl.modalities.unreadable import Unreadable
from vssl.types import Series


class RowModality(Modality):
    """Rows of numbers."""

    patch_grid = (1, 1)

    def __init__(self, config: Config, spec: Spec) -> None:
        self.config, self.spec = config, spec
        self.max_broken = config.max_broken
        self.shape = (len(spec.mean),)

    def load(self, source: str | Path, on_progress: OnProgress | None = None) -> Dataset:
        return Rows(self._chunk(source), self.contents(source).fingerprint)

    def stream(self, source: str | Path, start: int = 0, size: int = 1024) -> Iterator[Chunk]:
        whole = self._chunk(source)
        for first in range(start, len(whole.ids), size):
            rows = slice(first, first + size)
            yield Chunk(whole.ids[rows], whole.metadata[rows], whole.raw[rows], [])

    def sample(self, source: str | Path, count: int, seed: int) -> Chunk:
        whole = self._chunk(source)
        rows = np.sort(np.random.default_rng(seed).permutation(len(whole.ids))[:count])
        return Chunk([whole.ids[row] for row in rows], whole.metadata.take(rows), whole.raw[rows], [])

    def contents(self, source: str | Path) -> Contents:
        data = Path(source).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return Contents(len(data.splitlines()), digest, digest)

    def views(self, raw: Tensor, generator: torch.Generator, part: slice = slice(None)) -> Sequence[Series]:
        noise = [torch.randn(raw.shape, generator=generator).to(raw.device) for _ in range(2)]
        plain = self.eval_view(raw)
        return [Series((plain.values + 0.2 * one[:, :, None])[part], plain.known[part]) for one in noise]

    def eval_view(self, raw: Tensor) -> Series:
        mean, std = (torch.tensor(values, dtype=torch.float64) for values in (self.spec.mean, self.spec.std))
        scaled = ((raw.double() - mean.to(raw.device)) / std.to(raw.device)).float()[:, :, None]
        return Series(scaled, torch.ones_like(scaled))

    def pictures(self, source: str | Path, ids: Sequence[str]) -> list[Image.Image | None]:
        values, wire = dict(zip(*self._rows(source), strict=True)), RowWire(self.spec)
        return [wire.picture(values[name].tobytes()) if name in values else None for name in ids]

    def draw(self, source: str | Path, path: Path, samples: int, seed: int) -> Path:
        with atomic(path) as file:
            Image.new("RGB", (8, 8)).save(file, "PNG")
        return path

    def write_labelled(self, folder: Path, samples: Sequence[LabelledSample], group: str | None) -> tuple[str, str]:
        wire = RowWire(self.spec)
        for label in ("normal", "defect"):
            rows = [wire.decode(one.content, one.id).tolist() for one in samples if one.label == label]
            with atomic(folder / f"{label}.csv") as file:
                file.write("".join(f"{','.join(map(repr, row))},{label}\n" for row in rows).encode())
        return str(folder / "normal.csv"), str(folder / "defect.csv")

    def _rows(self, source: str | Path) -> tuple[list[str], np.ndarray]:
        values, _ = read(source)
        return [f"{Path(source).name}#{row}" for row in range(len(values))], values

    def _chunk(self, source: str | Path) -> Chunk:
        ids, values = self._rows(source)
        return Chunk(ids, pa.table({"label": read(source)[1]}), torch.from_numpy(values), [])


class Rows:
    """Rows for training."""

    def __init__(self, chunk: Chunk, fingerprint: str) -> None:
        self.ids, self.metadata, self._raw, self.fingerprint = chunk.ids, chunk.metadata, chunk.raw, fingerprint
        self.broken: Sequence[Unreadable] = []

    def __len__(self) -> int:
        return len(self._raw)

    def batch(self, rows: np.ndarray) -> Tensor:
        return self._raw[torch.from_numpy(rows)]

    def to(self, device: torch.device) -> Rows:
        return self
