"""Scores whose values are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score

from vssl.errors import ConfigError, DataError
from vssl.scores import ambiguity, knn, mahalanobis, mixture, novelty, patches
from vssl.types import Embeddings, to_arrow


def test_knn_is_the_mean_distance_to_the_nearest_of_the_bank(embeddings_from):
    angles = np.deg2rad([0, 10, 90, 180])
    bank = embeddings_from("b", np.stack([np.cos(angles), np.sin(angles)], axis=1))
    score = knn.fit(knn.Config(neighbours=2, space="features"), bank)
    expected = 1 - (np.cos(np.deg2rad(5)) + np.cos(np.deg2rad(15))) / 2
    assert score(embeddings_from("s", [[np.cos(np.deg2rad(-5)), np.sin(np.deg2rad(-5))]])) == pytest.approx(
        expected, abs=1e-6
    )


def test_whitened_neighbours_hear_a_direction_in_which_the_bank_hardly_spreads(embeddings_from):
    rng = np.random.default_rng(0)
    spread, shift = [20.0] * 8 + [1.0], [0.0] * 8 + [8.0]
    bank = embeddings_from("b", rng.normal(size=(4000, 9)) * spread)
    known, odd = rng.normal(size=(200, 9)) * spread, rng.normal(size=(200, 9)) * spread + shift
    both = embeddings_from("s", np.concatenate([known, odd]))
    right = np.repeat([0, 1], 200)
    plain, whitened = (knn.fit(knn.Config(space=space), bank)(both) for space in ("features", "whitened"))
    assert roc_auc_score(right, plain) < 0.7
    assert roc_auc_score(right, whitened) > 0.95


def test_a_stranger_far_outside_is_novel_though_it_lies_in_the_direction_of_known_samples(embeddings_from):
    known = np.random.default_rng(0).normal(size=(400, 8))
    score = knn.fit(knn.Config(neighbours=1), embeddings_from("b", known))
    ordinary = np.random.default_rng(1).normal(size=(400, 8))
    assert (score(embeddings_from("s", known[:50] * 30)) > score(embeddings_from("t", ordinary)).max()).all()


def test_whitened_distances_take_square_roots_of_lengths(embeddings_from):
    known = np.random.default_rng(0).normal(size=(50_000, 2)) * [1, 10]
    pair = np.array([[3.0, 0.0], [0.0, 40.0]])
    score = knn.fit(knn.Config(neighbours=1), embeddings_from("b", np.concatenate([known, pair[:1]])))
    only = knn.KNN(score.module.vectors, torch.tensor(pair[:1]).float(), neighbours=1)
    # In deviations the two have the lengths 3 and 4 and lie at a right angle.
    assert only(torch.tensor(pair).float()).tolist() == pytest.approx([0, (3 + 4) / 2], rel=0.02, abs=1e-5)


def test_one_sample_cannot_whiten(embeddings_from):
    alone = embeddings_from("b", [[1.0, 0.0]])
    with pytest.raises(DataError, match="no covariance"):
        knn.fit(knn.Config(), alone)
    assert knn.fit(knn.Config(space="features"), alone)(alone) == pytest.approx(0, abs=1e-6)


def test_mahalanobis_measures_in_deviations_of_the_bank(embeddings_from):
    bank = embeddings_from("b", np.random.default_rng(0).normal(size=(20_000, 2)) * [1, 10])
    score = mahalanobis.fit(mahalanobis.Config(), bank)
    found = score(embeddings_from("s", [[2.0, 0.0], [0.0, 20.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [4, 4, 0], atol=0.2)


def test_a_mixture_sees_the_gap_between_two_clusters_that_one_gaussian_does_not(embeddings_from):
    rng = np.random.default_rng(0)
    bank = embeddings_from("b", rng.normal(size=(2000, 2)) * 0.1 + rng.choice([-1, 1], size=(2000, 1)))
    between, inside = embeddings_from("s", [[0.0, 0.0]]), embeddings_from("t", [[1.0, 1.0]])
    two = mixture.fit(mixture.Config(components=2), bank)
    assert two(between)[0] > two(inside)[0] + 5
    one = mahalanobis.fit(mahalanobis.Config(), bank)
    assert one(between)[0] < one(inside)[0]


def test_a_mixture_of_one_is_a_gaussian_in_nats(embeddings_from):
    features = np.random.default_rng(1).normal(size=(5000, 3)) * [1, 2, 3]
    samples = embeddings_from("s", features)
    found = mixture.fit(mixture.Config(components=1), samples)(samples)
    # PCA scales to unit variance, so the density is that of a standard Gaussian in the whitened space.
    assert found.mean() == pytest.approx(3 * stats.norm.entropy(), abs=0.02)


@pytest.fixture
def both_spaces(embeddings_from):
    """`both_spaces(ids, mean, features)`: other vectors in the latent space than in the features."""

    def build(ids, mean, features):
        table = embeddings_from(ids, mean).table
        features = embeddings_from(ids, features).table["features"]
        return Embeddings(table.rename_columns(["id", "mean"]).append_column("features", features))

    return build


def test_novelty_hears_each_of_its_two_scores(both_spaces):
    rng = np.random.default_rng(0)
    bank = both_spaces("b", rng.normal(size=(2000, 3)) * 0.1 + [1, 0, 0], rng.normal(size=(2000, 3)))
    score = novelty.fit(novelty.Config(), bank)
    known = score(both_spaces("s", rng.normal(size=(500, 3)) * 0.1 + [1, 0, 0], rng.normal(size=(500, 3))))
    odd_in_latent, odd_in_features, copy = score(
        both_spaces("t", [[-1, 0, 0], [1, 0, 0], bank.numpy("mean")[0]], [[0, 0, 1], [9, 9, 9], [9, 9, 9]])
    )
    blank = score(both_spaces("u", bank.numpy("mean")[:1], [[90, 90, 90]]))
    assert blank[0] > known.max()
    # The scale: the median of known samples is 0 in either part.
    assert abs(np.median(known)) < 0.5
    assert min(odd_in_latent, odd_in_features, copy) > np.quantile(known, 0.99)


def test_novelty_hears_what_the_encoder_does_not_see(embeddings_from):
    rng = np.random.default_rng(0)

    def samples(ids, count, offset=0.0):
        raw_descriptor = rng.normal(size=(count, 3)) + np.array([0, 0, offset])
        mean = to_arrow(rng.normal(size=(count, 4)).astype(np.float32))
        return embeddings_from(
            ids, np.ones((count, 4)), mean=mean, raw_descriptor=to_arrow(raw_descriptor.astype(np.float32))
        )

    score = novelty.fit(novelty.Config(), samples("b", 1000))
    assert score.columns == ("mean", "raw_descriptor")
    assert score(samples("t", 20, offset=9.0)).min() > np.quantile(score(samples("s", 500)), 0.95)


def test_the_outline_is_compared_where_there_is_one(embeddings_from):
    rng = np.random.default_rng(0)
    raw_descriptor = to_arrow((rng.normal(size=(20_000, 2)) * [1, 10]).astype(np.float32))
    bank = embeddings_from("b", np.ones((20_000, 4)), raw_descriptor=raw_descriptor)
    new = to_arrow(np.array([[2, 0], [0, 20]], np.float32))
    found = mahalanobis.fit(mahalanobis.Config("raw_descriptor"), bank)(
        embeddings_from("s", np.ones((2, 4)), raw_descriptor=new)
    )
    np.testing.assert_allclose(found, [4, 4], atol=0.2)
    with pytest.raises(ConfigError, match="have no raw_descriptor"):
        mahalanobis.fit(mahalanobis.Config("raw_descriptor"), embeddings_from("n", np.ones((5, 4))))


@pytest.fixture
def of_patches(embeddings_from):
    """`of_patches(ids, directions)`: samples all alike as a whole, with one direction [N, 8, 8] for each patch."""

    def build(ids, directions):
        values = np.zeros((*directions.shape, 32), np.int8)
        np.put_along_axis(values, directions[..., None], 127, axis=3)
        return embeddings_from(ids, np.ones((len(values), 4)), patch_features=to_arrow(values))

    return build


def test_patches_finds_where_an_image_is_unlike_the_known_ones(of_patches):
    plain = np.zeros((1, 8, 8), int)
    score = patches.fit(patches.Config(), of_patches("b", np.repeat(plain, 5, axis=0)))
    odd = plain.copy()
    odd[0, 2, 5] = 1
    samples = of_patches("s", np.concatenate([plain, odd]))
    distances = score.anomaly_map(samples)
    expected = np.zeros((2, 8, 8))
    expected[1, 2, 5] = 1
    np.testing.assert_allclose(distances, expected, atol=1e-6)
    np.testing.assert_allclose(score(samples), [0, 1 / (8 * 8 // patches.TOP_FRACTION)], atol=1e-6)


def test_patches_allow_things_to_lie_a_patch_apart_but_not_two(of_patches):
    known = np.zeros((3, 8, 8), int)
    known[:, 4, 4] = 1
    score = patches.fit(patches.Config(), of_patches("b", known))
    shifted = np.zeros((2, 8, 8), int)
    shifted[0, 5, 3] = shifted[1, 6, 4] = 1
    near, far = score(of_patches("s", shifted))
    assert near == pytest.approx(0, abs=1e-6)
    assert far > 0.3


def test_patches_in_time_have_one_neighbour_on_either_side(embeddings_from):
    def stretch(ids, kinds):
        values = np.zeros((len(kinds), 1, 32, 32), np.int8)
        np.put_along_axis(values, kinds[:, None, :, None], 127, axis=3)
        return embeddings_from(ids, np.ones((len(values), 4)), patch_features=to_arrow(values))

    known = np.zeros((4, 32), int)
    known[:, 10] = 1
    score = patches.fit(patches.Config(), stretch("b", known))
    later = np.zeros((2, 32), int)
    later[0, 11] = later[1, 12] = 1
    distances = score.anomaly_map(stretch("s", later))
    assert distances.shape == (2, 1, 32)
    assert distances[0].max() == pytest.approx(0, abs=1e-6)
    assert distances[1, 0, 12] == pytest.approx(1)


def test_ambiguity_is_the_mean_log_variance(embeddings_from):
    samples = embeddings_from("s", np.eye(2), [[-1.0, -3.0], [0.0, 1.0]])
    assert ambiguity.fit(ambiguity.Config(), samples)(samples) == pytest.approx([-2.0, 0.5])


def test_what_a_bank_cannot_give_is_said(embeddings_from):
    few = embeddings_from("b", np.eye(2)[:1])
    with pytest.raises(ConfigError, match="no variance"):
        ambiguity.fit(ambiguity.Config(), few)
    with pytest.raises(DataError, match="at least two"):
        mahalanobis.fit(mahalanobis.Config(), few)
    with pytest.raises(DataError, match="novelty needs at least 8"):
        novelty.fit(novelty.Config(), few)
    with pytest.raises(DataError, match="too few for 8 Gaussians"):
        mixture.fit(mixture.Config(), few)
    for wrong in (lambda: knn.Config(neighbours=0), lambda: mixture.Config(components=0)):
        with pytest.raises(ConfigError, match="1 or more"):
            wrong()
