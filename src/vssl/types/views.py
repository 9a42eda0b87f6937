"""Views: batches of inputs as an encoder takes them, one class per kind of data.

Shapes: B batch, C channels, H height, W width, T time, L events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor


class View(Protocol):
    """A batch of inputs for an encoder: a frozen dataclass of tensors whose first axis is the batch."""

    def __len__(self) -> int: ...
    def to(self, device: torch.device | str) -> Self: ...
    def chunk(self, pieces: int) -> list[Self]: ...

    @classmethod
    def cat(cls, views: Sequence[Self]) -> Self: ...


@dataclass(frozen=True)
class Images:
    """A batch of images.

    Attributes:
        pixels: Normalised channels.
    """

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
    """A batch of windows of sensor series.

    Attributes:
        values: Scaled values; 0 where a value is missing.
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
    """A batch of sessions of an event log, padded at the end.

    Attributes:
        tokens: Kinds of the events in order: 0 padding, 1 an unknown event, 2 events that are not shown, 3 and above
            the known kinds.
        gaps: Time since the previous event on a logarithmic scale; 0 where no time is known.
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
