"""Patch memory: patches of a picture unlike every known patch, wherever it lies, at the encoder's own resolution.

A memory of patches of normal pictures is the idea of PatchCore (Roth et al. 2022, arXiv 2106.08265). Here the distance
to the nearest known patch is divided by a root of the local scale at that known patch, the prior's scale: how far it
lies itself from other known patches. So a rough texture raises fewer alarms, and a defect cannot excuse
itself, as it could by a scale of its own.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from vssl.encoders.patch_statistics import STEPS
from vssl.errors import ConfigError, DataError
from vssl.scores.base import AnomalyMap, Score, ScoreConfig
from vssl.stats.blocks import one_thread
from vssl.types import Embeddings

EXPONENT = 0.25
"""Power of the local scale. On pitted ball screws larger ones are a little better, on cookies far worse."""
NEIGHBOURS = 5
"""Known patches over which the local scale is averaged."""
TOP_SHARE, MAX_TOP = 100, 32
"""The score is the mean over the worst hundredth of the patches, and over at most so many: a defect has few."""
MIN_SCALE = 1e-3
PIECE = 2**22
"""Distances in memory at once, at most."""
SCORED_PATCHES, SCORED_ROWS = 150_000, (32, 256)
"""Patches, and pictures, of the bank that are scored without their own patches, for the scale of the score."""


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Distance of the worst patches to the nearest patch in a memory of known patches.

    Attributes:
        memory: Patches in the memory, drawn at random from all pictures of the bank, 8 or more.
    """

    columns = ("dense_patches",)
    meaning = "Mean distance of the worst hundredth of the patches to the nearest known patch, by its local scale."

    memory: int = 8000

    def __post_init__(self) -> None:
        if self.memory < 2 * NEIGHBOURS:
            raise ConfigError(f"patch_memory.memory is {self.memory}; it must be {2 * NEIGHBOURS} or more.")

    def condense(self, bank: Embeddings) -> Embeddings:
        return _condense(self.memory, bank)


# A sample's own patches are in the memory, which the search of an evaluation does not leave out.
EVALUATED: dict[str, ScoreConfig] = {}


def fit(config: Config, bank: Embeddings) -> Score:
    """Fit the score to a bank with the column `dense_patches`, or to one that `Config.condense` returned.

    Raises:
        ConfigError: The embeddings have no dense patches.
        DataError: The bank has fewer than two samples.
    """
    known, rows = known_vectors(_condense(config.memory, bank))
    vectors = torch.from_numpy(known)
    with one_thread():
        nearest, scales = _local_scales(vectors, rows)
    distances = NearestKnownPatch(vectors, scales)
    own = nearest / scales**EXPONENT
    low, high = np.quantile(own.numpy(), [0.95, 0.999])
    colours = (float(low), max(float(high), float(low) + 1e-6))
    anomaly_map = AnomalyMap(config.columns, distances, colours)
    return Score(config.columns, WorstPatches(distances), anomaly_map=anomaly_map)


class WorstPatches(nn.Module):
    """The mean over the worst patches of each sample."""

    def __init__(self, distances: nn.Module) -> None:
        super().__init__()
        self.distances = distances

    def forward(self, patches: Int8[Tensor, "B h w d"]) -> Float[Tensor, " B"]:
        distances: Tensor = self.distances(patches)
        return worst(distances)


def worst(distances: Float[Tensor, "B h w"]) -> Float[Tensor, " B"]:
    """The mean of the largest hundredth of the distances of each sample, at least of one and at most of `MAX_TOP`."""
    flat = distances.flatten(1)
    return flat.topk(max(1, min(MAX_TOP, flat.shape[1] // TOP_SHARE))).values.mean(1).double()


class NearestKnownPatch(nn.Module):
    """The distance of each patch to the nearest known one, over a root of that one's local scale."""

    def __init__(self, vectors: Int8[Tensor, "M d"], scales: Float[Tensor, " M"]) -> None:
        super().__init__()
        self.vectors = nn.Buffer(vectors)
        self.scales = nn.Buffer(scales)

    def forward(self, patches: Int8[Tensor, "B h w d"]) -> Float[Tensor, "B h w"]:
        rows, columns = patches.shape[1:3]
        squares, nearest = _nearest(patches.flatten(1, 2).float(), self.vectors.float(), PIECE // (rows * columns))
        distances = squares.sqrt() / STEPS / self.scales[nearest] ** EXPONENT
        grid: Tensor = distances.unflatten(1, (rows, columns))
        return grid


def _nearest(
    patches: Float[Tensor, "*B d"], known: Float[Tensor, "M d"], piece: int
) -> tuple[Float[Tensor, "*B"], Tensor]:
    """Squared distance to the nearest known patch and its number, a piece of the memory at a time.

    All numbers are whole and below 2^24, which float32 holds exactly: the result does not depend on the order of sums.
    """
    size = max(64, piece)
    found = [(part.square().sum(1) - 2 * (patches @ part.T)).min(-1) for part in known.split(min(size, len(known)))]
    squares, which = torch.stack([values for values, _ in found]).min(0)
    number = torch.stack([index for _, index in found]).gather(0, which[None])[0] + which * size
    return (squares + patches.square().sum(-1)).clamp(min=0), number


def _condense(memory: int, bank: Embeddings) -> Embeddings:
    """The bank with its part of the memory instead of all its patches, and with scores of some of its samples.

    The column `patch_memory` holds the vectors of each sample that are in the memory, `patch_memory_score` the score
    of a sample by the memory without its own vectors, NaN where it was not computed.
    """
    if "patch_memory" in bank:
        return bank
    if "dense_patches" not in bank:
        raise ConfigError("These embeddings have no dense patches: the encoder has no feature maps. Use another score.")
    if len(bank) < 2:
        raise DataError(f"The bank has {len(bank)} samples; a patch memory needs at least two.")
    patches = bank.torch("dense_patches").flatten(1, 2)
    each = patches.shape[1]
    draw = np.random.default_rng(0)
    chosen = np.sort(draw.choice(len(bank) * each, min(memory, len(bank) * each), replace=False))
    rows = torch.from_numpy(chosen // each)
    vectors = patches.flatten(0, 1)[torch.from_numpy(chosen)]
    fewest, most = SCORED_ROWS
    scored = draw.permutation(len(bank))[: int(np.clip(SCORED_PATCHES // each, fewest, most))]
    scores = np.full(len(bank), np.nan)
    with one_thread():
        scales = _local_scales(vectors, rows)[1]
        for row in scored.tolist():
            others = rows != row
            distances = NearestKnownPatch(vectors[others], scales[others])
            scores[row] = worst(distances(patches[row][None, :, None]))[0].item()
    lengths = np.bincount(rows.numpy(), minlength=len(bank))
    offsets = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.numpy().reshape(-1)), vectors.shape[1])
    table = bank.table.drop_columns("dense_patches")
    table = table.append_column("patch_memory", pa.ListArray.from_arrays(offsets, values))
    return Embeddings(table.append_column("patch_memory_score", pa.array(scores)))


def known_vectors(bank: Embeddings) -> tuple[Int8[np.ndarray, "M d"], Tensor]:
    """The vectors of the memory of a condensed bank, and the row of the bank that each is of."""
    column = bank.table["patch_memory"].combine_chunks()
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    vectors = column.flatten()
    values = vectors.flatten().to_numpy(zero_copy_only=False).reshape(-1, vectors.type.list_size)
    return values.copy(), torch.from_numpy(np.repeat(np.arange(len(bank)), lengths))


def _local_scales(vectors: Int8[Tensor, "M d"], rows: Tensor) -> tuple[Float[Tensor, " M"], Float[Tensor, " M"]]:
    """For each known patch the distance to the nearest one of other samples, and the mean distance to the nearest.

    The second counts patches of the same sample too: without them a patch that is rare among samples, such as a stain
    that one of them has, would excuse everything near to it.
    """
    values, count = vectors.float(), min(NEIGHBOURS, len(vectors) - 1)
    lengths = values.square().sum(1)
    nearest, scales = [], []
    for part in torch.arange(len(values)).split(1024):
        squares = (lengths[part][:, None] + lengths - 2 * (values[part] @ values.T)).clamp(min=0)
        squares[torch.arange(len(part)), part] = torch.inf
        scales.append((squares.topk(count, largest=False).values.sqrt() / STEPS).mean(1).clamp(min=MIN_SCALE))
        nearest.append(squares.masked_fill(rows[part][:, None] == rows, torch.inf).amin(1).sqrt() / STEPS)
    return torch.cat(nearest), torch.cat(scales)
