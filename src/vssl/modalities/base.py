"""The interface of a modality: what training, embedding, decisions, reports, exports and the service need of it.

The package `vssl.modalities.NAME` has
- a frozen `Config`, the settings; `DEFAULT_ENCODER`, the name of the encoder that suits;
- a frozen dataclass `Spec`, stored with the run: what `measure(source, config)` measures on the training data (sizes,
  ranges, mean and standard deviation), and `describe(spec) -> DataSummary`, the same for a person;
- `build(config, spec) -> Modality`;
- a module `wire`, the part without torch (see `vssl.modalities.wire`), and a module `demo` (see `vssl.demo`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from vssl.config import name_of
from vssl.encoders.base import Decoder
from vssl.errors import ConfigError
from vssl.modalities.copies import CopyDetector, Memory
from vssl.modalities.unreadable import Unreadable
from vssl.types import View

CORRUPTION_LEVELS = (1, 2, 3)
"""Severity of a corruption, 3 is the worst."""

OnProgress = Callable[[int, int], None]


class Dataset(Protocol):
    """Samples that training may read in any order, as often as it likes.

    Attributes:
        ids: One name per sample.
        metadata: One row per sample; training never reads it.
        fingerprint: Hash that changes whenever the data do.
        broken: The samples or files that could not be read and are therefore missing.
    """

    ids: Sequence[str]
    metadata: pa.Table
    fingerprint: str
    broken: Sequence[Unreadable]

    def __len__(self) -> int: ...
    def batch(self, rows: np.ndarray) -> Tensor: ...
    def to(self, device: torch.device) -> Dataset: ...


@dataclass(frozen=True)
class Chunk:
    """Consecutive samples of a stream, as `Modality.eval_view` takes them, and what was broken between them.

    Attributes:
        ids: One name per sample.
        metadata: One row per sample.
        raw: The samples, batch first.
        broken: The samples or files that could not be read.
        signatures: What identifies each sample, where that does not follow from the raw sample; see
            `Modality.signatures`.
    """

    ids: Sequence[str]
    metadata: pa.Table
    raw: Tensor
    broken: Sequence[Unreadable]
    signatures: Sequence[bytes] = ()


@dataclass(frozen=True)
class Ablation:
    """A sample without one of its parts.

    Attributes:
        name: The part, for a person, in the words of the data: a channel and a span of time, the text of an event.
        ablated: The raw sample as if nothing were known of this part, or as if it had not been there.
    """

    name: str
    ablated: Tensor


@dataclass(frozen=True)
class LabelledSample:
    """A sample that was sent to the service and labelled by a person.

    Attributes:
        number: Number of the decision on it.
        id: Its name, as it was sent.
        label: normal or defect.
        group: Its group; empty for none.
        at: When the decision was stored, UTC.
        content: Its content; see `vssl.modalities.wire`.
    """

    number: int
    id: str
    label: str
    group: str
    at: datetime
    content: bytes

    @property
    def stem(self) -> str:
        """A name for its file, without a suffix: the number, and what of the name can stand in a file name."""
        name = re.sub(r"\W+", "-", Path(self.id).stem)
        return f"{self.number}-{name[:60]}"


@dataclass(frozen=True)
class Contents:
    """What a source holds.

    Attributes:
        samples: Number of samples, broken ones included.
        fingerprint: Hash that changes whenever the samples do.
        metadata: Hash of their metadata.
        files: Number of files, where what breaks is a file of many samples; else None.
    """

    samples: int
    fingerprint: str
    metadata: str
    files: int | None = None


def check_corruption(kinds: Collection[str], kind: str, level: int) -> None:
    """Refuse a corruption that a modality does not have.

    Raises:
        ConfigError: There is no such kind or level.
    """
    if kind not in kinds or level not in CORRUPTION_LEVELS:
        raise ConfigError(f"There is no corruption {kind!r} of level {level}: {', '.join(kinds)}, levels 1 to 3.")


class Modality(ABC):
    """A kind of data, with its settings and what was measured on the training data.

    Attributes:
        config: Its settings.
        spec: What was measured on the training data.
        shape: What an encoder has to know of a sample; images: (channels, height, width).
        max_broken: Largest allowed share of broken samples (of broken files, where a file breaks as a whole), 0..1.
        corruptions: Kinds of corruption that `corrupt` has; empty if there are none for these data.
        patch_grid: Rows and columns of the patches of a sample, where its encoders have feature maps; one row is a
            stretch of time.
        explained_by_ablations: Whether `ablations` tells which parts of a sample carry its score; else patches do.
        trains_discriminator: Whether a discriminator is trained on `synthetic_anomalies`. It should be where a change
            of a part of a sample is a defect, which it is not in photographs of things.
        normalisation: Mean and standard deviation of each channel by which views of images are normalised, where white
            is 1; None for other data.
    """

    config: Any
    spec: Any
    shape: tuple[int, ...]
    max_broken: float
    corruptions: Sequence[str] = ()
    patch_grid: tuple[int, int] = (1, 1)
    explained_by_ablations: bool = False
    trains_discriminator: bool = False
    normalisation: tuple[Sequence[float], Sequence[float]] | None = None

    @abstractmethod
    def load(self, source: str | Path, on_progress: OnProgress | None = None) -> Dataset:
        """Read the samples of `source`, decoded once."""

    @abstractmethod
    def stream(self, source: str | Path, start: int = 0, size: int = 1024) -> Iterator[Chunk]:
        """Read `source` once, in order, from sample `start` on, in chunks of `size` samples, in constant memory."""

    @abstractmethod
    def sample(self, source: str | Path, count: int, seed: int) -> Chunk:
        """At most `count` samples drawn from all of `source`, in its order."""

    def find(self, source: str | Path, wanted: Collection[str]) -> Iterator[tuple[str, Tensor, dict[str, Any]]]:
        """Name, raw sample and row of the metadata of the samples with these names, in the order of the source."""
        left = len(wanted)
        for chunk in self.stream(source) if left else ():
            for row in (row for row, name in enumerate(chunk.ids) if name in wanted):
                metadata = {column: chunk.metadata[column][row].as_py() for column in chunk.metadata.column_names}
                yield chunk.ids[row], chunk.raw[row], metadata
                left -= 1
            if not left:
                return

    @abstractmethod
    def contents(self, source: str | Path) -> Contents:
        """Number and hashes of the samples of `source`."""

    def notes(self, source: str | Path) -> list[str]:
        """Sentences for a person on how `source` is read: the format that was recognised, and what is left out."""
        return []

    def signatures(self, chunk: Chunk) -> Sequence[bytes]:
        """What identifies each sample, wherever it was cut and however it was saved; empty where its content does."""
        return [b""] * len(chunk.ids)

    def remember(self, dataset: Dataset) -> dict[str, np.ndarray]:
        """What is stored with a run to recognise its training samples: a few bytes each."""
        return {}

    def copies(self, memory: Memory) -> CopyDetector | None:
        """Recognises samples by what `remember` stored; None where only the same content is the same sample."""
        return None

    @abstractmethod
    def views(self, raw: Tensor, generator: torch.Generator, part: slice = slice(None)) -> Sequence[View]:
        """A pair of augmented views of a raw batch, on its device.

        Args:
            part: In distributed training, the rows of the raw batch that are this process's own. The randomness of a
                row depends on the whole batch and the generator alone, not on how the batch is divided.
        """

    def many_views(
        self, count: int, raw: Tensor, generator: torch.Generator, part: slice = slice(None)
    ) -> Sequence[View]:
        """`count` augmented views, an even number: the pair of `views`, drawn again and again."""
        return [view for _ in range(count // 2) for view in self.views(raw, generator, part)]

    @abstractmethod
    def eval_view(self, raw: Tensor) -> View:
        """The raw batch as it is, without augmentation."""

    def size_classes(self, raw: Tensor) -> Int[Tensor, " B"]:
        """A class per raw sample: samples of one class have the same size for the encoder, in any batch."""
        return torch.zeros(len(raw), dtype=torch.long)

    def raw_descriptor(self, view: View) -> Float[Tensor, "B n"] | None:
        """A coarse description of the samples in few numbers, which a score can use without any learning, or None."""
        return None

    def corrupt(self, raw: Tensor, kind: str, level: int, generator: torch.Generator) -> Tensor:
        """The raw batch as if something had gone wrong when it was recorded.

        Args:
            kind: One of `corruptions`.
            level: One of `CORRUPTION_LEVELS`.

        Raises:
            ConfigError: There is no such kind or level.
        """
        raise ConfigError(f"{type(self).__name__} has no corruption {kind!r}.")

    def synthetic_anomalies(self, raw: Tensor, generator: torch.Generator) -> Tensor | None:
        """The raw batch with an anomaly in each sample, made from the batch itself, to choose settings without labels.

        None where a kind of data has no such anomalies.
        """
        return None

    def ablations(self, raw: Tensor, metadata: Mapping[str, Any]) -> list[Ablation]:
        """The sample without each of its parts in turn, to find out which of them carry a score.

        Args:
            raw: One raw sample, without the axis of the batch.
            metadata: Its row of the metadata.
        """
        return []

    @abstractmethod
    def pictures(self, source: str | Path, ids: Sequence[str]) -> list[Image.Image | None]:
        """Pictures of samples for a person; None where a sample is no longer there."""

    @abstractmethod
    def draw(self, source: str | Path, path: Path, samples: int, seed: int) -> Path:
        """Write a picture of some samples beside their views."""

    def select_labelled(self, samples: Sequence[LabelledSample]) -> tuple[list[LabelledSample], str]:
        """The samples that `write_labelled` can write together, and why it cannot write the others."""
        return list(samples), ""

    @abstractmethod
    def write_labelled(self, folder: Path, samples: Sequence[LabelledSample], group: str | None) -> tuple[str, str]:
        """Write samples that people labelled into a new folder, as files of this kind of data.

        Args:
            group: Name for the column of the groups, or None.

        Returns:
            The sources of the normal samples and of the defects, as `vssl.api.calibrate` takes them.

        Raises:
            ConfigError: These data cannot be written.
        """

    def decoder(self, latent: int) -> Decoder:
        """A new decoder from `latent` dimensions to the views of this kind of data.

        Raises:
            ConfigError: This kind of data has no decoder.
        """
        raise ConfigError(
            f"The modality {name_of(self.config)!r} has no decoder: objectives that reconstruct their input cannot be "
            "used on it."
        )
