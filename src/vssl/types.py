"""The values that travel between the rooms of vssl.

One legend for all shapes: B batch, D latent, F features, C channels, H height, W width, L events, N samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

if TYPE_CHECKING:
    import pandas
    import polars


class View(Protocol):
    """A batch of inputs as an encoder takes them: a frozen dataclass of batch-first tensors."""

    def __len__(self) -> int: ...
    def to(self, device: torch.device | str) -> Self: ...
    def chunk(self, pieces: int) -> list[Self]: ...

    @classmethod
    def cat(cls, views: Sequence[Self]) -> Self: ...


@dataclass(frozen=True)
class Images:
    """A batch of images, normalised and ready for an encoder."""

    pixels: Float[Tensor, "B C H W"]

    def __len__(self) -> int:
        return self.pixels.shape[0]

    def to(self, device: torch.device | str) -> Images:
        return Images(self.pixels.to(device, non_blocking=True))

    def chunk(self, pieces: int) -> list[Images]:
        return [Images(part) for part in self.pixels.chunk(pieces)]

    @classmethod
    def cat(cls, views: Sequence[Images]) -> Images:
        return cls(torch.cat([view.pixels for view in views]))


@dataclass(frozen=True)
class Series:
    """A batch of windows of sensor series, scaled and ready for an encoder.

    Attributes:
        values: 0 where nothing is known.
        known: 1 where a value was measured, 0 where it is missing.
    """

    values: Float[Tensor, "B C T"]
    known: Float[Tensor, "B C T"]

    def __len__(self) -> int:
        return self.values.shape[0]

    def to(self, device: torch.device | str) -> Series:
        return Series(self.values.to(device, non_blocking=True), self.known.to(device, non_blocking=True))

    def chunk(self, pieces: int) -> list[Series]:
        pairs = zip(self.values.chunk(pieces), self.known.chunk(pieces), strict=True)
        return [Series(values, known) for values, known in pairs]

    @classmethod
    def cat(cls, views: Sequence[Series]) -> Series:
        return cls(torch.cat([view.values for view in views]), torch.cat([view.known for view in views]))


@dataclass(frozen=True)
class Events:
    """A batch of sessions: the kinds of their events in order, padded behind with 0, and the gaps before them.

    Attributes:
        tokens: 0 padding, 1 an unknown event, 2 events that are not shown, 3 and above the known kinds.
        gaps: ln-like measure of the time since the event before; 0 where no time is known.
    """

    tokens: Int[Tensor, "B L"]
    gaps: Float[Tensor, "B L"]

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def to(self, device: torch.device | str) -> Events:
        return Events(self.tokens.to(device, non_blocking=True), self.gaps.to(device, non_blocking=True))

    def chunk(self, pieces: int) -> list[Events]:
        pairs = zip(self.tokens.chunk(pieces), self.gaps.chunk(pieces), strict=True)
        return [Events(tokens, gaps) for tokens, gaps in pairs]

    @classmethod
    def cat(cls, views: Sequence[Events]) -> Events:
        return cls(torch.cat([view.tokens for view in views]), torch.cat([view.gaps for view in views]))


@dataclass(frozen=True)
class Gaussian:
    """A batch of diagonal Gaussians over the latent space; a log-variance of width 1 stands for all D dimensions."""

    mean: Float[Tensor, "B D"]
    log_variance: Float[Tensor, "B #D"]

    def __len__(self) -> int:
        return self.mean.shape[0]

    def detach(self) -> Gaussian:
        return Gaussian(self.mean.detach(), self.log_variance.detach())

    def float(self) -> Gaussian:
        return Gaussian(self.mean.float(), self.log_variance.float())

    def chunk(self, pieces: int) -> list[Gaussian]:
        pairs = zip(self.mean.chunk(pieces), self.log_variance.chunk(pieces), strict=True)
        return [Gaussian(mean, log_variance) for mean, log_variance in pairs]


@dataclass(frozen=True)
class Point:
    """A batch of latents of a deterministic method: there is no variance, which is not a variance of zero."""

    mean: Float[Tensor, "B D"]

    def __len__(self) -> int:
        return self.mean.shape[0]

    def detach(self) -> Point:
        return Point(self.mean.detach())


Latent = Gaussian | Point


@dataclass(frozen=True)
class Loss:
    """What an objective returns for one batch: the loss, its named parts in nats, and the latents to be watched.

    `watched` is what people see of the loss, detached, where `total` cannot be compared from step to step.
    """

    total: Float[Tensor, ""]
    latent: Latent
    parts: Mapping[str, Float[Tensor, ""]] = field(default_factory=dict)
    watched: Float[Tensor, ""] | None = None


def to_arrow(values: Any) -> pa.Array:
    """An array [N] or a list as a column of values, an array [N, D] as a column of vectors of one length."""
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    return pa.array(values)


class Embeddings:
    """A table of embeddings: one row a sample, convertible to NumPy, torch, pandas and polars.

    Columns: `id`; `features` [F], the encoder's representation (use it for neighbours, classifiers, clusters); `mean`
    [D] and `log_variance` [D], the posterior in the latent space; `ambiguity`, the mean log-variance in nats (higher:
    less determined); `patch_features`, what is where in an image: 8 x 8 directions of 32 dimensions, row by row, in
    127ths; `raw_descriptor`, the sample itself, coarsely; `content`, a hash of the raw sample, the same for the same
    sample under any name; `signature`, by which near-duplicates are found (cut or saved in another way). Deterministic
    methods have neither `log_variance` nor `ambiguity`, encoders without feature maps no `patch_features`, kinds of
    data without one no `raw_descriptor`. `disagreement`, how far the features of several views differ, and `elbo_gap`,
    how badly they explain each other, are there where views were compared. All further columns are the metadata of the
    data set.
    """

    COLUMNS = (
        *("id", "features", "mean", "log_variance", "ambiguity", "patch_features", "raw_descriptor", "content"),
        *("signature", "disagreement", "elbo_gap"),
    )

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @classmethod
    def from_columns(cls, ids: Sequence[str], columns: Mapping[str, Any]) -> Embeddings:
        """A table of N samples.

        Args:
            ids: One name per sample.
            columns: Arrays [N] or [N, D], or lists of N values, by name.
        """
        arrays = {"id": pa.array(ids, pa.string())}
        return cls(pa.table(arrays | {name: to_arrow(values) for name, values in columns.items()}))

    def __len__(self) -> int:
        return self.table.num_rows

    def __repr__(self) -> str:
        return f"Embeddings({len(self)} samples, features {self.features.shape[1]}, columns {self.table.column_names})"

    def __contains__(self, column: str) -> bool:
        return column in self.table.column_names

    @property
    def header(self) -> dict[str, Any]:
        """What is stored with the table besides its rows; empty for a table that was never stored."""
        return json.loads((self.table.schema.metadata or {}).get(b"vssl", b"{}"))

    @property
    def notes(self) -> list[str]:
        """How the data were read: what they were recognised as, and what was left out."""
        return self.header.get("notes", [])

    @property
    def ids(self) -> list[str]:
        return self.table["id"].to_pylist()

    @property
    def features(self) -> np.ndarray:
        return self.numpy("features")

    @property
    def has_variance(self) -> bool:
        return "log_variance" in self

    def numpy(self, column: str) -> np.ndarray:
        """The column as an array: [N] for scalars and text, [N, D] for vectors.

        Raises:
            KeyError: There is no such column.
        """
        values = self.table[column].combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = values.chunk(0) if values.num_chunks else pa.array([], type=values.type)
        if pa.types.is_fixed_size_list(values.type):
            return values.flatten().to_numpy().reshape(len(values), values.type.list_size)
        return values.to_numpy(zero_copy_only=False)

    def torch(self, column: str) -> Tensor:
        """The numeric column as a tensor on the CPU."""
        return torch.from_numpy(self.numpy(column).copy())

    def take(self, rows: Int[np.ndarray, " M"]) -> Embeddings:
        """The samples of these rows, in their order."""
        return Embeddings(self.table.take(pa.array(rows)))

    def where(self, kept: Bool[np.ndarray, " N"]) -> Embeddings:
        """The samples whose entry is True."""
        return Embeddings(self.table.filter(pa.array(kept)))

    def pandas(self) -> pandas.DataFrame:
        return self.table.to_pandas()

    def polars(self) -> polars.DataFrame:
        import polars

        frame = polars.from_arrow(self.table)
        assert isinstance(frame, polars.DataFrame)
        return frame
