"""A small transformer for sessions of events, joined by what needs no order: how often each kind occurs.

The features have three parts: the transformer's outputs; a network of the counts' logarithms; and fixed random
projections of the counts of events, of pairs of neighbours, and of the longest gap before each kind, which nothing in
the training can teach to be blind. A kind of event that training never had moves them in a direction in which they
never varied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.types import Events

WIDTH, HEADS, LAYERS = 64, 4, 2
COUNTS, PAIRS, GAPS = 64, 16, 32
"""Dimensions of the projections.

Few for pairs: where the order is free, as in HDFS, many a good session has a pair of its own. In 64 dimensions they
stood out as faults do, and in one division of two 8 to 15 % of the faults were missed at the guaranteed false alarms.
"""

BUCKETS = 4093  # a prime, so that the kinds of events do not meet in it by their number


@dataclass(frozen=True)
class Config:
    """A transformer for events.

    Attributes:
        variant: small (2 layers of width 64), or bag: without the transformer, quicker, and blind to the order but for
            pairs of neighbours.
    """

    variant: Literal["small", "bag"] = "small"


def build(config: Config, shape: tuple[int, int]) -> Encoder:
    """The network for sessions of `shape` (kinds of events with padding and unknown, most events)."""
    return EventTransformer(*shape, ordered=config.variant == "small")


class EventTransformer(Encoder):
    """Transformer, network of the counts, and fixed projections of counts, pairs and gaps."""

    def __init__(self, kinds: int, length: int, ordered: bool) -> None:
        super().__init__()
        self.kinds = kinds
        self.sequence = Sequence(kinds, length) if ordered else None
        self.bag = nn.Sequential(nn.Linear(kinds, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
        self.projections = Projections(kinds)
        self.features = WIDTH + COUNTS + PAIRS + GAPS + (2 * WIDTH if ordered else 0)

    def forward(self, view: Events) -> Float[Tensor, "B F"]:  # type: ignore[override]
        # Not len(), which would tie an exported graph to one size of the batch.
        if (
            view.tokens.shape[0] == 0
        ):  # of a stream's chunk every sample may be broken, and attention takes no empty batch
            return view.gaps.new_zeros(0, self.features)
        tokens, gaps = _trimmed(view, self.training)
        counts = _counts(tokens, self.kinds)
        parts = [self.bag(counts.log1p()), *self.projections(tokens, gaps, counts)]
        if self.sequence is not None:
            parts.append(self.sequence(tokens, gaps))
        return torch.cat(parts, dim=1)


class Sequence(nn.Module):
    """Embeddings of event, place and gap, transformer layers, and the mean of the places beside the first one."""

    places: Tensor

    def __init__(self, kinds: int, length: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.event = nn.Embedding(kinds, WIDTH)
        self.gap = nn.Linear(2, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.register_buffer("places", _sinusoids(length + 1, WIDTH), persistent=False)

    def forward(self, tokens: Int[Tensor, "B L"], gaps: Float[Tensor, "B L"]) -> Float[Tensor, "B 2*W"]:
        known = torch.stack([gaps, (gaps > 0).float()], dim=2)
        events = self.event(tokens) + self.gap(known)
        x = torch.cat([self.start.expand(tokens.shape[0], 1, -1), events], dim=1) + self.places[: tokens.shape[1] + 1]
        # The start is always there: no sample is without any place to look at.
        there = F.pad(tokens != 0, (1, 0), value=True)
        outputs = self.layers(x, src_key_padding_mask=~there)
        mean = (outputs * there[:, :, None]).sum(1) / there.sum(1, keepdim=True)
        return torch.cat([outputs[:, 0], mean], dim=1)


class Projections(nn.Module):
    """Random projections: of the logarithms of the counts of events and of pairs of neighbours, and of gaps.

    Pairs share `BUCKETS` counters where there are more of them: a hash, whose meetings do little harm.
    """

    events: Tensor
    pairs: Tensor
    gaps: Tensor

    def __init__(self, kinds: int) -> None:
        super().__init__()
        self.kinds = kinds
        self.register_buffer("events", torch.randn(kinds, COUNTS) / math.sqrt(COUNTS))
        self.register_buffer("pairs", torch.randn(min(BUCKETS, kinds * kinds), PAIRS) / math.sqrt(COUNTS))
        self.register_buffer("gaps", torch.randn(kinds, GAPS) / math.sqrt(GAPS))

    def forward(
        self, tokens: Int[Tensor, "B L"], gaps: Float[Tensor, "B L"], counts: Float[Tensor, "B K"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B P"], Float[Tensor, "B G"]]:
        first, second = tokens[:, :-1], tokens[:, 1:]
        buckets = (first * self.kinds + second) % len(self.pairs)
        empty = torch.zeros(tokens.shape[0], len(self.pairs), device=tokens.device)
        pairs = empty.scatter_add(1, buckets, ((first != 0) & (second != 0)).float())
        longest = torch.zeros_like(counts).scatter_reduce(1, tokens, gaps * (tokens != 0), "amax")
        return counts.log1p() @ self.events, pairs.log1p() @ self.pairs, longest @ self.gaps


def room(events: Int[Tensor, " B"]) -> Int[Tensor, " B"]:
    """How many places sessions of so many events get where they are embedded: the next power of two, 2 or more."""
    return 2 ** events.clamp(min=2).double().log2().ceil().long()


def _trimmed(view: Events, training: bool) -> tuple[Int[Tensor, "B l"], Float[Tensor, "B l"]]:
    """The batch without the places that no sample fills; two are always left, for a pair.

    Out of training some more are left, so that the numbers of a sample depend on its own `room` alone.
    """
    if torch.compiler.is_compiling():  # a graph for export is one for batches of any content
        return view.tokens, view.gaps
    longest = (view.tokens != 0).sum(1).amax().clamp(min=2)
    places = int(longest if training else room(longest))
    return view.tokens[:, :places], view.gaps[:, :places]


def _counts(tokens: Int[Tensor, "B L"], kinds: int) -> Float[Tensor, "B K"]:
    """How often each sample has each kind of event; padding counts as none."""
    there: Bool[Tensor, "B L"] = tokens != 0
    empty = torch.zeros(tokens.shape[0], kinds, device=tokens.device)
    return empty.scatter_add(1, tokens, there.float())


def _sinusoids(places: int, width: int) -> Float[Tensor, "L W"]:
    """Fixed codes of the places (Vaswani et al. 2017, section 3.5): those that training never reached have one too."""
    rates = torch.exp(-math.log(10_000.0) * torch.arange(0, width, 2) / width)
    angles = torch.arange(places)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
