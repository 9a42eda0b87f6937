"""Sessions and windows of event logs as numbers, and views of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Int, Int16
from PIL import Image
from torch import Tensor

from vssl.encoders.countdecoder import CountDecoder
from vssl.encoders.event_transformer import padded_length
from vssl.errors import DataError
from vssl.files import atomic
from vssl.modalities import folders, sequences
from vssl.modalities.base import Ablation, Chunk, Contents, Dataset, LabelledSample, Modality, OnProgress
from vssl.modalities.copies import Memory, window_spans
from vssl.modalities.events import Config, Spec, corruptions, drawing, explaining, notes, views
from vssl.modalities.events.collector import CODES_PER_DOUBLING, CONTENT_HASH_COLUMNS, FIRST_TEMPLATE, UNKNOWN, Sample
from vssl.modalities.events.files import LogFile, RawLine, Tally, find_logs, fingerprint, is_log
from vssl.modalities.events.grouping import Item, Tokens
from vssl.modalities.events.reading import make_parser, overlapping_window, read_samples
from vssl.modalities.events.sample_metadata import label_column, metadata_table
from vssl.modalities.events.timestamp_formats import FORMATS
from vssl.modalities.events.tokenise import make_tokeniser, pad_samples
from vssl.modalities.unreadable import Unreadable, check_share
from vssl.types import Events

# Ten doublings of a millisecond: a gap of a second is 1.
ONE_SECOND = 10 * CODES_PER_DOUBLING
CHUNK = 1024


class EventModality(Modality):
    """Sessions and windows of event logs as numbers, and views of them.

    A raw batch is int16 [B, 2, S + L]: the content hash (S columns), then tokens and codes of the gaps before them.
    """

    shape: tuple[int, int]
    patch_grid = (1, 32)
    explained_by_ablations = True
    corruptions = tuple(corruptions.KINDS)

    def __init__(self, config: Config, spec: Spec) -> None:
        self.config = config
        self.spec = spec
        self.max_broken = config.max_broken
        self.shape = (FIRST_TEMPLATE + len(spec.templates), spec.length)
        self._samples: dict[str, int] = {}
        self._tallies: dict[str, Tally] = {}

    def load(self, source: str | Path, on_progress: OnProgress | None = None) -> Sessions:
        files = find_logs(source)
        tally = Tally()
        chunks = [self._chunk([], files)]
        done = 0
        for chunk in self._chunks(files, 0, CHUNK, tally):
            chunks.append(chunk)
            done += len(chunk.ids) + len(chunk.broken)
            if on_progress:
                on_progress(done, done)
        broken = [item for chunk in chunks for item in chunk.broken]
        check_share(broken, done, self.max_broken, f"samples of {source}")
        state = fingerprint(files)
        self._samples[state], self._tallies[state] = done, tally
        return Sessions(
            raw=torch.cat([chunk.raw for chunk in chunks]),
            ids=[name for chunk in chunks for name in chunk.ids],
            metadata=pa.concat_tables([chunk.metadata for chunk in chunks]),
            fingerprint=state,
            broken=broken,
            signatures=[signature for chunk in chunks for signature in chunk.signatures],
        )

    def stream(self, source: str | Path, start: int = 0, size: int = 1024) -> Iterator[Chunk]:
        return self._chunks(find_logs(source), start, size)

    def sample(self, source: str | Path, count: int, seed: int) -> Chunk:
        files = find_logs(source)
        total = self.contents(source).samples
        drawn = set(np.random.default_rng(seed).permutation(total)[:count].tolist())
        items = enumerate(self._items(files, make_tokeniser(self.spec)))
        return self._chunk([item for row, item in items if row in drawn], files)

    def contents(self, source: str | Path) -> Contents:
        files = find_logs(source)
        state = fingerprint(files)
        if state not in self._samples:
            tally = Tally()
            self._samples[state] = sum(1 for _ in self._items(files, lambda _: UNKNOWN, tally))
            self._tallies[state] = tally
        settings = repr((state, self.config.label_from, self.config.metadata_fields))
        return Contents(self._samples[state], state, hashlib.sha256(settings.encode()).hexdigest())

    def notes(self, source: str | Path) -> list[str]:
        self.contents(source)  # read once, if it was not yet
        return notes.notes(
            self.spec.reading, self._tallies[fingerprint(find_logs(source))], folders.skipped_files(source, is_log)
        )

    def signatures(self, chunk: Chunk) -> Sequence[bytes]:
        return chunk.signatures

    def remember(self, dataset: Dataset) -> dict[str, np.ndarray]:
        sessions, reading = cast(Sessions, dataset), self.spec.reading
        spans = window_spans(sessions.metadata)
        if spans is None and reading.has_windows:
            source, first, last = (sessions.metadata[name].to_pylist() for name in ("source", "first", "last"))
            spans = [(name, row, stop + 1) for name, row, stop in zip(source, first, last, strict=True)]
        return sequences.remember(sessions.signatures, spans, 1)

    def copies(self, memory: Memory) -> sequences.SequenceCopyDetector:
        return sequences.SequenceCopyDetector(memory)

    def views(self, raw: Tensor, generator: torch.Generator, part: slice = slice(None)) -> list[Events]:
        drawn = [views.draw(len(raw), self.spec.length, generator) for _ in range(2)]
        codes = raw[part, :, CONTENT_HASH_COLUMNS:]
        return [_events(views.apply(codes, parameters[part])) for parameters in drawn]

    def eval_view(self, raw: Tensor) -> Events:
        return _events(raw[:, :, CONTENT_HASH_COLUMNS:])

    def size_classes(self, raw: Tensor) -> Int[Tensor, " B"]:
        return padded_length((raw[:, 0, CONTENT_HASH_COLUMNS:] != 0).sum(1))

    def corrupt(self, raw: Tensor, kind: str, level: int, generator: torch.Generator) -> Tensor:
        stamp, codes = raw[:, :, :CONTENT_HASH_COLUMNS], raw[:, :, CONTENT_HASH_COLUMNS:]
        return torch.cat([stamp, corruptions.corrupt(codes, kind, level, generator)], 2)

    def ablations(self, raw: Tensor, metadata: Mapping[str, Any]) -> list[Ablation]:
        return explaining.ablations(raw, metadata, self.spec.templates)

    def pictures(self, source: str | Path, ids: Sequence[str]) -> list[Image.Image | None]:
        wanted, found = set(ids), {}
        # Data that are gone, or can no longer be read, have no pictures from there on.
        with suppress(DataError):
            for item in self._items(find_logs(source), make_tokeniser(self.spec)):
                if item.id in wanted and isinstance(item, Sample):
                    found[item.id] = drawing.picture(item, self.spec.templates)
                if len(found) == len(wanted):
                    break
        return [found.get(name) for name in ids]

    def draw(self, source: str | Path, path: Path, samples: int, seed: int) -> Path:
        chunk = self.sample(source, samples, seed)
        generator = torch.Generator().manual_seed(seed)
        drawn = [[view.tokens for view in self.views(chunk.raw, generator)] for _ in range(drawing.DRAWS)]
        columns = [list(column) for column in zip(*drawn, strict=True)]
        with atomic(path) as file:
            drawing.sheet(chunk.ids, self.eval_view(chunk.raw).tokens, columns, self.spec.templates).save(file, "PNG")
        return path

    def select_labelled(self, samples: Sequence[LabelledSample]) -> tuple[list[LabelledSample], str]:
        """The first of each session: lines of one session are read as one sample, wherever they are."""
        reading = self.spec.reading
        if reading.format == "sessions" or not reading.settings.session:
            return list(samples), ""
        first: dict[str, LabelledSample] = {}
        for sample in samples:
            texts = enumerate(sample.content.decode().split("\n"), 1)
            lines = map(make_parser(reading), (RawLine(number, text, False, False) for number, text in texts))
            sessions = {line.session for line in lines if line.session}
            if len(sessions) == 1:
                first.setdefault(sessions.pop(), sample)
        return list(first.values()), (
            "their lines name no session or several, or one that was sent again with other lines: of those the one "
            "that was labelled last counts"
        )

    def write_labelled(self, folder: Path, samples: Sequence[LabelledSample], group: str | None) -> tuple[str, str]:
        kind = self.spec.reading.format
        for sample in samples:
            content = sample.content
            if kind == "sessions":
                content = f"{sample.stem},{' '.join(content.decode().splitlines())}".encode()
            with atomic(folder / sample.label / f"{sample.stem}.{'jsonl' if kind == 'jsonl' else 'log'}") as file:
                file.write(content + b"\n")
        return str(folder / "normal"), str(folder / "defect")

    def decoder(self, latent: int) -> CountDecoder:
        return CountDecoder(latent, self.shape)

    def _items(self, files: Sequence[LogFile], tokens: Tokens, tally: Tally | None = None) -> Iterator[Item]:
        return read_samples(files, self.spec.reading, tokens, self.spec.length, self.config.metadata_fields, tally)

    def _chunks(self, files: Sequence[LogFile], start: int, size: int, tally: Tally | None = None) -> Iterator[Chunk]:
        items = islice(self._items(files, make_tokeniser(self.spec), tally), start, None)
        while held := list(islice(items, size)):
            yield self._chunk(held, files)

    def _chunk(self, held: Sequence[Item], files: Sequence[LogFile]) -> Chunk:
        samples = [item for item in held if isinstance(item, Sample)]
        broken = [item for item in held if isinstance(item, Unreadable)]
        raw = torch.from_numpy(pad_samples(samples, self.spec.length))
        ids, signatures = [item.id for item in samples], [item.signature for item in samples]
        clock, window = self.spec.reading.timestamp_format, overlapping_window(self.spec.reading)
        timed = bool(clock) and FORMATS[clock].since_1970
        labels = label_column(samples, files, self.config.label_from, bool(self.config.line_label))
        metadata = metadata_table(samples, labels, self.config.metadata_fields, timed, window)
        return Chunk(ids, metadata, raw, broken, signatures)


def _events(codes: Int16[Tensor, "B 2 L"]) -> Events:
    return Events(codes[:, 0].long(), codes[:, 1].float() / ONE_SECOND)


@dataclass(eq=False)
class Sessions:
    """Sessions for training: int16 [N, 2, S + L], in memory."""

    raw: Tensor
    ids: Sequence[str]
    metadata: pa.Table
    fingerprint: str
    broken: Sequence[Unreadable]
    signatures: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.raw)

    def batch(self, rows: np.ndarray) -> Tensor:
        return self.raw[torch.from_numpy(rows).to(self.raw.device)]

    def to(self, device: torch.device) -> Sessions:
        return replace(self, raw=self.raw.to(device))
