"""Views: batches of inputs as an encoder takes them, one class per kind of data.

Shapes: B batch, C channels, H height, W width, T time, L events.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from vssl.types.batch import TensorBatch


class View(TensorBatch):
    """A batch of inputs for an encoder."""


@dataclass(frozen=True)
class Images(View):
    """A batch of images.

    Attributes:
        pixels: Normalised channels.
    """

    pixels: Float[Tensor, "B C H W"]


@dataclass(frozen=True)
class Series(View):
    """A batch of windows of sensor series.

    Attributes:
        values: Scaled values; 0 where a value is missing.
        known: 1 where a value was measured, 0 where it is missing.
    """

    values: Float[Tensor, "B C T"]
    known: Float[Tensor, "B C T"]


@dataclass(frozen=True)
class Events(View):
    """A batch of sessions of an event log, padded at the end.

    Attributes:
        tokens: Kinds of the events in order: 0 padding, 1 an unknown event, 2 events that are not shown, 3 and above
            the known kinds.
        gaps: Time since the previous event on a logarithmic scale; 0 where no time is known.
    """

    tokens: Int[Tensor, "B L"]
    gaps: Float[Tensor, "B L"]
