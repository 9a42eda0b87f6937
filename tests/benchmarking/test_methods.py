import pytest

from vssl.benchmarking.methods import family, method
from vssl.errors import ConfigError
from vssl.objectives import simclr, vssl


def test_a_name_a_variant_and_settings():
    assert method("simclr") == simclr.Config()
    assert method("vssl/paper") == vssl.paper()
    assert method("simclr:temperature=0.05,latent=64") == simclr.Config(temperature=0.05, latent=64)
    assert method("vssl:prior=paired,likelihood_trains=all,predictor=true").predictor is True
    assert method("vssl/paper:ema_half_life=0.1").prior == "paired"


def test_the_family_is_the_method_without_its_settings():
    assert family("vssl/paper:beta=1") == "vssl/paper"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("simclt", "simclr"),
        ("simclr:heat=1", "no setting 'heat'"),
        ("simclr:temperature", "write METHOD:SETTING=VALUE"),
        ("simclr:temperature=warm", "must be of type float"),
        ("simclr:temperature=0", "must be in the range"),
    ],
)
def test_a_wrong_method_is_named(text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        method(text)
