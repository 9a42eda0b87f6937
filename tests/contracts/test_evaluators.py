"""What every evaluator in `vssl.evaluation` keeps; evaluators are discovered."""

import math
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vssl import scores
from vssl.config import find, members
from vssl.evaluation import EvalData, Skip, evaluate
from vssl.evaluation.evaluators import declaration_of, declared_metrics
from vssl.types import Embeddings

NEEDS = {"labels", "reference", "outliers", "second_view", "other_seed_run", "variance"}
TABLES = ("query", "reference", "outliers", "second_view", "other_seed_run")


def table(prefix: str, seed: int, count: int) -> Embeddings:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count)
    features = rng.normal(size=(count, 5)) + 2 * np.eye(5)[classes]
    # Duplicate features make ties among the neighbours.
    features[1::10] = features[::10]
    columns = {
        "id": [f"{prefix}{row}" for row in range(count)],
        "features": vectors(features),
        "mean": vectors(features[:, :3]),
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
        "other_seed_run": table("q", 4, 120),
    }


def shuffled(samples: Embeddings, seed: int) -> Embeddings:
    return Embeddings(samples.table.take(np.random.default_rng(seed).permutation(len(samples))))


@pytest.fixture(params=members("evaluation"))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_all_evaluators_of_this_version_are_found():
    known = {"knn", "linear", "retrieval", "selective", "ood", "rank", "uniformity", "stability"}
    assert known <= set(members("evaluation"))


def test_an_evaluator_declares_what_it_needs_and_its_metrics(name):
    module = find("evaluation", name)
    assert module.__doc__
    assert module.NEEDS <= NEEDS
    for key, metric in module.METRICS.items():
        assert key.startswith(f"{name}/")
        assert metric.direction in ("higher", "lower", "")
        assert metric.range[0] < metric.range[1]
        assert re.fullmatch(r"[A-Zk].*\.", metric.meaning)


@pytest.mark.parametrize("with_reference", [True, False])
def test_the_values_are_those_declared_and_within_their_range(name, with_reference):
    given = full()
    if not with_reference:
        del given["reference"]
    declared, yielded = find("evaluation", name).METRICS, set()
    for key, value in find("evaluation", name).run(EvalData(**given, label="label")):
        if isinstance(value, Skip):
            assert not with_reference
            continue
        yielded.add(declaration_of(key, declared))
        low, high = declared[declaration_of(key, declared)].range
        assert low - 1e-9 <= value <= high + 1e-9
    assert yielded <= set(declared)
    assert yielded == set(declared) or not with_reference


def test_every_declared_metric_and_score_is_in_the_reference_pages():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "figures.md").read_text()
    for key in declared_metrics():
        folder, _, last = key.rpartition("/")
        assert (
            f"`{key.replace('{score}', 'SCORE').replace('{percent}', '100')}`" in page
            or f"`_{last.rpartition('_')[2]}`" in page
        ), key
        assert folder in page
    for score in scores.evaluated():
        assert f"| `{score}` |" in page


def test_with_all_data_every_value_is_a_finite_float_under_the_evaluators_name(name):
    metrics = evaluate(EvalData(**full(), label="label"), only=[name])
    values = {key: value for key, value in metrics.values.items() if not key.startswith("labels/")}
    assert values
    assert all(type(value) is float and math.isfinite(value) for value in values.values())
    assert all(key.startswith(f"{name}/") for key in values)
    assert name not in metrics.skipped


@pytest.mark.parametrize("with_reference", [True, False])
def test_the_order_of_the_samples_does_not_count(name, with_reference):
    given = full()
    if not with_reference:
        del given["reference"]
    mixed = {key: shuffled(samples, seed) for seed, (key, samples) in enumerate(given.items())}
    one, other = (evaluate(EvalData(**tables, label="label"), only=[name]) for tables in (given, mixed))
    assert one.skipped == other.skipped
    assert one.values == pytest.approx(other.values, rel=1e-6)


def test_an_evaluator_whose_needs_are_not_met_is_skipped_with_a_reason(name):
    metrics = evaluate(EvalData(full()["query"]), only=[name])
    if find("evaluation", name).NEEDS:
        assert not metrics.values
        assert metrics.skipped[name]
    else:
        assert metrics.values


def test_the_evaluated_tables_are_left_as_they_were(name):
    given = full()
    before = {key: samples.table for key, samples in given.items()}
    evaluate(EvalData(**given, label="label"), only=[name])
    assert all(given[key].table.equals(before[key]) for key in TABLES)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_very_few_samples_give_finite_values_or_reasons(name, count):
    given = {key: Embeddings(samples.table.slice(0, count)) for key, samples in full().items() if key != "reference"}
    metrics = evaluate(EvalData(**given, label="label"), only=[name])
    assert metrics.values or metrics.skipped
    assert all(math.isfinite(value) for value in metrics.values.values())
