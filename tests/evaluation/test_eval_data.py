import numpy as np
import pyarrow as pa
import pytest

from vssl.errors import ConfigError, DataError, EmptyDataError
from vssl.evaluation import EvalData
from vssl.evaluation.labels import stratified


def test_duplicate_ids_are_named(embeddings_from):
    with pytest.raises(DataError, match=r"more than once \('b\.png'\)"):
        EvalData(embeddings_from(["a.png", "b.png", "b.png"], np.eye(3)))


def test_features_that_are_not_finite_are_named_by_id(embeddings_from):
    features = np.ones((5, 2))
    features[[1, 3], 0] = np.nan, np.inf
    with pytest.raises(DataError, match="2 rows whose features are not finite \\('s00001', 's00003'\\)"):
        EvalData(embeddings_from("s", features))


def test_an_ambiguity_that_is_not_finite_is_refused(embeddings_from):
    with pytest.raises(DataError, match="ambiguity"):
        EvalData(embeddings_from("s", np.eye(2), log_variance=[[0.0], [np.nan]]))


def test_no_embeddings_and_one_embedding_are_refused(embeddings_from):
    with pytest.raises(EmptyDataError):
        EvalData(embeddings_from("s", np.ones((0, 2))))
    with pytest.raises(DataError, match="at least two"):
        EvalData(embeddings_from("s", np.ones((1, 2))))


def test_a_wrong_label_column_is_answered_with_those_there_are(embeddings_from):
    query = embeddings_from("s", np.eye(2), camera=["a", "b"])
    with pytest.raises(ConfigError, match=r"no label column 'class'; it has: id, camera\."):
        EvalData(query, label="class")
    with pytest.raises(ConfigError, match="no label column 'features'"):
        EvalData(query, label="features")


def test_the_reference_needs_the_label_column_too(embeddings_from):
    with pytest.raises(ConfigError, match="The reference has no label column"):
        EvalData(embeddings_from("s", np.eye(2), y=["a", "b"]), embeddings_from("r", np.eye(2)), label="y")


@pytest.mark.parametrize("missing", [None, ""])
def test_samples_without_a_label_are_left_out_and_counted(embeddings_from, missing):
    data = EvalData(embeddings_from("s", np.eye(4), y=["good", missing, "bad", "bad"]), label="y")
    assert data.labelled.samples.ids == ["s00000", "s00002", "s00003"]
    assert data.labelled.classes.tolist() == [1, 0, 0]
    assert data.missing_labels == 1


def test_a_label_nan_is_missing_and_whole_floats_equal_integers(embeddings_from):
    query = embeddings_from("q", np.eye(3), y=pa.array([3.0, float("nan"), 4.0]))
    reference = embeddings_from("r", np.eye(3), y=pa.array([4, 4, 3]))
    data = EvalData(query, reference, label="y")
    assert data.missing_labels == 1
    assert data.labelled.classes.tolist() == [0, 1]
    assert data.examples.classes.tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [(["a", "a", "a"], "one class only"), ([None] * 3, "no label at all"), (["a", "b", "c"], "too many")],
)
def test_labels_that_cannot_be_used_say_why(embeddings_from, labels, reason):
    data = EvalData(embeddings_from("s", np.eye(3), y=pa.array(labels, pa.string())), label="y")
    assert reason in data.label_problem
    with pytest.raises(DataError, match=reason):
        _ = data.labelled


def test_a_sample_in_both_query_and_reference_is_refused(embeddings_from):
    query, reference = embeddings_from(["a", "b"], np.eye(2)), embeddings_from(["b", "c"], [[0, 1], [1, 1]])
    with pytest.raises(DataError, match="1 samples are in both query and reference \\('b'\\)"):
        EvalData(query, reference)


def test_equal_file_names_in_two_folders_are_different_samples(embeddings_from):
    features = np.random.default_rng(0).normal(size=(2, 3, 4))
    EvalData(embeddings_from("s", features[0]), embeddings_from("s", features[1]))


def test_tables_that_do_not_fit_the_query_are_refused(embeddings_from):
    query = embeddings_from("s", np.eye(3))
    with pytest.raises(DataError, match="3 features and the outliers 2"):
        EvalData(query, outliers=embeddings_from("o", np.eye(2)))
    with pytest.raises(DataError, match="same ids"):
        EvalData(query, other_seed_run=embeddings_from("t", np.eye(3)))


def test_a_run_of_another_seed_in_another_order_is_matched_by_id(embeddings_from):
    data = EvalData(
        embeddings_from(["a", "b"], np.eye(2)), other_seed_run=embeddings_from(["b", "a"], [[0, 1], [1, 0]])
    )
    np.testing.assert_array_equal(data.other_seed_run.features, data.query.features)


def test_a_stratified_draw_takes_the_share_of_every_class_and_at_least_one():
    classes = np.repeat([0, 1, 2], [100, 20, 2])
    drawn = stratified(classes, 0.1, seed=0)
    assert np.bincount(classes[drawn]).tolist() == [10, 2, 1]


def test_stratified_draws_of_one_seed_are_nested():
    classes = np.random.default_rng(0).integers(0, 5, 1000)
    small, large = stratified(classes, 0.01, seed=3), stratified(classes, 0.1, seed=3)
    assert large[small].all()
    assert (stratified(classes, 0.1, seed=4) != large).any()


def test_a_stratified_draw_leaves_the_asked_number_of_each_class():
    classes = np.repeat([0, 1], [1, 2])
    assert np.bincount(classes[stratified(classes, 0.9, seed=0, leave=1)], minlength=2).tolist() == [0, 1]
