"""Prediction sets at a stated coverage."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from vssl.decisions.probe import DATA_FIELDS, probe, read_labels
from vssl.embedding.header import Identity
from vssl.errors import ConfigError, DataError, NotEnoughDataError


@pytest.fixture
def clusters(embeddings_from):
    """`clusters(ids, count, seed)`: three overlapping clusters, the third rare, and their names."""

    def draw(ids: str, count: int, seed: int):
        rng = np.random.default_rng(seed)
        kind = rng.choice(3, count, p=[0.45, 0.45, 0.1])
        centres = np.array([[0, 0], [2, 0], [0, 2.0]])
        return embeddings_from(ids, centres[kind] + rng.normal(size=(count, 2))), np.array(["a", "b", "c"])[kind]

    return draw


def labels_of(samples, names) -> dict[str, str]:
    return dict(zip(samples.ids, names.tolist(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_the_true_class_is_in_the_set_as_often_as_stated(clusters, coverage: float):
    later, truth = clusters("t", 2000, 99)
    hits = []
    for seed in range(25):
        samples, names = clusters("s", 200, seed)
        found = probe(samples, labels_of(samples, names), coverage, seed=seed)
        place = np.searchsorted(found.classes, truth)
        hits.append(found.sets(later)[np.arange(len(truth)), place].mean())
    # On average at least the coverage, and not much more: 1 / (n + 1) with n = 100.
    error = 3 * np.std(hits) / np.sqrt(len(hits))
    assert coverage - error <= np.mean(hits) <= coverage + 1 / 101 + error


@pytest.mark.slow
def test_by_class_the_coverage_holds_for_the_rare_one_too(clusters):
    later, truth = clusters("t", 4000, 99)
    rare = truth == "c"
    marginal, by_class = [], []
    for seed in range(15):
        samples, names = clusters("s", 400, seed)
        for mondrian, kept in ((False, marginal), (True, by_class)):
            found = probe(samples, labels_of(samples, names), 0.9, mondrian, seed)
            kept.append(found.sets(later)[rare, found.classes.index("c")].mean())
    assert np.mean(marginal) < 0.8
    assert np.mean(by_class) > 0.9 - 3 * np.std(by_class) / np.sqrt(15)


@pytest.mark.slow
def test_the_coverage_holds_with_more_classes_than_labels_can_teach(embeddings_from):
    hits = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        kind = (20 * rng.beta(0.6, 3, 1060)).astype(int)
        samples = embeddings_from("s", rng.normal(size=(20, 8))[kind] + 0.3 * rng.normal(size=(1060, 8)))
        names = np.array([f"kind-{number}" for number in kind], dtype=object)
        found = probe(samples, dict(zip(samples.ids[:60], names[:60], strict=True)), 0.8, seed=seed)
        place = {name: at for at, name in enumerate(found.classes)}
        sets = found.sets(samples)[60:]
        hits.append(np.mean([name in place and row[place[name]] for name, row in zip(names[60:], sets, strict=True)]))
    assert np.mean(hits) > 0.8 - 2 * np.std(hits) / np.sqrt(len(hits))


def test_samples_of_a_class_with_one_label_count_and_their_class_is_not_guessed(clusters):
    samples, names = clusters("s", 200, 0)
    names = np.where(names == "c", "b", names).astype(object)
    names[0] = "only once"
    # By seed 0 the only one of its kind is in the half that calibrates.
    found = probe(samples, labels_of(samples, names), 0.9, seed=0)
    at = found.classes.index("only once")
    assert not found.sets(samples)[:, at].any()
    assert (found.calibration[0] == 1).sum() == 1


def test_more_coverage_needs_larger_sets(clusters):
    samples, names = clusters("s", 400, 0)
    sizes = [probe(samples, labels_of(samples, names), level).sets(samples).sum(1).mean() for level in (0.7, 0.9, 0.98)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda known: known | {"s99999": "a"},
            DataError,
            "1 of 201 labelled ids are not among the embeddings: s99999",
        ),
        (lambda known: dict.fromkeys(known, "a"), DataError, "1 classes .a."),
        (lambda known: {}, DataError, "0 classes"),
        (
            lambda known: dict.fromkeys(known, "a") | {"s00000": "b"},
            DataError,
            "has only one class",
        ),
        (lambda known: dict(list(known.items())[:10]), NotEnoughDataError, "coverage of 0.9"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(clusters, change, error, message: str):
    samples, names = clusters("s", 200, 0)
    with pytest.raises(error, match=message):
        probe(samples, change(labels_of(samples, names)))


def test_a_class_with_too_few_labels_is_named(clusters):
    samples, names = clusters("s", 100, 0)
    with pytest.raises(NotEnoughDataError, match="of the class 'c'"):
        probe(samples, labels_of(samples, names), 0.95, by_class=True)


def test_coverage_is_a_share(clusters):
    samples, names = clusters("s", 100, 0)
    with pytest.raises(ConfigError, match="coverage is 90"):
        probe(samples, labels_of(samples, names), 90)


def test_labels_are_read_from_a_list(tmp_path: Path):
    path = tmp_path / "labels.csv"
    path.write_text("label,id\nok,a.png\n,b.png\ndefect,c.png\n", encoding="utf-8-sig")
    assert read_labels(path) == {"a.png": "ok", "c.png": "defect"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,name\na,ok\n", "needs the columns id and label; it has: id, name"),
        ("", "it has: none"),
        ("id,label\na,ok\na,defect\n", "row 2: a is 'defect' here and 'ok' above"),
    ],
)
def test_lists_of_labels_that_cannot_be_read_are_named(tmp_path: Path, text: str, message: str):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_labels(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path / "nothing.csv")


def test_tables_with_and_without_compared_views_go_together():
    assert DATA_FIELDS.keys() == {field.name for field in fields(Identity)} - {"model", "preprocessing", "backend"}
