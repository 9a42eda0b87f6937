"""Bounds and prediction sets beside those of MAPIE, where it has them."""

from __future__ import annotations

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from mapie.risk_control import BinaryClassificationController

from vssl.decisions import bounds
from vssl.decisions.probe import probe


@pytest.mark.parametrize("alpha", [0.2, 0.05])
@pytest.mark.parametrize("seed", range(3))
def test_p_values_of_a_false_positive_rate_are_the_same(alpha: float, seed: int):
    scores, limits = np.random.default_rng(seed).random(400), np.linspace(1, 0.5, 101)
    controller = BinaryClassificationController(
        lambda x: np.column_stack([1 - x.ravel(), x.ravel()]),
        risk="fpr",
        target_level=alpha,
        confidence_level=0.9,
        list_predict_params=limits,
        fwer_method="fixed_sequence",
    )
    controller.calibrate(np.append(scores, [1.0, 1.0])[:, None], np.append(np.zeros(400, int), [1, 1]))
    counts = (scores[:, None] >= limits).sum(0)
    theirs = controller.p_values[:, 0]
    # MAPIE counts one more where 400 times a share is rounded up: 400 * (14 / 400) is a little above 14.
    counted = np.ceil(400 * (counts / 400)).astype(int)
    assert theirs == pytest.approx(bounds.binomial_p_values(np.minimum(counted, 400), 400, alpha))
    assert (bounds.binomial_p_values(counts, 400, alpha) <= theirs + 1e-12).all()


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_prediction_sets_are_the_same(embeddings_from, coverage: float):
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 600)
    samples = embeddings_from("s", np.eye(3)[kind] * 1.5 + rng.normal(size=(600, 3)))
    known, later = samples.where(np.arange(600) < 300), samples.where(np.arange(600) >= 300)
    labels = dict(zip(known.ids, np.array([*"abc"])[kind[:300]], strict=True))
    found = probe(known, labels, coverage)
    kept_apart = np.random.default_rng(0).permutation(300) >= 150

    rival = SplitConformalClassifier(found.classifier, confidence_level=coverage, conformity_score="lac", prefit=True)
    rival.conformalize(known.features[kept_apart], kind[:300][kept_apart])
    _, sets = rival.predict_set(later.features)
    np.testing.assert_array_equal(found.sets(later), sets[:, :, 0])
