"""Builds the page of a comparison: tables and plots. The page loads nothing from outside when it is opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from markupsafe import Markup

from vssl import scores
from vssl.benchmarking.summary import (
    BEST_BASELINE,
    R_AUROC,
    Result,
    Row,
    SeedRange,
    Table,
    baselines,
    sensitivity,
    tables,
    titles,
    uncertainty_titles,
)
from vssl.files import atomic
from vssl.reporting.page import template
from vssl.reporting.plots import ACCENT, STYLE, canvas, svg

COSTS = {
    "seconds": "Seconds",
    "samples_per_s": "Samples/s",
    "gflops_per_sample": "GFLOP per sample",
    "parameters": "Trained parameters",
    "peak_mb": "Peak MB",
}
MARKERS = (("o", ACCENT), ("s", "#e0742a"), ("D", "#4f9d69"), ("^", "#8a63c9"))


def build(results: Sequence[Result], out: Path) -> Path:
    """Write the page, and return its path.

    Raises:
        StorageError: The folder cannot be written.
    """
    found = tables(results)
    page = template("comparison.html.jinja", "vssl.benchmarking").render(
        tables=found,
        titles=titles(),
        costs=COSTS,
        baselines=baselines(),
        score_names=_score_names,
        plots={table: _plots(table) for table in found},
        r_auroc={table: r_auroc(table) for table in found},
        corruptions={table: corruptions(table) for table in found},
        sensitivity={table: sensitivity(table) for table in found},
        over_time=[over_time(found, conditions) for conditions in dict.fromkeys(table.conditions for table in found)],
        commands=list(dict.fromkeys(result["command"] for result in results if result["command"])),
        machines=list(dict.fromkeys(_machine(result) for result in results)),
    )
    path = out / "report.html"
    with atomic(path) as file:
        file.write(page.encode("utf-8", "backslashreplace"))
    return path


def _plots(table: Table) -> list[Markup | None]:
    """The metrics with a column of their own, and the R-AUROC of the scores together."""
    first = list(titles().items())[:3]
    uncertainty = dict(sorted(uncertainty_titles().items(), key=lambda item: item[0] != BEST_BASELINE))
    return [*(dot_plot(table, {name: title}, title) for name, title in first), dot_plot(table, uncertainty, "R-AUROC")]


def dot_plot(table: Table, metrics: Mapping[str, str], title: str) -> Markup | None:
    """Mean and range over the seeds, one row per method; None where no method has any of the metrics.

    Args:
        metrics: Names and titles of the metrics; a single one needs no legend.
    """
    rows = [row for row in reversed(table.rows) if any(row.metric(name).values for name in metrics)]
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        drawing, axes = canvas(4.2, 1.0 + 0.24 * len(rows) + 0.2 * (len(metrics) > 1))
        for (name, label), (marker, colour) in zip(metrics.items(), MARKERS, strict=False):
            ranges = [(y, row.metric(name)) for y, row in enumerate(rows) if row.metric(name).values]
            for y, seed_range in ranges:
                axes.plot([min(seed_range.values), max(seed_range.values)], [y, y], color=colour, alpha=0.5)
            means = [seed_range.mean for _, seed_range in ranges]
            axes.plot(means, [y for y, _ in ranges], marker, color=colour, label=label)
        axes.set_yticks(range(len(rows)), [row.method for row in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel(title)
        axes.spines["top"].set_visible(False)
        if len(metrics) > 1:
            drawing.legend(loc="outside upper left", ncols=2, frameon=False, handletextpad=0)
        return svg(drawing)


def over_time(found: Sequence[Table], conditions: str) -> tuple[str, Markup] | None:
    """kNN accuracy by training time under the same conditions; None with a single budget.

    Each point is a complete run with its own schedule, not a checkpoint of a longer run.
    """
    same = [table for table in found if table.conditions == conditions]
    lines: dict[str, list[tuple[float, float]]] = {}
    for table in same:
        for row in table.rows:
            accuracy, seconds = row.metric("knn/accuracy"), row.cost("seconds")
            if accuracy.values:
                lines.setdefault(row.method, []).append((seconds.mean / 60, accuracy.mean))
    if max((len(points) for points in lines.values()), default=0) < 2:
        return None
    with mpl.rc_context(STYLE):
        drawing, axes = canvas(6.4, 3.2)
        for name, points in lines.items():
            axes.plot(*np.array(sorted(points)).T, marker="o", label=name)
        axes.set(xlabel="minutes of training", ylabel="kNN accuracy")
        axes.spines["top"].set_visible(False)
        drawing.legend(loc="outside right upper", frameon=False)
        return f"{same[0].data}, {same[0].encoder}", svg(drawing)


def r_auroc(table: Table) -> list[tuple[str, list[tuple[SeedRange, bool]]]]:
    """For each method the R-AUROC of each score, and whether it is the method's best."""
    names = _score_names(table, R_AUROC)
    lines = [(row.method, [row.metric(R_AUROC + name) for name in names]) for row in table.rows]
    best = {
        name: max((seed_range.mean for seed_range in ranges if seed_range.values), default=0) for name, ranges in lines
    }
    return [
        (name, [(seed_range, bool(seed_range.values) and seed_range.mean == best[name]) for seed_range in ranges])
        for name, ranges in lines
        if best[name]
    ]


def corruptions(table: Table) -> list[tuple[str, list[tuple[str, list[tuple[SeedRange, bool]]]]]]:
    """For each method and corruption the AUROC of each score at the highest level, and whether it increases."""
    results = [result for row in table.rows for result in row.results]
    kinds = dict.fromkeys(
        name.split("/")[1] for result in results for name in result["values"] if name.startswith("corruption/")
    )
    names = _score_names(table, "corruption/")
    return [(row.method, [(kind, _detected(row, kind, names)) for kind in kinds]) for row in table.rows if kinds]


def _detected(row: Row, kind: str, names: Sequence[str]) -> list[tuple[SeedRange, bool]]:
    """The AUROC of each score at the highest level, and whether its mean increases with the level for every seed."""
    keys = [(f"corruption/{kind}/3/auroc/{name}", f"corruption/{kind}/rises/{name}") for name in names]
    return [(row.metric(auroc), min(row.metric(rises).values, default=0) == 1) for auroc, rises in keys]


def _score_names(table: Table, prefix: str) -> list[str]:
    """The scores that have a metric with this prefix in the table, in their order."""
    values = (name for row in table.rows for result in row.results for name in result["values"])
    found = {name.rpartition("/")[2] for name in values if name.startswith(prefix)}
    return [name for name in scores.evaluated() if name in found]


def _machine(result: Result) -> str:
    machine, versions = result["machine"], result["versions"]
    hardware = f"{machine['cpu']}, {machine['cores']} cores, {machine['device']}"
    return f"{hardware}; vssl {versions['vssl']}, torch {versions['torch']}"
