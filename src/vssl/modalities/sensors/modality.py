"""Windows of sensor series, cut when they are needed, and views of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64, Int64
from PIL import Image
from torch import Tensor

from vssl.encoders.temporal_decoder import TemporalDecoder
from vssl.errors import ConfigError, DataError
from vssl.files import atomic
from vssl.modalities import sequences
from vssl.modalities.base import Ablation, Chunk, Contents, Dataset, LabelledSample, Modality, OnProgress
from vssl.modalities.copies import Memory
from vssl.modalities.sensors import Config, Spec, channel_notes, corruptions, notes, row_hashes
from vssl.modalities.sensors.dialect import ReadOptions
from vssl.modalities.sensors.index import Index, SeriesFile, build_index, read_file, read_windows
from vssl.modalities.sensors.plots import plot, view_sheet
from vssl.modalities.sensors.presets import PRESETS, make_view
from vssl.modalities.sensors.rows import Layout, concat_rows
from vssl.modalities.sensors.standardise import Standardiser
from vssl.modalities.sensors.windowing import WindowSpec
from vssl.modalities.sensors.wire import WindowWire
from vssl.modalities.unreadable import Unreadable, check_share
from vssl.types import Series

LINEAR = 4.0
"""Spreads up to which a value is passed on as it is; beyond, its logarithm grows."""
DRAWS = 3
QUARTERS = 4
OUTLINE = 2048
"""So many values of a window, at most, are compared one by one."""
STILL = 0.001
"""Spreads of a channel, in those of the training series, below which all are alike."""
MOST_CHANNELS = 16
"""With more channels than this, each is left out as a whole only."""


Item = tuple[SeriesFile, int, np.ndarray] | Unreadable
"""A window: its file, its number in it, and its values; or a file that cannot be used."""


class SensorModality(Modality):
    """Windows of series in the units of the data, NaN where nothing is known: raw batches are float64 [B, C, T]."""

    shape: tuple[int, int]
    patch_grid = (1, 32)
    explained_by_ablations = True
    corruptions = tuple(corruptions.KINDS)

    def __init__(self, config: Config, spec: Spec) -> None:
        self.config = config
        self.spec = spec
        self.max_broken = config.max_broken
        self.shape = (len(spec.channels), spec.window)
        self._scaling = Standardiser(spec)
        self._layout = Layout(
            spec.channels,
            spec.time,
            config.labels,
            spec.long_format,
            spec.resample_s,
            series_by=config.series_by or None,
            options=ReadOptions.of(config, spec.usual_decimal, spec.usual_order),
            sentinels=spec.sentinels,
            units=spec.units,
        )

    def load(self, source: str | Path, on_progress: OnProgress | None = None) -> Windows:
        found = self._index(source)
        broken = _broken(found)
        check_share(broken, len(found.files), self.max_broken, f"files of {source}")
        usable = [file for file in found.files if file.broken is None]
        values, starts, rows = [], [], 0
        for number, file in enumerate(usable, 1):
            part = concat_rows(list(read_file(file)), len(self.spec.channels)).values
            values.append(part)
            starts.append(file.starts + rows)
            rows += len(part)
            if on_progress:
                on_progress(number, len(usable))
        metadata = pa.concat_tables([file.metadata() for file in usable], promote_options="permissive")
        ids = [name for file in usable for name in file.ids()]
        return Windows(
            ids, metadata, found.fingerprint, broken, np.concatenate(values), np.concatenate(starts), self.spec.window
        )

    def stream(self, source: str | Path, start: int = 0, size: int = 1024) -> Iterator[Chunk]:
        samples = self._samples(self._index(source), start)
        while items := list(islice(samples, size)):
            yield self._chunk(items)

    def sample(self, source: str | Path, count: int, seed: int) -> Chunk:
        found = self._index(source)
        whole = [file for file in found.files if file.broken is None]
        total = sum(len(file.starts) for file in whole)
        chosen = np.sort(np.random.default_rng(seed).permutation(total)[:count])
        picked: list[Item] = list(_broken(found))
        for file in whole:
            own, chosen = chosen[chosen < len(file.starts)], chosen[chosen >= len(file.starts)] - len(file.starts)
            picked += self._windows(file, own)
        return self._chunk(picked)

    def contents(self, source: str | Path) -> Contents:
        found = self._index(source)
        return Contents(len(found), found.fingerprint, f"{found.fingerprint} {self.config.labels}", len(found.files))

    def notes(self, source: str | Path) -> list[str]:
        found = self._index(source)
        about_tables = notes.table_notes(source, self.spec, self._layout, found)
        return [*about_tables, *channel_notes.missing_notes(self.spec, found), *channel_notes.training_notes(self.spec)]

    def signatures(self, chunk: Chunk) -> list[bytes]:
        return [rows.tobytes() for rows in row_hashes.hash_rows(chunk.raw.numpy(), np.array(self.spec.scale))]

    def remember(self, dataset: Dataset) -> dict[str, np.ndarray]:
        return row_hashes.remember(dataset, np.array(self.spec.scale))

    def copies(self, memory: Memory) -> sequences.SequenceCopyDetector:
        return sequences.SequenceCopyDetector(memory)

    def views(self, raw: Tensor, generator: torch.Generator, part: slice = slice(None)) -> list[Series]:
        plain, strengths = self.eval_view(raw), PRESETS[self.config.views]
        # For all rows of the batch, so that a row's view does not depend on how they are divided.
        made = [make_view(plain, strengths, generator) for _ in range(2)]
        return [Series(view.values[part], view.known[part]) for view in made]

    def eval_view(self, raw: Tensor) -> Series:
        """Scaled by the training data's spread; beyond `LINEAR` spreads a value counts by its logarithm.

        So an outlier of any size stays an outlier, and none is so large that nothing else counts.
        """
        scaled, known = self._scaling(raw)
        beyond = (scaled.abs() - LINEAR).clamp(min=0)
        bounded = scaled.clamp(-LINEAR, LINEAR) + scaled.sign() * beyond.log1p()
        return Series(bounded * known, known.to(bounded.dtype))

    def raw_descriptor(self, view: Series) -> Float[Tensor, "B n"]:  # type: ignore[override]
        """The values themselves, channel by channel, and the log spread of each: a channel that stands still has none.

        Where a window has too many values, they are means over some rows.
        """
        channels, window = self.shape
        values = F.adaptive_avg_pool1d(view.values, min(window, max(QUARTERS, OUTLINE // channels)))
        # Not `std`, which warns of an empty batch.
        spread = (view.values - view.values.mean(2, keepdim=True)).square().mean(2).sqrt()
        return torch.cat([values.flatten(1), (spread + STILL).log()], 1)

    def corrupt(self, raw: Tensor, kind: str, level: int, generator: torch.Generator) -> Tensor:
        return corruptions.corrupt(raw, self._scaling.scale.to(raw.device), kind, level, generator)

    def ablations(self, raw: Tensor, metadata: Mapping[str, Any]) -> list[Ablation]:
        """Without each channel as a whole, and, where there are not too many, without each quarter of it."""
        length = raw.shape[1]
        bounds = [length * at // QUARTERS for at in range(QUARTERS + 1)]
        ablations = []
        for number, channel in enumerate(self.spec.channels):
            whole = raw.clone()
            whole[number] = torch.nan
            ablations.append(Ablation(channel, whole))
            if len(self.spec.channels) > MOST_CHANNELS:
                continue
            for first, stop in pairwise(bounds):
                ablated = raw.clone()
                ablated[number, first:stop] = torch.nan
                ablations.append(Ablation(f"{channel}, {self._span(metadata['start'], first, stop)}", ablated))
        return ablations

    def pictures(self, source: str | Path, ids: Sequence[str]) -> list[Image.Image | None]:
        try:
            found = self._index(source)
        except DataError:
            return [None] * len(ids)
        shown: dict[str, Image.Image] = {}
        for file in found.files:
            own = {row: name for name in ids if (row := file.row_of(name)) is not None}
            for _, row, window in self._windows(file, np.array(sorted(own), int)):
                shown[own[row]] = plot(self._shown(window[None])[0])
        return [shown.get(name) for name in ids]

    def draw(self, source: str | Path, path: Path, samples: int, seed: int) -> Path:
        raw = self.sample(source, samples, seed).raw
        generator = torch.Generator().manual_seed(seed)
        columns = [("original", self._shown(raw.numpy()))]
        columns += [(f"view {at}", _with_gaps(self.views(raw, generator)[0])) for at in range(1, DRAWS + 1)]
        with atomic(path) as file:
            view_sheet(columns).save(file, "PNG")
        return path

    def write_labelled(self, folder: Path, samples: Sequence[LabelledSample], group: str | None) -> tuple[str, str]:
        if self.spec.long_format is not None:
            raise ConfigError(
                "--from-reviews is not there for series with one value per row: calibrate with --normal DATA."
            )
        wire = WindowWire(self.spec)
        for sample in samples:
            values = wire.decode(sample.content, sample.id)
            channels = zip(self.spec.channels, values, strict=True)
            columns = {name: pa.array(own, from_pandas=True) for name, own in channels}
            if self.spec.time is not None:
                steps = np.arange(self.spec.window) * round((self.spec.step_s or 1) * 1e9)
                columns = {self.spec.time: pa.array(steps.astype("datetime64[ns]")), **columns}
            with atomic(folder / sample.label / f"{sample.stem}.parquet") as file:
                pq.write_table(pa.table(columns), file)
        return str(folder / "normal"), str(folder / "defect")

    def decoder(self, latent: int) -> TemporalDecoder:
        return TemporalDecoder(latent, self.shape)

    def _index(self, source: str | Path) -> Index:
        step = None if self.spec.step_s is None else self.spec.step_s * 1e9
        return build_index(source, self._layout, WindowSpec(self.spec.window, self.spec.stride, self.spec.block, step))

    def _samples(self, found: Index, start: int) -> Iterator[Item]:
        for file in found.files:
            if start >= file.samples:
                start -= file.samples
            elif file.broken is not None:
                yield Unreadable(file.name, file.broken)
            else:
                first, start = start, 0
                yield from self._windows(file, np.arange(first, len(file.starts)))

    def _windows(self, file: SeriesFile, rows: Int64[np.ndarray, " k"]) -> Iterator[tuple[SeriesFile, int, np.ndarray]]:
        """Some windows of a file, in their order; it is read once."""
        for row, window in zip(rows, read_windows(file, self.spec.window, rows), strict=True):
            yield file, int(row), window

    def _chunk(self, items: Sequence[Item]) -> Chunk:
        broken = [item for item in items if isinstance(item, Unreadable)]
        good = [item for item in items if not isinstance(item, Unreadable)]
        raw = np.stack([window for _, _, window in good]) if good else np.empty((0, *self.shape))
        ids: list[str] = []
        tables: list[pa.Table] = []
        for file, own in groupby(good, key=lambda item: item[0]):
            rows = [row for _, row, _ in own]
            ids += file.ids(rows)
            tables.append(file.metadata(rows))
        metadata = pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})
        return Chunk(ids, metadata, torch.from_numpy(raw), broken)

    def _shown(self, raw: np.ndarray) -> Float[np.ndarray, "B C T"]:
        return _with_gaps(self.eval_view(torch.from_numpy(np.ascontiguousarray(raw))))

    def _span(self, start: Any, first: int, stop: int) -> str:
        """Rows of a window that begins at a row or a time, as rows or times of its file, the date once for each day."""
        if isinstance(start, int):
            return f"rows {start + first} to {start + stop}"
        steps = [np.timedelta64(round((self.spec.step_s or 0) * row * 1e9), "ns") for row in (first, stop)]
        begin, end = (str((np.datetime64(start, "ns") + step).astype("datetime64[s]")).split("T") for step in steps)
        return f"{' '.join(begin)} to {end[1] if begin[0] == end[0] else ' '.join(end)}"


@dataclass(eq=False)
class Windows:
    """Rows of all series, of which windows are cut when they are asked for; see `Dataset`."""

    ids: Sequence[str]
    metadata: pa.Table
    fingerprint: str
    broken: Sequence[Unreadable]
    values: Float64[np.ndarray, "rows C"]
    starts: Int64[np.ndarray, " N"]
    window: int

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, rows: np.ndarray) -> Tensor:
        picked = self.values[self.starts[rows][:, None] + np.arange(self.window)]
        return torch.from_numpy(np.ascontiguousarray(picked.transpose(0, 2, 1)))

    def to(self, device: torch.device) -> Windows:
        """Windows overlap and are small: they are cut in memory and moved batch by batch."""
        return self


def _broken(found: Index) -> list[Unreadable]:
    return [Unreadable(file.name, file.broken) for file in found.files if file.broken is not None]


def _with_gaps(view: Series) -> Float[np.ndarray, "B C T"]:
    return torch.where(view.known > 0, view.values, torch.nan).numpy()
