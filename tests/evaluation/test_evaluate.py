import json

import numpy as np
import pyarrow as pa
import pytest

from vssl.config import find
from vssl.errors import ConfigError
from vssl.evaluation import EvalData, evaluate
from vssl.evaluation.evaluators import unmet

FEATURES = np.random.default_rng(0).normal(size=(40, 4))


def test_without_labels_the_evaluators_that_need_none_still_run(embeddings_from):
    metrics = evaluate(EvalData(embeddings_from("s", FEATURES)))
    assert metrics.values["rank/effective_rank"] > 1
    assert metrics.skipped["knn"] == "no label column is named; pass --label NAME"
    assert "another seed" in metrics.skipped["stability"]
    assert "second data set" in metrics.skipped["ood"]


def test_one_class_only_skips_the_evaluators_of_labels_and_names_the_class(embeddings_from):
    metrics = evaluate(EvalData(embeddings_from("s", FEATURES, y=["good"] * 40), label="y"))
    assert "one class only ('good')" in metrics.skipped["knn"]
    assert "rank/effective_rank" in metrics.values


def test_missing_labels_are_counted_in_the_values(embeddings_from):
    labels = ["a", "b", None, ""] * 10
    assert evaluate(EvalData(embeddings_from("s", FEATURES, y=labels), label="y")).values["labels/missing"] == 20


def test_only_the_named_evaluators_run(embeddings_from):
    metrics = evaluate(EvalData(embeddings_from("s", FEATURES)), only=["rank"])
    assert {name.split("/")[0] for name in [*metrics.values, *metrics.skipped]} == {"rank"}


def test_an_unknown_evaluator_is_answered_with_those_there_are(embeddings_from):
    with pytest.raises(ConfigError, match=r"uniformity.*Did you mean 'knn'"):
        evaluate(EvalData(embeddings_from("s", FEATURES)), only=["knnn"])


def test_metrics_go_to_json(embeddings_from):
    metrics = evaluate(EvalData(embeddings_from("s", FEATURES, y=["a", "b"] * 20), label="y"))
    assert json.loads(json.dumps(metrics.to_dict(), allow_nan=False)) == {
        "values": metrics.values,
        "skipped": metrics.skipped,
    }


def test_a_need_for_variance_is_unmet_by_a_deterministic_method(embeddings_from):
    assert "no variance" in unmet(EvalData(embeddings_from("s", FEATURES)), {"variance"})
    assert unmet(EvalData(embeddings_from("s", FEATURES, FEATURES)), {"variance"}) is None
    assert "reference" in unmet(EvalData(embeddings_from("s", FEATURES)), {"reference"})


def test_evaluators_of_labels_cannot_be_run_without_labels(embeddings_from):
    with pytest.raises(ConfigError, match="label column"):
        list(find("evaluation", "knn").run(EvalData(embeddings_from("s", FEATURES))))


def test_the_base_rate_stands_beside_the_accuracies(embeddings_from):
    rng = np.random.default_rng(0)
    labels = ["ok"] * 45 + ["defect"] * 12 + [None] * 3
    metrics = evaluate(EvalData(embeddings_from("s", rng.normal(size=(60, 4)), label=pa.array(labels)), label="label"))
    assert metrics.values["labels/samples"] == 57
    assert metrics.values["labels/classes"] == 2
    assert metrics.values["labels/largest_class"] == 45 / 57
