"""The columns of a table of embeddings, each declared once: its name, its type, its meaning and how it is computed.

A newcomer adds an entry to `COLUMNS`. What `vssl embed` stores, what an export computes, the names that metadata may
not have and the table in docs/how-to/embed-and-use.md follow from it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int8
from torch import Tensor

from vssl.types.latents import Gaussian, Latent


@dataclass(frozen=True)
class EncodedView:
    """What the encoder makes of one view of B samples.

    Attributes:
        features: The encoder's representation.
        latent: The posterior in the latent space, or a point where the method has no variance.
        patches: Unit vectors of early feature maps on the grid of the modality, in 127ths; None without feature maps.
        discriminator_logits: Log-odds that a patch was altered, on the grid of the feature maps; None without a
            discriminator.
        raw_descriptor: The samples themselves, coarsely; None where the modality has no such descriptor.
        dense_patches: Standardised feature maps at their own resolution, 16 steps per standard deviation; None where
            the modality or the encoder has none.
    """

    features: Float[Tensor, "B F"]
    latent: Latent
    patches: Int8[Tensor, "B rows columns d"] | None
    discriminator_logits: Float[Tensor, "B h w"] | None
    raw_descriptor: Float[Tensor, "B n"] | None
    dense_patches: Int8[Tensor, "B h w k"] | None


@dataclass(frozen=True)
class EncodedViews:
    """What the encoder makes of V random views of the same B samples.

    Attributes:
        directions: The features at length 1.
        elbo: How well each view is explained by its partner, in nats per latent dimension; None where the method has
            no such bound. See `Objective.elbo`.
    """

    directions: Float[Tensor, "V B F"]
    elbo: Float[Tensor, "V B"] | None


@dataclass(frozen=True)
class Column:
    """A column that vssl itself gives a table of embeddings.

    Attributes:
        name: Reserved: metadata may not have it.
        type: Of one value: its shape and its number format.
        meaning: For the documentation, with unit and range.
        of_view: Computes it from one view without augmentation, [B, ...]; None where the encoder does not give it. It
            must be traceable, because exports compute it too.
        of_views: Computes it from several random views; such a column is there with `vssl embed --view-pairs` only.
    """

    name: str
    type: str
    meaning: str
    of_view: Callable[[EncodedView], Tensor | None] | None = None
    of_views: Callable[[EncodedViews], Tensor | None] | None = None


def _log_variance(view: EncodedView) -> Float[Tensor, "B #D"] | None:
    return view.latent.log_variance.float() if isinstance(view.latent, Gaussian) else None


def _ambiguity(view: EncodedView) -> Float[Tensor, " B"] | None:
    log_variance = _log_variance(view)
    return None if log_variance is None else log_variance.mean(1)


def _discriminator_logits(view: EncodedView) -> Float[Tensor, "B h w"] | None:
    return None if view.discriminator_logits is None else view.discriminator_logits.half()


def _disagreement(views: EncodedViews) -> Float[Tensor, " B"]:
    # The squared length of a sum of unit vectors counts each pair of them twice, and each with itself.
    count = len(views.directions)
    return 1 - (views.directions.sum(0).square().sum(1) - count) / (count * (count - 1))


COLUMNS = (
    Column("id", "text", "path relative to the folder, path as listed, or name in the archive"),
    Column(
        "features",
        "F x float32",
        "the encoder's output: **use this** for neighbours, classifiers and clusters",
        lambda view: view.features,
    ),
    Column(
        "mean",
        "D x float32",
        "mean of the posterior in the latent space, in which the objective works",
        lambda view: view.latent.mean.float(),
    ),
    Column(
        "log_variance",
        "D or 1 x float32",
        "logarithm of the posterior's variance, in nats; one value stands for all dimensions",
        _log_variance,
    ),
    Column("ambiguity", "float32", "mean of `log_variance`, in nats; the higher, the less certain", _ambiguity),
    Column(
        "patch_features",
        "rows x columns x 32 x int8",
        "unit vectors of early feature maps, in 127ths, on a grid of 8 x 8 patches of an image or 1 x 32 spans of a "
        "window; for the score `patches` and the anomaly map. Encoders with feature maps only",
        lambda view: view.patches,
    ),
    Column(
        "dense_patches",
        "h x w x (at most 64) x int8",
        "standardised feature maps at the encoder's own resolution, 16 steps per standard deviation; for the score "
        "`patch_memory` and its anomaly map. Images only",
        lambda view: view.dense_patches,
    ),
    Column(
        "patch_memory",
        "list of (at most 64) x int8",
        "in the reference of a policy: vectors of the sample that the score `patch_memory` compares with",
    ),
    Column("patch_memory_score", "float64", "in the reference of a policy: the score of the sample without its own"),
    Column(
        "discriminator_logits",
        "h x w x float16",
        "log-odds that a patch was altered, by a discriminator trained on synthetic anomalies, on the grid of the "
        "encoder's feature maps; for the score `discriminator`. Images with other views than `natural` only",
        _discriminator_logits,
    ),
    Column(
        "raw_descriptor",
        "float32",
        "coarse summary of the raw sample: colours and contrasts of 8 x 8 fields of an image (387 numbers for colour), "
        "the values of a window (at most about 2,000). Not for event logs",
        lambda view: view.raw_descriptor,
    ),
    Column("content", "text", "hash of the raw sample; the same sample under another name has the same hash"),
    Column(
        "signature",
        "bytes",
        "identifies the sample when it was cut at another offset or saved again: a small grey image, or a hash per "
        "row or line",
    ),
    Column(
        "disagreement",
        "float32",
        "with `--view-pairs`: 1 - mean cosine of the features of several random views, 0 to 2",
        of_views=_disagreement,
    ),
    Column(
        "elbo_gap",
        "float32",
        "with `--view-pairs`: minus the evidence lower bound of one view given another, in nats per latent dimension; "
        "higher: the views explain each other worse. Methods with such a bound only",
        of_views=lambda views: None if views.elbo is None else -views.elbo.mean(0),
    ),
)


def columns_of_view(view: EncodedView) -> dict[str, Tensor]:
    """The columns that follow from one view, in the order of `COLUMNS`."""
    return {one.name: made for one in COLUMNS if one.of_view and (made := one.of_view(view)) is not None}


def columns_of_views(views: EncodedViews) -> dict[str, Tensor]:
    """The columns that follow from several views, in the order of `COLUMNS`."""
    return {one.name: made for one in COLUMNS if one.of_views and (made := one.of_views(views)) is not None}
