"""Views of sessions, in batches on the training device: what may change in a log without changing what happened.

In a log a missing event or a wrong order is the fault itself. So what a view takes away becomes an event that is not
shown (`TRUNCATED`): the encoder is not taught that missing events mean nothing. The strengths are those of four tried
at which the latent means rank the faults of HDFS best; weaker views teach less. Parameters of messages are no part of a
sample, so none are swapped.
"""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Bool, Float, Int16
from torch import Tensor

from vssl.modalities.events.collector import PADDING, TRUNCATED

HIDE = 0.2  # probability that an event is not shown
SPAN = 0.3  # largest share of the session that is not shown in one piece
CROP = 0.5  # largest share of the session that is cut off, at both ends together
SHUFFLE = 3.0  # two events that stand closer than this may swap, in every second session
JITTER = 16.0  # standard deviation of the gaps' codes: a doubling


@dataclass(frozen=True)
class Parameters:
    """What was drawn for a batch, uniform in 0..1 unless stated; a slice is what one of several processes needs."""

    hide: Float[Tensor, "B L"]
    shift: Float[Tensor, "B L"]
    jitter: Float[Tensor, "B L"]  # standard normal
    crop: Float[Tensor, "B 2"]  # share, position
    span: Float[Tensor, "B 2"]  # share, position
    shuffle: Float[Tensor, " B"]

    def __getitem__(self, rows: slice) -> Self:
        return type(self)(**{name: value[rows] for name, value in vars(self).items()})


def draw(rows: int, length: int, generator: torch.Generator) -> Parameters:
    """Draw the parameters of `rows` sessions of `length` positions, on the generator's device."""
    device = generator.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    jitter = torch.randn(rows, length, generator=generator, device=device)
    hide, shift = uniform(rows, length), uniform(rows, length)
    return Parameters(hide, shift, jitter, uniform(rows, 2), uniform(rows, 2), uniform(rows))


def apply(raw: Int16[Tensor, "B 2 L"], p: Parameters) -> Int16[Tensor, "B 2 L"]:
    """A view of each session: its positions shuffled a little, a span and single events hidden, its ends cropped."""
    tokens, gaps = raw.unbind(1)
    position = torch.arange(tokens.shape[1], device=raw.device)
    lengths = (tokens != PADDING).sum(1, keepdim=True)
    shuffled = torch.where(p.shuffle[:, None] < 0.5, position + SHUFFLE * p.shift, position.float())
    # Padding keeps its position: a session must not grow into it.
    order = shuffled.masked_fill(position >= lengths, torch.inf).argsort(dim=1, stable=True)
    tokens, gaps = tokens.gather(1, order), gaps.gather(1, order)
    hidden = (p.hide < HIDE) | _piece(position, lengths, p.span[:, :1] * SPAN, p.span[:, 1:])
    tokens = torch.where(hidden & (tokens != PADDING), TRUNCATED, tokens)
    jittered = (gaps + JITTER * p.jitter).round().clamp(1, 32_000).to(gaps.dtype)
    gaps = torch.where((gaps > 0) & (tokens != TRUNCATED), jittered, gaps)
    keep = _piece(position, lengths, 1 - p.crop[:, :1] * CROP, p.crop[:, 1:])
    return _to_the_front(torch.stack([tokens, gaps], 1).to(raw.dtype), keep)


def _piece(
    position: Tensor, lengths: Tensor, share: Float[Tensor, "B 1"], where: Float[Tensor, "B 1"]
) -> Bool[Tensor, "B L"]:
    """The positions of one piece of each session: its share of the length, anywhere."""
    size = (share * lengths).round()
    start = (where * (lengths - size + 1)).floor()
    return (position >= start) & (position < start + size)


def _to_the_front(raw: Int16[Tensor, "B 2 L"], keep: Bool[Tensor, "B L"]) -> Int16[Tensor, "B 2 L"]:
    """The kept positions of each session, in their order, and padding behind them."""
    order = (~keep).int().argsort(dim=1, stable=True)[:, None].expand_as(raw)
    return raw.masked_fill(~keep[:, None], PADDING).gather(2, order)


def remove_events(raw: Int16[Tensor, "B 2 L"], gone: Bool[Tensor, "B L"]) -> Int16[Tensor, "B 2 L"]:
    """The sessions as if some of their events had not been there."""
    return _to_the_front(raw, ~gone)
