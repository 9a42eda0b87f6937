import numpy as np
import pytest
from scipy.stats import ortho_group, spearmanr

from vssl.evaluation import EvalData, Skip
from vssl.evaluation.stability import jaccard, linear_cka, run

FEATURES = np.random.default_rng(0).normal(size=(200, 6)) * [5, 3, 1, 1, 1, 1]


def test_a_rotated_and_scaled_run_is_the_same_structure(embeddings_from):
    other = 3 * FEATURES @ ortho_group.rvs(6, random_state=0)
    values = dict(run(EvalData(embeddings_from("s", FEATURES), other_seed_run=embeddings_from("s", other))))
    assert values["stability/cka"] == pytest.approx(1, abs=1e-6)
    assert values["stability/neighbour_jaccard"] == pytest.approx(1, abs=1e-2)


def test_an_unrelated_run_shares_little(embeddings_from):
    other = np.random.default_rng(1).normal(size=(200, 9))
    values = dict(run(EvalData(embeddings_from("s", FEATURES), other_seed_run=embeddings_from("s", other))))
    assert values["stability/cka"] < 0.2
    assert values["stability/neighbour_jaccard"] < 0.1


def test_cka_of_orthogonal_directions_is_zero():
    # Centred and orthogonal columns over the four samples.
    first, second = np.array([[1.0], [1], [-1], [-1]]), np.array([[1.0], [-1], [1], [-1]])
    assert linear_cka(first, second) == pytest.approx(0)
    assert linear_cka(first, np.hstack([first, second])) == pytest.approx(1 / np.sqrt(2))


def test_jaccard_of_two_lists_of_neighbours_by_hand():
    assert jaccard(np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 2, 9], [6, 4, 5]])) == pytest.approx((2 / 4 + 1) / 2)


def test_ambiguities_of_both_encoders_are_compared_by_rank(embeddings_from):
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 200, 1))
    query, other = embeddings_from("s", FEATURES, first), embeddings_from("s", FEATURES, first + second)
    value = dict(run(EvalData(query, other_seed_run=other)))["stability/ambiguity_spearman"]
    assert value == pytest.approx(spearmanr(first[:, 0], (first + second)[:, 0]).statistic, abs=1e-4)


@pytest.mark.parametrize(("variance", "reason"), [(None, "no variance"), (np.zeros((200, 1)), "the same for all")])
def test_ambiguities_that_cannot_be_compared_say_why(embeddings_from, variance, reason):
    query = embeddings_from("s", FEATURES, np.arange(200.0)[:, None])
    values = dict(run(EvalData(query, other_seed_run=embeddings_from("s", FEATURES, variance))))
    assert reason in values["stability/ambiguity_spearman"].reason


def test_a_collapsed_run_is_named(embeddings_from):
    values = dict(run(EvalData(embeddings_from("s", FEATURES), other_seed_run=embeddings_from("s", np.ones((200, 2))))))
    assert isinstance(values["stability/cka"], Skip)
    assert "collapsed" in values["stability/cka"].reason
