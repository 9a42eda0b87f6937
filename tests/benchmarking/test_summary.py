"""Tables of made-up results, whose answers are known."""

from pathlib import Path
from typing import Any

import pytest

from vssl.benchmarking import page
from vssl.benchmarking.summary import sensitivity, tables, text


def result(method: str, seed: int = 0, linear: float = 0.5, **changes: Any) -> dict[str, Any]:
    values = {"linear/accuracy_100": linear, "knn/accuracy": linear - 0.1, "retrieval/r_auroc/nn_distance": 0.6}
    made = {
        "data": "photos",
        "method": method,
        "budget": "5 minutes",
        "seed": seed,
        "learning_rate": 2e-3,
        "batch": 256,
        "command": "vssl bench photos --out BENCH",
        "outcome": "done",
        "health": "healthy",
        "loss_spikes": 0,
        "values": values,
        "cost": {"samples_per_s": 900.0, "seconds": 300.0, "gflops_per_sample": 0.4, "peak_mb": 1000.0},
        "settings": {"encoder": {"name": "convnet", "variant": "small"}, "modality": {"views": "natural"}},
        "machine": {"cpu": "a processor", "cores": 2, "device": "cpu"},
        "versions": {"vssl": "0.1.0", "torch": "2.0"},
    }
    return made | changes


def diverged(method: str, **changes: Any) -> dict[str, Any]:
    return result(method, outcome="diverged", values={}, cost={}, **changes)


def test_seeds_become_a_mean_and_a_range_and_the_best_comes_first():
    (table,) = tables([result("byol", 0, 0.4), result("vssl", 0, 0.6), result("byol", 1, 0.5)])
    assert [row.method for row in table.rows] == ["vssl", "byol"]
    assert str(table.rows[1].metric("linear/accuracy_100")) == "0.450 (0.400 to 0.500)"
    assert str(table.rows[0].metric("linear/accuracy_100")) == "0.600"


def test_accuracies_are_held_against_the_largest_class():
    shared = {"linear/accuracy_100": 0.8, "labels/largest_class": 0.8}
    (unequal,), (without,) = tables([result("vssl", values=shared)]), tables([result("vssl")])
    assert "largest class has an accuracy of 80.0%" in text(unequal)
    assert "largest class" not in text(without)


def test_data_and_budgets_have_tables_of_their_own():
    other = {"encoder": {"name": "convnet", "variant": "base"}, "modality": {"views": "natural"}}
    found = tables([result("vssl"), result("vssl", data="parts"), result("vssl", budget="1 epochs", settings=other)])
    assert [table.title for table in found] == [
        "photos, 5 minutes, convnet/small",
        "parts, 5 minutes, convnet/small",
        "photos, 1 epochs, convnet/base",
    ]


def test_other_views_are_other_conditions():
    other = {"encoder": {"name": "convnet", "variant": "small"}, "modality": {"views": "inspection"}}
    assert len(tables([result("vssl"), result("vssl", settings=other)])) == 2


def test_data_of_the_same_name_are_told_apart_and_so_are_settings_of_other_versions():
    there, here = ({"train": f"{place}/train", "test": f"{place}/test", "other": None} for place in ("there", "here"))
    first, second = tables([result("vssl", sources=there), result("vssl", 1, sources=here)])
    assert first.data == "train there/train, test there/test"
    assert len(first.rows[0].results) == len(second.rows[0].results) == 1
    old = result("vssl")["settings"] | {"objective": {"name": "vssl", "views": 2}, "seed": 1}
    new = old | {"objective": {"name": "vssl", "views": 4}, "seed": 2}
    versions = [{"vssl": number, "torch": "2.0"} for number in ("0.3.0", "0.4.0")]
    (table,) = tables([result("vssl", settings=s, versions=v) for s, v in zip((old, new), versions, strict=True)])
    assert {row.method for row in table.rows} == {"vssl (vssl 0.3.0)", "vssl (vssl 0.4.0)"}
    (table,) = tables([result("vssl", settings=old), result("vssl", settings=old | {"seed": 2})])
    assert [row.method for row in table.rows] == ["vssl"]


def test_the_best_baseline_is_the_one_with_the_best_mean():
    scores = {"retrieval/r_auroc/nn_distance": 0.6, "retrieval/r_auroc/disagreement": 0.7}
    (table,) = tables([result("vssl", values=scores)])
    assert table.rows[0].metric("retrieval/r_auroc/best_baseline").mean == 0.7


def test_what_went_wrong_is_said_and_a_run_without_figures_comes_last():
    (table,) = tables([diverged("byol"), result("vssl", health="collapse", loss_spikes=3)])
    assert [row.remarks for row in table.rows] == ["1 not healthy, 3 loss spikes", "1 diverged"]
    assert "| byol | 1 | - | - |" in text(table)


def test_in_bold_are_the_best_and_all_whose_range_reaches_its_but_no_method_that_reads_labels():
    reading = result("supcon")["settings"] | {"objective": {"name": "supcon", "label": "kind"}}
    found = [result("supcon", linear=0.9, settings=reading), diverged("byol")]
    for name, linears in {"vssl": (0.60, 0.64), "simclr": (0.56, 0.61), "vae": (0.50, 0.59)}.items():
        found += [result(name, seed, linear) for seed, linear in enumerate(linears)]
    (table,) = tables(found)
    assert [row.method for row in table.rows if table.is_best(row, "linear/accuracy_100")] == ["vssl", "simclr"]
    assert not any(table.is_best(row, "no/figure") for row in table.rows)
    assert "**0.620 (0.600 to 0.640)**" in text(table)
    assert "| supcon | 1 | 0.800 |" in text(table)
    assert {row.method: row.remarks for row in table.rows}["supcon"] == "reads the labels"


def test_sensitivity_is_the_share_of_settings_within_two_points_of_the_best():
    grid = [result("vssl", linear=value, learning_rate=rate) for value, rate in ((0.6, 1e-3), (0.585, 2e-3))]
    grid += [result("vssl", linear=0.5, learning_rate=4e-3), diverged("vssl", learning_rate=8e-3)]
    (table,) = tables([*grid, result("byol")])
    assert sensitivity(table) == {"vssl": (pytest.approx(0.5), 4)}


def test_variants_of_settings_count_as_one_method():
    found = [result("simclr:temperature=0.05", linear=0.6), result("simclr:temperature=0.5", linear=0.4)]
    (table,) = tables(found)
    assert sensitivity(table) == {"simclr": (pytest.approx(0.5), 2)}


def test_the_best_score_of_each_method_is_told():
    values = {"retrieval/r_auroc/ambiguity": 0.7, "retrieval/r_auroc/nn_distance": 0.6}
    (table,) = tables([result("vssl", values=values), result("byol", values={})])
    ((method, scores),) = page.r_auroc(table)
    assert method == "vssl"
    assert [str(spread) for spread, best in scores if best] == ["0.700"]


def test_a_score_rises_with_corruption_if_it_does_with_every_seed():
    def values(noticed: float, rises: dict[str, float]) -> dict[str, float]:
        found = {f"corruption/noise/3/auroc/{name}": noticed for name in rises}
        return found | {f"corruption/noise/rises/{name}": share for name, share in rises.items()}

    seeds = [values(0.8, {"ambiguity": 2 / 3, "nn_distance": 1.0}), values(0.9, {"ambiguity": 1.0, "nn_distance": 1.0})]
    (table,) = tables([result("vssl", seed, values=found) for seed, found in enumerate(seeds)])
    ((method, ((kind, scores),)),) = page.corruptions(table)
    assert (method, kind) == ("vssl", "noise")
    assert [(str(spread), rises) for spread, rises in scores][:2] == [
        ("0.850 (0.800 to 0.900)", False),
        ("0.850 (0.800 to 0.900)", True),
    ]


def test_the_page_shows_tables_and_plots_and_loads_nothing(tmp_path: Path):
    noise = {f"corruption/noise/3/auroc/{score}": 0.8 for score in ("ambiguity", "nn_distance")}
    found = [result("vssl", seed, 0.6, values=result("vssl")["values"] | noise) for seed in (0, 1)]
    found += [result("<byol>"), result("vssl", budget="10 minutes", cost=result("vssl")["cost"] | {"seconds": 600.0})]
    written = page.build(found, tmp_path).read_text()
    assert "&lt;byol&gt;" in written
    assert "<byol>" not in written
    assert "minutes of training" in written
    assert written.count("<svg") >= 5
    assert "noise" in written
    assert "vssl bench photos --out BENCH" in written
    assert "http://" not in written.replace("http://www.w3.org", "")
