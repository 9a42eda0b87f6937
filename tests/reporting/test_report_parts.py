from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from made_up_runs import INFO, VALUES, noise_pictures, table
from vssl.reporting.curves import curves
from vssl.reporting.gallery import extremes, neighbours, shrink, thumbnail
from vssl.reporting.health import checks
from vssl.reporting.map import colourings, layout, mosaic, obstacle
from vssl.reporting.metric_docs import UNDECLARED, metric_rows
from vssl.reporting.run_summary import summarise
from vssl.training.health import NO_GAIN
from vssl.types import Embeddings


def test_the_extremes_are_ordered_from_the_outside_and_never_overlap() -> None:
    least, most = extremes(np.array([3.0, np.nan, 1.0, 2.0, 5.0, 4.0]), count=24)
    assert least.tolist() == [2, 3]
    assert most.tolist() == [4, 5]


def test_neighbours_leave_the_sample_itself_out_and_come_nearest_first() -> None:
    angles = np.radians([0, 10, 30, 90])
    features = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32) * [[1], [9], [2], [3]]
    row, nearest, cosine = neighbours(features, queries=1, count=2)[0]
    assert (row, nearest.tolist()) == (0, [1, 2])
    np.testing.assert_allclose(cosine, np.cos(angles[1:3]), rtol=1e-5)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_images_of_every_colour_mode_become_thumbnails(mode: str) -> None:
    small = thumbnail(Image.new(mode, (300, 150)))
    assert small.mode in ("RGB", "RGBA")
    assert small.size == (112, 56)


def test_each_picture_is_asked_for_once() -> None:
    asked: list[list[str]] = []

    def pictures(ids):
        asked.append(list(ids))
        return noise_pictures(8)(ids)

    shrink(["b", "a", "b"], pictures)
    assert asked == [["b", "a"]]


def test_the_map_keeps_clusters_apart_and_stays_in_the_unit_square() -> None:
    embeddings = Embeddings(table(120, variance=False))
    places = layout(embeddings.features, seed=0)
    assert places.min() >= 0
    assert places.max() <= 1
    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(120) * 9
    labels = embeddings.numpy("label")
    assert (labels[distance.argmin(1)] == labels).mean() > 0.9


def test_embeddings_that_are_not_finite_are_named_instead_of_drawn() -> None:
    assert "not finite" in obstacle(np.full((20, 4), np.nan))


def test_each_cell_of_the_mosaic_shows_its_most_central_sample_with_row_one_on_top() -> None:
    places = np.array([[0.02, 0.98], [0.25, 0.75], [1.0, 0.0]])
    assert mosaic(places, columns=2, rows=2) == [(1, 1, 1), (2, 2, 2)]


def test_columns_with_one_value_or_too_many_are_named_and_not_drawn() -> None:
    embeddings = Embeddings(table(40, variance=True).append_column("line", pa.array(["a"] * 40)))
    shown, hidden = colourings(embeddings, np.arange(40), np.random.default_rng(0).random((40, 2)))
    assert [colouring.title for colouring in shown] == ["label", "ambiguity", "camera"]
    assert hidden == ["serial", "line"]


def test_rare_labels_beyond_the_palette_share_one_colour_and_are_counted() -> None:
    labels = [f"{min(at, 19):02d}" for at in range(40)] + [None]
    embeddings = Embeddings(pa.table({"id": [str(at) for at in range(41)], "label": labels}))
    (by_label,), _ = colourings(embeddings, np.arange(41), np.random.default_rng(0).random((41, 2)))
    assert sum(count for _, _, count in by_label.legend) == 41
    assert by_label.legend[-1][1] == "10 others"
    assert len({colour for colour, _, _ in by_label.legend}) == 12


def test_declared_metrics_are_explained_and_others_come_last() -> None:
    found = metric_rows({"a_new_evaluator/value": 1.0, "selective/aurc/ambiguity": 0.07123, "knn/accuracy": 0.8})
    assert [row.name for row in found] == ["knn/accuracy", "selective/aurc/ambiguity", "a_new_evaluator/value"]
    assert found[1].value == "0.07123"
    assert found[1].better == "lower"
    assert found[2].meaning == UNDECLARED.meaning


@pytest.mark.parametrize(
    ("change", "tone", "words"),
    [
        ({}, "good", "Finished and healthy"),
        ({"health": "dimensional collapse: effective rank 1.3 of 128"}, "bad", "effective rank 1.3 of 128"),
        ({"status": "interrupted"}, "warning", "Not finished, healthy so far"),
        ({"status": "diverged"}, "bad", "Diverged: do not use"),
        ({"health": None}, "warning", "health not assessed"),
    ],
)
def test_the_summary_follows_status_and_health(change: dict, tone: str, words: str) -> None:
    found = summarise(INFO | change, {}, None)
    assert found.tone == tone
    assert words in found.headline


def test_the_summary_says_that_ambiguity_is_not_novelty_and_what_it_is_worth() -> None:
    embeddings = Embeddings(table(60, variance=True))
    words = " ".join(summarise(INFO, VALUES, embeddings).uncertainty)
    assert "does not say that a sample is new" in words
    assert "0.64 (0.5 is chance), better than the best baseline score (nn_distance, 0.61)" in words
    worse = VALUES | {"retrieval/r_auroc/ambiguity": 0.6}
    assert "no better than" in " ".join(summarise(INFO, worse, embeddings).uncertainty)


def test_a_score_that_contains_the_ambiguity_is_no_baseline_for_it() -> None:
    values = VALUES | {"retrieval/r_auroc/posterior_distance": 0.9}
    words = " ".join(summarise(INFO, values, Embeddings(table(60, variance=True))).uncertainty)
    assert "better than the best baseline score (nn_distance, 0.61)" in words


def test_a_curve_is_drawn_for_each_part_that_any_line_has() -> None:
    lines = [{"step": at, "seconds": at * 6.0, "loss": 1.0 / at, "parts": {"prior_nats": 1.0}} for at in (1, 2, 3)]
    lines[2]["parts"] = {"overlap": 2.0}
    assert [curve.title for curve in curves(lines)] == ["Loss", "Prior (nats)", "Overlap"]


def test_a_single_logged_line_is_a_point_and_not_an_error() -> None:
    (curve,) = curves([{"step": 10, "seconds": 3.0, "loss": 2.0}])
    assert "currentColor" in curve.svg


def test_unused_dimensions_are_counted() -> None:
    features = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    features[:, :3] = 1.0
    found = {check.name: check.value for check in checks([], features)}
    assert found["Unused dimensions"] == "3 of 8"
    assert found["Embeddings that are not finite"] == "0 of 50"


def test_accuracies_stand_beside_the_base_rate_and_balanced_ones_lead_where_classes_are_uneven():
    values = {"knn/accuracy": 0.95, "knn/balanced_accuracy": 0.52, "rank/effective_rank": 9.0}
    even = values | {"labels/largest_class": 0.5, "labels/classes": 2.0}
    uneven = values | {"labels/largest_class": 0.95, "labels/classes": 2.0}
    assert metric_rows(even)[0].name == "knn/accuracy"
    assert metric_rows(uneven)[0].name == "knn/balanced_accuracy"
    shown = {row.name: row.value for row in metric_rows(uneven)}
    assert shown["knn/accuracy"] == "0.95 (largest class: 0.95)"
    assert shown["knn/balanced_accuracy"] == "0.52 (guessing: 0.5)"
    assert shown["rank/effective_rank"] == "9"


def test_a_run_whose_training_is_not_shown_to_have_helped_is_finished_and_no_more():
    found = {"trained": 0.71, "untrained": 0.7, "samples": 24, "helped": False}
    told = summarise(INFO | {"health": NO_GAIN, "training_gain": found}, {}, None)
    assert told.tone == "warning"
    assert told.headline == "Finished, but nothing shows that the training helped"
    assert "Train longer, or on more data." in told.health
    assert "12,000 samples, each seen 8.5 times (400 steps)" in told.trained
