"""What goes wrong in a log, at three levels: events are missing, come in a wrong order, or are foreign."""

from collections.abc import Callable

import torch
from jaxtyping import Int16
from torch import Tensor

from vssl.modalities.base import check_corruption
from vssl.modalities.events.collector import PADDING, UNKNOWN
from vssl.modalities.events.views import remove_events

Raw = Int16[Tensor, "B 2 L"]


def missing(raw: Raw, level: int, generator: torch.Generator) -> Raw:
    """5, 10 or 20 % of the events are gone; the first event always stays."""
    gone = _some(raw, 0.025 * 2**level, generator)
    gone[:, 0] = False
    return remove_events(raw, gone)


def disorder(raw: Raw, level: int, generator: torch.Generator) -> Raw:
    """Each event is late by up to 2, 4 or 8 positions."""
    position = torch.arange(raw.shape[2], device=raw.device)
    late = torch.rand(raw[:, 0].shape, generator=generator, device=raw.device) * 2**level
    order = (position + late).masked_fill(raw[:, 0] == PADDING, torch.inf).argsort(dim=1, stable=True)
    return raw.gather(2, order[:, None].expand_as(raw))


def foreign(raw: Raw, level: int, generator: torch.Generator) -> Raw:
    """5, 10 or 20 % of the events are of a kind that nobody knows."""
    foreign = _some(raw, 0.025 * 2**level, generator)
    return torch.stack([raw[:, 0].masked_fill(foreign, UNKNOWN), raw[:, 1]], 1)


def _some(raw: Raw, share: float, generator: torch.Generator) -> Tensor:
    """Places of the sessions, one of each at least."""
    there = raw[:, 0] != PADDING
    drawn = torch.rand(there.shape, generator=generator, device=raw.device).masked_fill(~there, torch.inf)
    return ((drawn < share) | (drawn == drawn.min(1, keepdim=True).values)) & there


Corruption = Callable[[Raw, int, torch.Generator], Raw]
KINDS: dict[str, Corruption] = {"missing": missing, "disorder": disorder, "foreign": foreign}


def corrupt(raw: Raw, kind: str, level: int, generator: torch.Generator) -> Raw:
    """The raw batch, corrupted; see `Modality.corrupt`."""
    check_corruption(KINDS, kind, level)
    return KINDS[kind](raw, level, generator)
