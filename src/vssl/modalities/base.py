"""What every modality guarantees to the stages that follow.

A modality's module has a frozen `Config`; `DEFAULT_ENCODER`, the name of the encoder that suits; a frozen dataclass
`Spec`, stored with the run; `measure(source, config)`, which looks at the training data once and returns as a `Spec`
what has to be known of them ever after (sizes, ranges, mean and spread); `describe(spec) -> DataSummary`, the same for
a person; and `build(config, spec) -> Modality`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
"""How bad it is, from little to much."""

OnProgress = Callable[[int, int], None]


class Dataset(Protocol):
    """Samples that training may read in any order, as often as it likes.

    Attributes:
        ids: One name a sample.
        metadata: One row a sample; training never reads it.
        fingerprint: Changes whenever the data do.
        broken: What could not be read and is therefore missing.
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
        signatures: By what near-duplicates are found, where that does not follow from the raw sample; see
            `Modality.signatures`.
    """

    ids: Sequence[str]
    metadata: pa.Table
    raw: Tensor
    broken: Sequence[Unreadable]
    signatures: Sequence[bytes] = ()


@dataclass(frozen=True)
class Part:
    """A part of a sample that can be thought away.

    Attributes:
        name: For a person, in the words of the data: a channel and a span of time, an event's text.
        without: The raw sample as it would be if nothing were known of this part, or if it had not been there.
    """

    name: str
    without: Tensor


@dataclass(frozen=True)
class Contents:
    """What a source holds.

    Attributes:
        samples: How many, broken ones included.
        fingerprint: Changes whenever the samples do.
        metadata: Fingerprint of their metadata.
        files: How many files, where what breaks is a file of many samples; else None.
    """

    samples: int
    fingerprint: str
    metadata: str
    files: int | None = None


def check_corruption(kinds: Collection[str], kind: str, level: int) -> None:
    """Refuse a corruption that a modality does not know.

    Raises:
        ConfigError: There is no such kind or level.
    """
    if kind not in kinds or level not in CORRUPTION_LEVELS:
        raise ConfigError(f"There is no corruption {kind!r} of level {level}: {', '.join(kinds)}, levels 1 to 3.")


class Modality(ABC):
    """A kind of data, with its settings and what was measured on the training data.

    Attributes:
        shape: What an encoder has to know of a sample; images: (channels, height, width).
        max_broken: Share of the samples, or of the files where they break as a whole, that may be broken, 0..1.
        corruptions: What `corrupt` can do; none where nothing is known of the way the data are taken.
        config: Its settings.
        spec: What was measured on the training data.
    """

    config: Any
    spec: Any
    shape: tuple[int, ...]
    max_broken: float
    corruptions: Sequence[str] = ()

    @abstractmethod
    def load(self, source: str | Path, on_progress: OnProgress | None = None) -> Dataset:
        """Read the samples of `source`, decoded once."""

    @abstractmethod
    def stream(self, source: str | Path, start: int = 0, size: int = 1024) -> Iterator[Chunk]:
        """Read `source` once, in order, from sample `start` on, `size` samples at a time, in constant memory."""

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
        """What there is in `source`; reads no sample."""

    def notes(self, source: str | Path) -> list[str]:
        """Sentences for a person on how `source` is read: what it was recognised as, and what is left out of it."""
        return []

    def signatures(self, chunk: Chunk) -> Sequence[bytes]:
        """By what each sample is known again, wherever it was cut and however it was saved; none: by its content."""
        return [b""] * len(chunk.ids)

    def remember(self, dataset: Dataset) -> dict[str, np.ndarray]:
        """What is kept of the training to know its samples again: a few bytes each."""
        return {}

    def copies(self, memory: Memory) -> CopyDetector | None:
        """Finds samples again, by what `remember` kept; None where only the same content is the same sample."""
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
        """A number for each raw sample: those of one number have the same size for the encoder, whoever is beside."""
        return torch.zeros(len(raw), dtype=torch.long)

    def raw_descriptor(self, view: View) -> Float[Tensor, "B n"] | None:
        """The samples themselves, coarsely and in few numbers: what a score can see without any learning.

        None where there is no such thing.
        """
        return None

    def corrupt(self, raw: Tensor, kind: str, level: int, generator: torch.Generator) -> Tensor:
        """The raw batch as it would be if something had gone wrong when it was taken.

        Args:
            kind: One of `corruptions`.
            level: One of `CORRUPTION_LEVELS`.

        Raises:
            ConfigError: There is no such kind or level.
        """
        raise ConfigError(f"{type(self).__name__} knows no corruption {kind!r}.")

    def parts(self, raw: Tensor, metadata: Mapping[str, Any]) -> Sequence[Part]:
        """What a sample consists of, to find out which parts carry a score; none where places do it.

        Args:
            raw: One raw sample, without the axis of the batch.
            metadata: Its row of the metadata.
        """
        return ()

    @abstractmethod
    def pictures(self, source: str | Path, ids: Sequence[str]) -> list[Image.Image | None]:
        """Pictures to show a person, or None where a sample is no longer there."""

    @abstractmethod
    def draw(self, source: str | Path, path: Path, samples: int, seed: int) -> Path:
        """Write a picture of some samples beside their views."""

    def decoder(self, latent: int) -> Decoder:
        """A new decoder from `latent` dimensions to the views of this kind of data.

        Raises:
            ConfigError: This kind of data has no decoder.
        """
        raise ConfigError(
            f"The modality {name_of(self.config)!r} has no decoder: objectives that reconstruct their input cannot be "
            "used on it."
        )
