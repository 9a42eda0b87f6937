"""The score `discriminator`: altered patches raise it, and without a discriminator it says what to do."""

import numpy as np
import pytest

from vssl.errors import ConfigError
from vssl.scores import discriminator
from vssl.types import Embeddings


def table(logits: np.ndarray) -> Embeddings:
    names = [str(row) for row in range(len(logits))]
    return Embeddings.from_columns(names, {"discriminator_logits": logits.astype(np.float16)})


def test_the_score_is_the_mean_of_the_three_largest_log_odds_of_a_sample() -> None:
    logits = np.full((2, 4, 6), -5.0)
    logits[1, 0, :4] = [3, 2, 1, 0]
    score = discriminator.fit(discriminator.Config(), table(logits))
    assert score(table(logits)).tolist() == [-5, 2]


def test_the_anomaly_map_is_the_log_odds_of_each_patch() -> None:
    samples = table(np.arange(12.0).reshape(1, 3, 4))
    anomaly_map = discriminator.fit(discriminator.Config(), samples).anomaly_map
    assert anomaly_map is not None
    assert np.array_equal(anomaly_map(samples), samples.numpy("discriminator_logits"))


def test_a_sample_of_fewer_patches_than_the_score_looks_at_has_a_score() -> None:
    samples = table(np.array([[[1.0, 3.0]]]))
    assert discriminator.fit(discriminator.Config(), samples)(samples).tolist() == [2]


def test_a_run_without_a_discriminator_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="other --views than natural"):
        discriminator.fit(discriminator.Config(), Embeddings.from_columns(["a"], {"features": np.zeros((1, 2))}))
