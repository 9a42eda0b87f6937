"""Large samples, encoded in tiles: what the encoder makes of a tile, and from all tiles the columns of the sample.

`vssl embed` and exports share both steps. Between them the tiles are encoded one after the other, in constant memory.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int8, Shaped
from torch import Tensor

from vssl.modalities.base import Modality
from vssl.modalities.tiling import Tiling
from vssl.objectives.base import Objective
from vssl.stats.blocks import at_most, by_blocks, one_thread
from vssl.training import devices
from vssl.training.model import Model
from vssl.types.columns import EncodedView, columns_of_view

TILE_BYTES = 2**18
"""Raw tiles that are encoded at once: one of 256 pixels, which is the quickest where a core has a few MB of cache."""
TILE_BYTES_OF_GPU = 2**25
MAX_PATCHES = 160**2
"""Patches of a sample at most, where they are stitched of tiles: one to two megabytes."""


def embed_in_tiles(model: Model, raw: Shaped[Tensor, "B ..."]) -> dict[str, np.ndarray]:
    """The columns of raw samples that are encoded in tiles: the same to the last bit alone and in a batch."""
    modality, objective, tiling = model.modality, model.objective, model.modality.tiling
    assert tiling is not None
    at_once = TILE_BYTES if model.device.type == "cpu" else TILE_BYTES_OF_GPU
    rows = at_most(len(tiling), tiling.cut(raw.new_empty(raw.shape[1:]), [0]).nbytes, at_once)

    def columns(sample: Tensor) -> dict[str, Tensor]:
        def encode(numbers: Tensor) -> dict[str, Tensor]:
            tiles = tiling.cut(sample, numbers.tolist()).to(model.device)
            with devices.autocast(model.device, model.settings.precision):
                features, patches = encode_tiles(modality, objective, tiles)
            found = {"features": features.cpu()}
            return found if patches is None else found | {"patches": patches.cpu()}

        parts = by_blocks(encode, [torch.arange(len(tiling))], rows)
        features = parts["features"][:, None].to(model.device)
        patches = parts["patches"][:, None] if "patches" in parts else None
        with torch.inference_mode(), one_thread(), devices.autocast(model.device, model.settings.precision):
            return stitched_columns(modality, objective, sample[None], features, patches)

    each = [columns(sample) for sample in (raw if len(raw) else raw.new_zeros(1, *raw.shape[1:]))]
    return {name: torch.cat([one[name].cpu() for one in each])[: len(raw)].numpy() for name in each[0]}


def encode_tiles(
    modality: Modality, objective: Objective, tiles: Shaped[Tensor, "B ..."]
) -> tuple[Float[Tensor, "B F"], Int8[Tensor, "B h w d"] | None]:
    """Features and dense patches of raw tiles.

    Where all tiles of a sample would have more than `MAX_PATCHES` patches, squares of patches are averaged. Measured
    with EfficientNet-lite0 and scratches of 12 x 2 pixels, squares of 2 x 2 or 4 x 4 patches of 8 pixels lose nothing,
    and 8 x 8 little; to keep the most unusual patch of each square instead was no better.
    """
    features, maps = objective.encoder.forward_with_patches(modality.eval_view(tiles))
    if maps is None:
        return features.float(), None
    assert modality.tiling is not None
    pooled = F.avg_pool2d(maps.float(), pooling(modality.tiling, (maps.shape[2], maps.shape[3])), ceil_mode=True)
    return features.float(), objective.encoder.patch_statistics(pooled)


def stitched_columns(
    modality: Modality,
    objective: Objective,
    raw: Shaped[Tensor, "B ..."],
    features: Float[Tensor, "n B F"],
    patches: Int8[Tensor, "n B h w d"] | None,
) -> dict[str, Tensor]:
    """The columns of a batch of samples from all their tiles; the features are the mean of those of the tiles."""
    mean = features.mean(0)
    descriptor = modality.raw_descriptor(modality.overview(raw))
    stitched = None
    if patches is not None:
        assert modality.tiling is not None
        rows = torch.from_numpy(modality.tiling.stitched((patches.shape[2], patches.shape[3]))).to(patches.device)
        stitched = patches.movedim(0, 1).flatten(1, 3)[:, rows.flatten()].unflatten(1, tuple(rows.shape))
    return columns_of_view(EncodedView(mean, objective.latent(mean), None, None, descriptor, stitched))


def pooling(tiling: Tiling, grid: tuple[int, int]) -> int:
    """Side of the squares of patches of which the mean is taken, a power of 2; 1 keeps all.

    Args:
        grid: Rows and columns of the patches of a tile.
    """
    rows, columns = (size * count / tile for size, count, tile in zip(tiling.size, grid, tiling.tile, strict=True))
    side = 1
    while rows * columns > MAX_PATCHES * side**2 and 2 * side <= min(grid):
        side *= 2
    return side
