"""Windows of sensor series, cut when they are needed, and views of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Float32, Int64
from PIL import Image
from torch import Tensor

from vssl.encoders.temporal_decoder import TemporalDecoder
from vssl.errors import DataError, TooManyBrokenError
from vssl.files import atomic
from vssl.modalities.base import Broken, Chunk, Contents, Modality, OnProgress, Part
from vssl.modalities.sensors import Config, Spec, corruptions
from vssl.modalities.sensors.index import Cut, File, Index, index, windows
from vssl.modalities.sensors.plots import plot, sheet
from vssl.modalities.sensors.presets import PRESETS
from vssl.modalities.sensors.rows import Layout, joined, read
from vssl.modalities.sensors.views import make_view
from vssl.types import Series

LINEAR = 4.0
"""Spreads up to which a value is passed on as it is; beyond, its logarithm grows."""
DRAWS = 3
SPANS = 4
MOST_CHANNELS = 16
"""With more channels than this, each is thought away as a whole only."""


@dataclass(frozen=True)
class BrokenFile:
    """A file that cannot be read, and why."""

    id: str
    reason: str


class SensorModality(Modality):
    """Windows of series, with a value NaN where none is known: raw batches are float32 [B, C, T]."""

    shape: tuple[int, int]
    corruptions = tuple(corruptions.KINDS)

    def __init__(self, config: Config, spec: Spec) -> None:
        self.config = config
        self.spec = spec
        self.max_broken = config.max_broken
        self.shape = (len(spec.channels), spec.window)
        self._centre = torch.tensor(spec.centre)[:, None]
        self._scale = torch.tensor(spec.scale)[:, None]
        self._layout = Layout(spec.channels, spec.time, config.labels, spec.long, spec.resample_s)

    def load(self, source: str | Path, on_progress: OnProgress | None = None) -> Windows:
        found = self._index(source)
        broken = [BrokenFile(file.name, file.broken) for file in found.files if file.broken is not None]
        if len(broken) > self.max_broken * len(found.files):
            first = "; ".join(f"{item.id}: {item.reason}" for item in broken[:5])
            raise TooManyBrokenError(
                f"{len(broken)} of {len(found.files)} files of {source} are broken (allowed: a share of "
                f"{self.max_broken:g}, --max-broken). The first: {first}."
            )
        usable = [file for file in found.files if file.broken is None and len(file.starts)]
        values, starts, rows = [], [], 0
        for number, file in enumerate(usable, 1):
            part = joined(list(read(file.path, file.name, self._layout)), len(self.spec.channels)).values
            values.append(part)
            starts.append(file.starts + rows)
            rows += len(part)
            if on_progress:
                on_progress(number, len(usable))
        metadata = pa.concat_tables([file.metadata for file in usable], promote_options="default")
        ids = [name for file in usable for name in file.ids]
        return Windows(
            ids, metadata, found.fingerprint, broken, np.concatenate(values), np.concatenate(starts), self.spec.window
        )

    def stream(self, source: str | Path, start: int = 0, size: int = 1024) -> Iterator[Chunk]:
        samples = self._samples(self._index(source), start)
        while items := list(islice(samples, size)):
            good = [item for item in items if not isinstance(item, BrokenFile)]
            raw = np.stack([window for _, _, window in good]) if good else np.empty((0, *self.shape), np.float32)
            tables = [file.metadata.slice(row, 1) for file, row, _ in good]
            metadata = pa.concat_tables(tables, promote_options="default") if tables else pa.table({})
            ids = [f"{file.name}@{file.metadata['start'][row].as_py()}" for file, row, _ in good]
            yield Chunk(ids, metadata, torch.from_numpy(raw), [item for item in items if isinstance(item, BrokenFile)])

    def sample(self, source: str | Path, count: int, seed: int) -> Chunk:
        found = self._index(source)
        places = [(file, row) for file in found.files if file.broken is None for row in range(len(file.starts))]
        chosen = np.sort(np.random.default_rng(seed).permutation(len(places))[:count])
        picked = [places[at] for at in chosen]
        raw = [self._window(file, row) for file, row in picked]
        metadata = pa.concat_tables([file.metadata.slice(row, 1) for file, row in picked], promote_options="default")
        ids = [f"{file.name}@{file.metadata['start'][row].as_py()}" for file, row in picked]
        broken = [BrokenFile(file.name, file.broken) for file in found.files if file.broken is not None]
        return Chunk(ids, metadata.combine_chunks(), torch.from_numpy(np.stack(raw)), broken)

    def contents(self, source: str | Path) -> Contents:
        found = self._index(source)
        return Contents(len(found), found.fingerprint, f"{found.fingerprint} {self.config.labels}")

    def views(self, raw: Tensor, generator: torch.Generator, part: slice = slice(None)) -> list[Series]:
        plain, strengths = self.plain(raw), PRESETS[self.config.views]()
        # For all rows of the batch, so that a row's view does not depend on how they are divided.
        made = [make_view(plain, strengths, generator) for _ in range(2)]
        return [Series(view.values[part], view.known[part]) for view in made]

    def plain(self, raw: Tensor) -> Series:
        """Scaled by the training data's spread; beyond `LINEAR` spreads a value counts by its logarithm.

        So an outlier of any size stays an outlier, and none is so large that nothing else counts.
        """
        known = raw.isfinite()
        scaled = (raw.nan_to_num(0.0, 0.0, 0.0) - self._centre.to(raw.device)) / self._scale.to(raw.device)
        beyond = (scaled.abs() - LINEAR).clamp(min=0)
        bounded = scaled.clamp(-LINEAR, LINEAR) + scaled.sign() * beyond.log1p()
        return Series(bounded * known, known.to(bounded.dtype))

    def corrupt(self, raw: Tensor, kind: str, level: int, generator: torch.Generator) -> Tensor:
        return corruptions.corrupt(raw, self._scale.to(raw.device), kind, level, generator)

    def parts(self, raw: Tensor, metadata: Mapping[str, Any]) -> list[Part]:
        """Each channel as a whole, and, where there are not too many, each quarter of it."""
        length = raw.shape[1]
        cuts = [length * at // SPANS for at in range(SPANS + 1)]
        found = []
        for number, channel in enumerate(self.spec.channels):
            whole = raw.clone()
            whole[number] = torch.nan
            found.append(Part(channel, whole))
            if len(self.spec.channels) > MOST_CHANNELS:
                continue
            for first, stop in pairwise(cuts):
                without = raw.clone()
                without[number, first:stop] = torch.nan
                span = f"{self._place(metadata, first)} to {self._place(metadata, stop)}"
                found.append(Part(f"{channel}, {span}", without))
        return found

    def pictures(self, source: str | Path, ids: Sequence[str]) -> list[Image.Image | None]:
        try:
            found = self._index(source)
        except DataError:
            return [None] * len(ids)
        wanted = set(ids)
        places = {
            name: (file, row)
            for file in found.files
            if any(name.startswith(f"{file.name}@") for name in wanted)
            for row, name in enumerate(file.ids)
            if name in wanted
        }
        return [plot(self._shown(self._window(*places[name])[None])[0]) if name in places else None for name in ids]

    def draw(self, source: str | Path, path: Path, samples: int, seed: int) -> Path:
        raw = self.sample(source, samples, seed).raw
        generator = torch.Generator().manual_seed(seed)
        columns = [("original", self._shown(raw.numpy()))]
        for number in range(1, DRAWS + 1):
            columns.append((f"view {number}", _with_gaps(self.views(raw, generator)[0])))
        with atomic(path) as file:
            sheet(columns).save(file, "PNG")
        return path

    def decoder(self, latent: int) -> TemporalDecoder:
        return TemporalDecoder(latent, self.shape)

    def _index(self, source: str | Path) -> Index:
        step = None if self.spec.step_s is None else self.spec.step_s * 1e9
        return index(source, self._layout, Cut(self.spec.window, self.spec.stride, self.spec.block, step))

    def _samples(self, found: Index, start: int) -> Iterator[tuple[File, int, np.ndarray] | BrokenFile]:
        for file in found.files:
            if start >= file.samples:
                start -= file.samples
            elif file.broken is not None:
                yield BrokenFile(file.name, file.broken)
            else:
                first, start = start, 0
                for row, window in enumerate(windows(file, self._layout, self.spec.window, first), first):
                    yield file, row, window

    def _window(self, file: File, row: int) -> Float32[np.ndarray, "C T"]:
        return next(windows(file, self._layout, self.spec.window, row))

    def _shown(self, raw: np.ndarray) -> Float[np.ndarray, "B C T"]:
        return _with_gaps(self.plain(torch.from_numpy(np.ascontiguousarray(raw))))

    def _place(self, metadata: Mapping[str, Any], row: int) -> str:
        start = metadata["start"]
        if isinstance(start, int):
            return f"row {start + row}" if row == 0 else str(start + row)
        step = np.timedelta64(round((self.spec.step_s or 0) * row * 1e9), "ns")
        time = str((np.datetime64(start, "ns") + step).astype("datetime64[s]"))
        return time.replace("T", " ") if row == 0 else time.partition("T")[2]


class Windows:
    """Rows of all series, [rows, C], of which windows are cut when they are asked for."""

    def __init__(
        self,
        ids: list[str],
        metadata: pa.Table,
        fingerprint: str,
        broken: Sequence[Broken],
        values: Float32[np.ndarray, "rows C"],
        starts: Int64[np.ndarray, " N"],
        window: int,
    ) -> None:
        self.ids: Sequence[str] = ids
        self.metadata = metadata
        self.fingerprint = fingerprint
        self.broken = broken
        self._values, self._starts, self._span = values, starts, np.arange(window)

    def __len__(self) -> int:
        return len(self._starts)

    def batch(self, rows: np.ndarray) -> Tensor:
        picked = self._values[self._starts[rows][:, None] + self._span]
        return torch.from_numpy(np.ascontiguousarray(picked.transpose(0, 2, 1)))

    def to(self, device: torch.device) -> Windows:
        """Windows overlap and are small: they are cut in memory and moved batch by batch."""
        return self


def _with_gaps(view: Series) -> Float[np.ndarray, "B C T"]:
    return torch.where(view.known > 0, view.values, torch.nan).numpy()
