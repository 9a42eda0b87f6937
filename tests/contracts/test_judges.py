"""What every judge in `vssl.evaluation` keeps; judges are found by themselves."""

import math

import numpy as np
import pyarrow as pa
import pytest

from vssl.config import find, members
from vssl.evaluation import Evidence, judge
from vssl.types import Embeddings

NEEDS = {"labels", "reference", "outliers", "second_view", "twin", "variance"}
TABLES = ("query", "reference", "outliers", "second_view", "twin")


def table(prefix: str, seed: int, count: int) -> Embeddings:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count)
    features = rng.normal(size=(count, 5)) + 2 * np.eye(5)[classes]
    # Duplicate features make ties among the neighbours.
    features[1::10] = features[::10]
    columns = {
        "id": [f"{prefix}{row}" for row in range(count)],
        "features": vectors(features),
        "log_variance": vectors(log_variance := rng.normal(size=(count, 4)).round(1)),
        "ambiguity": log_variance.mean(axis=1),
        "label": pa.array([None if row % 17 == 5 else f"class {name}" for row, name in enumerate(classes)]),
    }
    return Embeddings(pa.table(columns))


def vectors(values: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(values.astype(np.float32).ravel(), values.shape[1])


def full() -> dict[str, Embeddings]:
    return {
        "query": table("q", 0, 120),
        "reference": table("r", 1, 300),
        "outliers": table("o", 2, 80),
        "second_view": table("q", 3, 120),
        "twin": table("q", 4, 120),
    }


def shuffled(samples: Embeddings, seed: int) -> Embeddings:
    return Embeddings(samples.table.take(np.random.default_rng(seed).permutation(len(samples))))


@pytest.fixture(params=members("evaluation"))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_all_judges_of_this_version_are_found():
    known = {"knn", "linear", "retrieval", "selective", "ood", "rank", "uniformity", "stability"}
    assert known <= set(members("evaluation"))


def test_a_judge_says_what_it_is_and_what_it_needs(name):
    module = find("evaluation", name)
    assert module.__doc__
    assert module.NEEDS <= NEEDS


def test_with_all_evidence_every_value_is_a_finite_float_under_the_judges_name(name):
    verdict = judge(Evidence(**full(), label="label"), only=[name])
    values = {key: value for key, value in verdict.values.items() if not key.startswith("labels/")}
    assert values
    assert all(type(value) is float and math.isfinite(value) for value in values.values())
    assert all(key.startswith(f"{name}/") for key in values)
    assert name not in verdict.skipped


@pytest.mark.parametrize("with_reference", [True, False])
def test_the_order_of_the_samples_does_not_count(name, with_reference):
    given = full()
    if not with_reference:
        del given["reference"]
    mixed = {key: shuffled(samples, seed) for seed, (key, samples) in enumerate(given.items())}
    one, other = (judge(Evidence(**tables, label="label"), only=[name]) for tables in (given, mixed))
    assert one.skipped == other.skipped
    assert one.values == pytest.approx(other.values, rel=1e-6)


def test_a_judge_whose_needs_are_not_met_is_skipped_with_a_reason(name):
    verdict = judge(Evidence(full()["query"]), only=[name])
    if find("evaluation", name).NEEDS:
        assert not verdict.values
        assert verdict.skipped[name]
    else:
        assert verdict.values


def test_the_judged_tables_are_left_as_they_were(name):
    given = full()
    before = {key: samples.table for key, samples in given.items()}
    judge(Evidence(**given, label="label"), only=[name])
    assert all(given[key].table.equals(before[key]) for key in TABLES)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_very_few_samples_give_finite_values_or_reasons(name, count):
    given = {key: Embeddings(samples.table.slice(0, count)) for key, samples in full().items() if key != "reference"}
    verdict = judge(Evidence(**given, label="label"), only=[name])
    assert verdict.values or verdict.skipped
    assert all(math.isfinite(value) for value in verdict.values.values())
