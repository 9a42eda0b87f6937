"""A small transformer for sessions of events, with a bag-of-events network beside it.

The features have three parts: the outputs of the transformer; a network on the logarithms of the event counts; and
fixed random projections of the counts of events, of bigrams, and of the longest gap before each event type. Training
cannot make the projections insensitive: an event type that training never had moves them in a direction in which they
did not vary before.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.types import Events

WIDTH, HEADS, LAYERS = 64, 4, 2
COUNTS, PAIRS, GAPS = 64, 16, 32
"""Dimensions of the projections of counts, bigrams and gaps.

Bigrams get few: where the order is free, as in HDFS, many normal sessions have a bigram of their own. In 64 dimensions
they were as conspicuous as faults, and 8 to 15 % of the faults were missed at the guaranteed false-alarm rate.
"""

BUCKETS = 4093  # a prime, which avoids systematic collisions of the hash


@dataclass(frozen=True)
class Config:
    """A transformer for events.

    Attributes:
        variant: small (2 layers of width 64), or bag: without the transformer, which is faster and sees no order beyond
            bigrams.
    """

    variant: Literal["small", "bag"] = "small"


def build(config: Config, shape: tuple[int, int]) -> Encoder:
    """The network for sessions of `shape` (event types with padding and unknown, maximum number of events)."""
    return EventTransformer(*shape, ordered=config.variant == "small")


class EventTransformer(Encoder):
    """Transformer, network on the counts, and fixed projections of counts, bigrams and gaps."""

    def __init__(self, types: int, length: int, ordered: bool) -> None:
        super().__init__()
        self.types = types
        self.sequence = Sequence(types, length) if ordered else None
        self.bag = nn.Sequential(nn.Linear(types, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
        self.projections = Projections(types)
        self.features = WIDTH + COUNTS + PAIRS + GAPS + (2 * WIDTH if ordered else 0)

    def forward(self, view: Events) -> Float[Tensor, "B F"]:  # type: ignore[override]
        # Attention refuses empty batches, as of a chunk without readable samples. `len` would fix the batch size of an
        # exported graph.
        if view.tokens.shape[0] == 0:
            return view.gaps.new_zeros(0, self.features)
        tokens, gaps = _trim_padding(view, self.training)
        counts = _counts(tokens, self.types)
        parts = [self.bag(counts.log1p()), *self.projections(tokens, gaps, counts)]
        if self.sequence is not None:
            parts.append(self.sequence(tokens, gaps))
        return torch.cat(parts, dim=1)


class Sequence(nn.Module):
    """Embeddings of event, position and gap, transformer layers, output of the start token, mean over positions."""

    positions: Float[Tensor, "L W"]

    def __init__(self, types: int, length: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.event = nn.Embedding(types, WIDTH)
        self.gap = nn.Linear(2, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.register_buffer("positions", _sinusoids(length + 1, WIDTH), persistent=False)

    def forward(self, tokens: Int[Tensor, "B L"], gaps: Float[Tensor, "B L"]) -> Float[Tensor, "B _"]:
        gap_inputs = torch.stack([gaps, (gaps > 0).float()], dim=2)
        events = self.event(tokens) + self.gap(gap_inputs)
        x = (
            torch.cat([self.start.expand(tokens.shape[0], 1, -1), events], dim=1)
            + self.positions[: tokens.shape[1] + 1]
        )
        # The start token is never masked, so that attention has at least one key.
        mask = F.pad(tokens != 0, (1, 0), value=True)
        outputs = self.layers(x, src_key_padding_mask=~mask)
        mean = (outputs * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        return torch.cat([outputs[:, 0], mean], dim=1)


class Projections(nn.Module):
    """Random projections of the logarithms of the counts of events and of bigrams, and of the longest gaps.

    More than `BUCKETS` bigrams share counters by a hash; collisions do little harm.
    """

    events: Tensor
    pairs: Tensor
    gaps: Tensor

    def __init__(self, types: int) -> None:
        super().__init__()
        self.types = types
        self.register_buffer("events", torch.randn(types, COUNTS) / math.sqrt(COUNTS))
        self.register_buffer("pairs", torch.randn(min(BUCKETS, types * types), PAIRS) / math.sqrt(COUNTS))
        self.register_buffer("gaps", torch.randn(types, GAPS) / math.sqrt(GAPS))

    def forward(
        self, tokens: Int[Tensor, "B L"], gaps: Float[Tensor, "B L"], counts: Float[Tensor, "B K"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B P"], Float[Tensor, "B G"]]:
        first, second = tokens[:, :-1], tokens[:, 1:]
        buckets = (first * self.types + second) % len(self.pairs)
        empty = torch.zeros(tokens.shape[0], len(self.pairs), device=tokens.device)
        pairs = empty.scatter_add(1, buckets, ((first != 0) & (second != 0)).float())
        longest = torch.zeros_like(counts).scatter_reduce(1, tokens, gaps * (tokens != 0), "amax")
        return counts.log1p() @ self.events, pairs.log1p() @ self.pairs, longest @ self.gaps


def padded_length(events: Int[Tensor, "*B"]) -> Int[Tensor, "*B"]:
    """The length to which a session of this many events is padded in evaluation: a power of two, 2 or more."""
    return 2 ** events.clamp(min=2).double().log2().ceil().long()


def _trim_padding(view: Events, training: bool) -> tuple[Int[Tensor, "B l"], Float[Tensor, "B l"]]:
    """The batch without trailing padding, at least 2 positions long for one bigram.

    In evaluation the length is a `padded_length`, so that the features of a sample do not depend on the batch.
    """
    if torch.compiler.is_compiling():  # an exported graph must fit all batches
        return view.tokens, view.gaps
    longest = (view.tokens != 0).sum(1).amax().clamp(min=2)
    length = int(longest if training else padded_length(longest))
    return view.tokens[:, :length], view.gaps[:, :length]


def _counts(tokens: Int[Tensor, "B L"], types: int) -> Float[Tensor, "B K"]:
    """The number of events of each type per sample, without padding."""
    empty = torch.zeros(tokens.shape[0], types, device=tokens.device)
    return empty.scatter_add(1, tokens, (tokens != 0).float())


def _sinusoids(length: int, width: int) -> Float[Tensor, "L W"]:
    """Fixed position embeddings (Vaswani et al. 2017, section 3.5), defined for positions beyond those in training."""
    rates = torch.exp(-math.log(10_000.0) * torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
