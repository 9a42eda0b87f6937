"""From raw samples to the columns of the embeddings; `vssl embed` and exports compute them by the same function."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vssl.embedding.patches import patch_features
from vssl.embedding.tiles import embed_in_tiles
from vssl.embedding.views import compare_views
from vssl.encoders.base import Encoder
from vssl.modalities.base import Modality
from vssl.stats.blocks import by_blocks
from vssl.training.model import Model
from vssl.types import Latent, View
from vssl.types.columns import EncodedView, columns_of_view

ROWS, ROWS_OF_GPU = 32, 256  # embedded at once, however many are asked for; see `vssl.stats.blocks`


def columns_of(
    modality: Modality,
    encoder: Encoder,
    view: View,
    features: Float[Tensor, "B F"],
    latent: Latent,
    maps: Float[Tensor, "B C h w"] | None,
) -> dict[str, Tensor]:
    """The columns of a batch from what the encoder makes of it; traceable, so that an export can hold it.

    Args:
        features, latent, maps: As `Model.forward_with_patches` gives them for the view.
    """
    patches = None if maps is None else patch_features(maps, modality.patch_grid)
    dense = encoder.patch_statistics(maps) if maps is not None and modality.dense_patches else None
    logits = None if maps is None else encoder.patch_discriminator(maps)
    return columns_of_view(EncodedView(features, latent, patches, logits, modality.raw_descriptor(view), dense))


def embed_view(model: Model, view: View) -> dict[str, np.ndarray]:
    """The columns of a batch of views, as they are without `pairs`."""
    return {name: values.numpy() for name, values in _columns(model, view).items()}


def embed_raw(model: Model, raw: Tensor, pairs: int = 0) -> dict[str, np.ndarray]:
    """The columns of a batch of raw samples: the same to the last bit for a sample alone and among any others.

    Args:
        pairs: Pairs of random views of each sample to compare; see `embed`.
    """

    if model.modality.tiling is not None:
        return embed_in_tiles(model, raw)

    def work(block: Tensor) -> dict[str, Tensor]:
        block = block.to(model.device)
        return _columns(model, model.modality.eval_view(block)) | compare_views(model, block, pairs)

    rows = ROWS if model.device.type == "cpu" else ROWS_OF_GPU
    sizes = model.modality.size_classes(raw)
    by_size = [torch.nonzero(sizes == size).flatten() for size in torch.unique(sizes)] or [torch.arange(0)]
    columns = [by_blocks(work, [raw[picked]], rows) for picked in by_size]
    original_order = torch.cat(by_size).argsort()
    return {name: torch.cat([part[name] for part in columns])[original_order].numpy() for name in columns[0]}


def _columns(model: Model, view: View) -> dict[str, Tensor]:
    columns = columns_of(model.modality, model.objective.encoder, view, *model.forward_with_patches(view))
    return {name: values.cpu() for name, values in columns.items()}
