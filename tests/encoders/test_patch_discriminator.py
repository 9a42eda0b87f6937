"""The discriminator of an encoder: what it computes, and how it is stored."""

import torch

from vssl.encoders.patch_discriminator import PatchDiscriminator, untrained


def fitted(channels: int = 5) -> tuple[PatchDiscriminator, torch.Tensor, torch.Tensor]:
    """A fitted discriminator, maps, and the logits that its network gives the standardised maps."""
    torch.manual_seed(0)
    network, mean, scale = untrained(channels), torch.randn(channels), torch.rand(channels) + 0.5
    maps = 3 * torch.randn(4, channels, 6, 7)
    standardised = (maps - mean[:, None, None]) / scale[:, None, None]
    for _ in range(3):  # running statistics that are not those of the start
        network(standardised)
    discriminator = PatchDiscriminator()
    discriminator.fit(mean, scale, network.eval())
    return discriminator, maps, network(standardised).detach()[:, 0]


def test_standardisation_and_normalisation_inside_the_convolutions_change_nothing() -> None:
    discriminator, maps, expected = fitted()
    logits = discriminator(maps)
    assert logits is not None
    # At the border the second convolution is padded with zeros, as in training.
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_a_discriminator_that_was_never_fitted_gives_no_logits() -> None:
    assert PatchDiscriminator()(torch.zeros(1, 5, 2, 2)) is None


def test_a_stored_discriminator_loads_into_one_that_was_never_fitted() -> None:
    discriminator, maps, _ = fitted()
    other = PatchDiscriminator()
    other.load_state_dict(discriminator.state_dict())
    assert torch.equal(other(maps), discriminator(maps))


def test_no_optimiser_can_reach_its_weights() -> None:
    assert list(fitted()[0].parameters()) == []
