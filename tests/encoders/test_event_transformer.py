"""Order, counts and unknown events are seen; padding and what others in the batch are like are not."""

from __future__ import annotations

import pytest
import torch

from vssl.encoders import event_transformer
from vssl.encoders.countdecoder import CountDecoder
from vssl.encoders.event_transformer import COUNTS, PAIRS, WIDTH
from vssl.types import Events

KINDS, LENGTH = 10, 16


def encoder(variant: str = "small") -> event_transformer.EventTransformer:
    torch.manual_seed(0)
    config = event_transformer.Config(variant)  # type: ignore[arg-type]
    return event_transformer.build(config, (KINDS, LENGTH)).eval()  # type: ignore[return-value]


def events(*sessions: list[int], length: int = LENGTH) -> Events:
    tokens = torch.tensor([session + [0] * (length - len(session)) for session in sessions])
    return Events(tokens, torch.zeros(tokens.shape))


def test_padding_changes_nothing():
    network = encoder()
    torch.testing.assert_close(network(events([3, 4, 5])), network(events([3, 4, 5], length=4)))


def test_a_longer_neighbour_in_the_batch_changes_nothing():
    network = encoder()
    together = network(events([3, 4, 5], [6] * 14))
    torch.testing.assert_close(together[:1], network(events([3, 4, 5])), atol=1e-5, rtol=1e-4)


def test_order_is_seen_by_all_but_the_network_of_the_counts():
    first, second = encoder()(events([3, 4, 5, 6], [3, 5, 4, 6]))
    same = slice(0, WIDTH + COUNTS)
    assert torch.allclose(first[same], second[same])
    pairs = slice(WIDTH + COUNTS, WIDTH + COUNTS + PAIRS)
    assert not torch.allclose(first[pairs], second[pairs])
    assert not torch.allclose(first[-2 * WIDTH :], second[-2 * WIDTH :])


@pytest.mark.parametrize("variant", ["small", "bag"])
def test_gaps_are_seen_and_only_the_longest_before_a_kind_without_the_transformer(variant: str):
    network, quick = encoder(variant), events([3, 4, 4])
    gaps = torch.zeros(3, LENGTH)
    gaps[1, :3], gaps[2, :3] = torch.tensor([0.1, 0.9, 0.2]), torch.tensor([0.1, 0.2, 0.9])
    first, second, third = (network(Events(quick.tokens, row[None])) for row in gaps)
    assert not torch.allclose(first, second)
    assert torch.allclose(second, third) == (variant == "bag")


def test_an_unknown_event_moves_what_never_moved_in_known_ones():
    generator = torch.Generator().manual_seed(1)
    known = torch.randint(3, KINDS, (200, LENGTH), generator=generator)
    strange = known.clone()
    strange[:, 5] = 1
    counts = slice(WIDTH, WIDTH + COUNTS)
    features, moved = (encoder("bag")(Events(t, torch.zeros(t.shape)))[:, counts] for t in (known, strange))
    directions = torch.linalg.svd(features - features.mean(0), full_matrices=False).Vh[: KINDS - 3]
    outside = moved - features.mean(0)
    outside = outside - outside @ directions.T @ directions
    assert (outside.norm(dim=1) > 0.3).all()


@pytest.mark.parametrize("variant", ["small", "bag"])
def test_sessions_of_one_event_or_none_and_no_session_at_all_are_finite(variant: str):
    network = encoder(variant)
    features = network(events([3], []))
    assert features.isfinite().all()
    assert network(Events(torch.zeros(0, LENGTH, dtype=torch.long), torch.zeros(0, LENGTH))).shape == (
        0,
        network.features,
    )


def test_more_pairs_than_counters_are_no_error():
    network = event_transformer.build(event_transformer.Config("bag"), (500, LENGTH))
    assert network(Events(torch.randint(0, 500, (4, LENGTH)), torch.zeros(4, LENGTH))).isfinite().all()


def test_the_decoders_likelihoods_of_all_single_events_sum_to_one():
    decoder = CountDecoder(4, (KINDS, LENGTH))
    z = torch.randn(1, 4).expand(KINDS - 1, 4)
    singles = events(*[[token] for token in range(1, KINDS)])
    assert decoder.log_likelihood(z, singles).exp().sum().item() == pytest.approx(1.0, abs=1e-5)


def test_the_decoder_does_not_see_the_order_and_two_events_multiply():
    decoder, z = CountDecoder(4, (KINDS, LENGTH)), torch.randn(1, 4)
    pair, turned, first, second = (decoder.log_likelihood(z, events(session)) for session in ([3, 4], [4, 3], [3], [4]))
    torch.testing.assert_close(pair, turned)
    torch.testing.assert_close(pair, first + second)
