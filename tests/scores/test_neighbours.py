import numpy as np
import pytest

from vssl.errors import DataError
from vssl.scores import neighbours as module
from vssl.scores.neighbours import neighbours


def test_a_sample_is_left_out_by_its_id_even_if_a_duplicate_ranks_first(embeddings_from):
    samples = embeddings_from("s", [[1, 0], [1, 0], [0, 1]])
    found = neighbours(samples, samples, 1, exclude_same_id=True).rows[:, 0].tolist()
    assert found[:2] == [1, 0]
    assert found[2] != 2


def test_neighbours_equal_a_full_sort_whatever_the_block_size(embeddings_from, monkeypatch):
    rng = np.random.default_rng(0)
    query, reference = rng.normal(size=(50, 8)), rng.normal(size=(30, 8))
    monkeypatch.setattr(module, "ROWS", 7)
    near = neighbours(embeddings_from("q", query), embeddings_from("r", reference), 5, exclude_same_id=False)
    cosine = query @ reference.T / np.linalg.norm(query, axis=1)[:, None] / np.linalg.norm(reference, axis=1)
    np.testing.assert_array_equal(near.rows, np.argsort(-cosine, axis=1)[:, :5])
    np.testing.assert_allclose(near.similarity, -np.sort(-cosine, axis=1)[:, :5], atol=1e-6)


def test_k_is_clipped_to_those_who_may_be_neighbours(embeddings_from):
    samples = embeddings_from("s", np.eye(4))
    assert neighbours(samples, samples, 20, exclude_same_id=True).rows.shape == (4, 3)
    assert neighbours(samples, samples, 20, exclude_same_id=False).rows.shape == (4, 4)


def test_nobody_who_could_be_a_neighbour_is_an_error(embeddings_from):
    alone = embeddings_from("s", np.ones((1, 2)))
    with pytest.raises(DataError, match="at least two"):
        neighbours(alone, alone, 1, exclude_same_id=True)


def test_equal_ids_in_a_reference_are_neighbours_unless_excluded(embeddings_from):
    query, reference = embeddings_from(["a", "b"], np.eye(2)), embeddings_from(["b", "a"], np.eye(2))
    assert neighbours(query, reference, 1, exclude_same_id=False).rows[:, 0].tolist() == [0, 1]
    # "a" of the reference points like "b" of the query, and is the only one that "b" may still choose.
    assert neighbours(query, reference, 1, exclude_same_id=True).rows[:, 0].tolist() == [0, 1]
