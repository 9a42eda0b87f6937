import numpy as np
import pytest

from vssl.evaluation import EvalData, Skip
from vssl.evaluation.linear import WEIGHT_DECAYS, best_decay, run


def plane(seed, count, noise=0.0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 3)) * [1, 100, 0.01]
    features[:, 0] += np.sign(features[:, 0])
    return features, (features[:, 0] > 0) ^ (rng.random(count) < noise)


def test_classes_divided_by_a_plane_are_learned_with_all_ten_and_one_percent(embeddings_from):
    (query, truth), (reference, known) = plane(0, 500), plane(1, 1000)
    data = EvalData(embeddings_from("q", query, y=truth), embeddings_from("r", reference, y=known), "y")
    values = dict(run(data))
    assert values["linear/accuracy_100"] > 0.99
    assert values["linear/accuracy_10"] > 0.97
    assert values["linear/accuracy_1"] > 0.7
    assert {f"linear/balanced_accuracy_{percent}" for percent in (100, 10, 1)} < set(values)


def test_labels_drawn_by_lot_are_not_learned(embeddings_from):
    rng = np.random.default_rng(0)
    data = EvalData(embeddings_from("q", rng.normal(size=(1000, 5)), y=rng.integers(0, 2, 1000)), label="y")
    assert dict(run(data))["linear/accuracy_100"] == pytest.approx(0.5, abs=0.12)


def test_without_a_reference_samples_are_held_out(embeddings_from):
    # 60 random features for 40 training samples: whoever tests on what was learned finds no error.
    rng = np.random.default_rng(0)
    data = EvalData(embeddings_from("q", rng.normal(size=(50, 60)), y=rng.integers(0, 2, 50)), label="y")
    assert dict(run(data))["linear/accuracy_100"] < 0.9


def test_one_percent_of_too_few_labels_is_skipped_with_the_reason(embeddings_from):
    features, labels = plane(0, 125)
    values = dict(run(EvalData(embeddings_from("q", features, y=labels), label="y")))
    assert values["linear/accuracy_1"] == Skip("1 % of the 100 labels are 1, fewer than the 2 classes")
    assert "linear/accuracy_10" in values


def test_a_class_of_one_sample_is_learned_from_and_never_tested(embeddings_from):
    features, labels = plane(0, 101)
    names = ["alone", *np.where(labels[1:], "right", "left")]
    assert dict(run(EvalData(embeddings_from("q", features, y=names), label="y")))["linear/accuracy_100"] > 0.9


class Recorder:
    """Stands in for the classifier: notes how many samples it was scored on, and likes the third weight decay best."""

    def __init__(self):
        self.held = []

    def set_params(self, C):
        self.C = C
        return self

    def fit(self, known, classes):
        self.decay = 1 / (self.C * len(known))
        return self

    def score(self, known, classes):
        self.held.append(len(known))
        return -abs(np.log(self.decay / WEIGHT_DECAYS[2]))


@pytest.mark.parametrize(("labels", "draws"), [(100, 20), (5_000, 2), (20_000, 1)])
def test_the_fewer_the_labels_the_more_draws_choose_the_weight_decay(labels, draws):
    model = Recorder()
    assert best_decay(model, np.zeros((labels, 1)), np.arange(labels) % 2, seed=0) == WEIGHT_DECAYS[2]
    assert model.held == [labels // 10] * draws * len(WEIGHT_DECAYS)
