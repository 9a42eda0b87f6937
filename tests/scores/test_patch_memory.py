"""The score `patch_memory`: an unknown patch raises it wherever it lies, and a policy keeps the memory alone."""

import numpy as np
import pytest

from vssl.errors import ConfigError, DataError
from vssl.scores import novelty, patch_memory
from vssl.types import Embeddings

CONFIG = patch_memory.Config()


def table(patches: np.ndarray) -> Embeddings:
    names = [f"{row:03d}" for row in range(len(patches))]
    return Embeddings.from_columns(names, {"dense_patches": patches.astype(np.int8)})


def known(count: int = 12) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 4, (count, 6, 7, 8)).round()


def test_an_unknown_patch_is_found_where_it_lies() -> None:
    odd = known()[:1].copy()
    odd[0, 4, 1] = 90
    score = patch_memory.fit(CONFIG, table(known()))
    assert score.anomaly_map is not None
    distances = score.anomaly_map(table(odd))[0]
    assert np.unravel_index(distances.argmax(), distances.shape) == (4, 1)
    assert score(table(odd))[0] > 5 * score(table(known())).max()


def test_a_known_patch_is_at_no_distance_at_any_other_place() -> None:
    moved = known()[:1, ::-1, ::-1]
    assert patch_memory.fit(CONFIG, table(known()))(table(moved)).tolist() == [0]


def test_the_same_distance_counts_less_from_a_patch_that_lies_far_from_others() -> None:
    bank = np.zeros((8, 4, 4, 8))
    bank[:, 2:] = 60 + 12 * np.random.default_rng(1).normal(size=(8, 2, 4, 8))
    dense, sparse = bank[:1].copy(), bank[:1].copy()
    dense[0, 0, 0, 0] += 20
    sparse[0, 2, 0, 0] += 20
    score = patch_memory.fit(CONFIG, table(bank))
    assert score(table(dense))[0] > score(table(sparse))[0] > 0


def test_the_memory_that_a_policy_keeps_gives_the_same_scores_and_holds_no_other_patches() -> None:
    bank, samples = table(known(40)), table(known(50)[40:])
    config = patch_memory.Config(memory=100)
    kept = config.condense(bank)
    assert "dense_patches" not in kept
    assert sum(len(vectors) for vectors in kept.table["patch_memory"].to_pylist()) == 100
    assert np.array_equal(patch_memory.fit(config, kept)(samples), patch_memory.fit(config, bank)(samples))
    assert config.condense(kept) is kept


def test_a_sample_of_the_bank_is_scored_without_its_own_patches() -> None:
    patches = known(12)
    patches[3, 1, 1] = 90
    own = patch_memory.Config().condense(table(patches)).numpy("patch_memory_score")
    assert own.argmax() == 3
    assert (own > 0).all()


def test_scores_without_a_patch_memory_leave_the_patches_out_of_a_policy() -> None:
    assert "dense_patches" not in patch_memory.ScoreConfig.condense(novelty.Config(), table(known()))


def test_what_a_bank_cannot_give_is_named() -> None:
    with pytest.raises(ConfigError, match="no dense patches"):
        patch_memory.fit(CONFIG, Embeddings.from_columns(["a", "b"], {"features": np.zeros((2, 2))}))
    with pytest.raises(DataError, match="at least two"):
        patch_memory.fit(CONFIG, table(known(1)))
    with pytest.raises(ConfigError, match="must be"):
        patch_memory.Config(memory=3)
