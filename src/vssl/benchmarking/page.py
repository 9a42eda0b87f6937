"""Builds the page of a comparison: its tables, and their figures as plots. The page loads nothing when opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import matplotlib as mpl
import numpy as np
from markupsafe import Markup

from vssl.benchmarking.summary import QUALITY, STAND_INS, Result, Row, Spread, Table, sensitivity, tables
from vssl.files import atomic
from vssl.reporting.plots import ACCENT, STYLE, canvas, svg

SCORES = ("ambiguity", "posterior_distance", *STAND_INS)
CORRUPTION_SCORES = ("ambiguity", "nn_distance", "mahalanobis", "feature_norm")
COSTS = {
    "seconds": "Seconds",
    "samples_per_s": "Images/s",
    "gflops_per_image": "GFLOP an image",
    "parameters": "Trained parameters",
    "peak_mb": "Peak MB",
}
SHOWN = {
    "kNN accuracy": {"knn/accuracy": "kNN"},
    "Linear accuracy": {"linear/accuracy_100": "linear"},
    "R-AUROC": {
        "retrieval/r_auroc/best_stand_in": "best stand-in",
        "retrieval/r_auroc/ambiguity": "variance",
        "retrieval/r_auroc/posterior_distance": "with distances",
    },
}
MARKERS = (("o", ACCENT), ("s", "#e0742a"), ("D", "#4f9d69"))


def build(results: Sequence[Result], out: Path) -> Path:
    """Write the page, and return its path.

    Raises:
        StorageError: The folder cannot be written.
    """
    found = tables(results)
    page = _template().render(
        tables=found,
        quality=QUALITY,
        costs=COSTS,
        scores=SCORES,
        corruption_scores=CORRUPTION_SCORES,
        plots={table: [dots(table, figures, title) for title, figures in SHOWN.items()] for table in found},
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


def dots(table: Table, figures: Mapping[str, str], title: str) -> Markup | None:
    """Mean and range over the seeds, a line a method; None where no method has any of the figures.

    Args:
        figures: Names of the figures, and what they are called; a single one needs no legend.
    """
    rows = [row for row in reversed(table.rows) if any(row.figure(name).values for name in figures)]
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        drawing, axes = canvas(4.2, 1.0 + 0.24 * len(rows) + 0.2 * (len(figures) > 1))
        for (name, called), (marker, colour) in zip(figures.items(), MARKERS, strict=False):
            spreads = [(place, row.figure(name)) for place, row in enumerate(rows) if row.figure(name).values]
            for place, spread in spreads:
                axes.plot([min(spread.values), max(spread.values)], [place, place], color=colour, alpha=0.5)
            means = [spread.mean for _, spread in spreads]
            axes.plot(means, [place for place, _ in spreads], marker, color=colour, label=called)
        axes.set_yticks(range(len(rows)), [row.method for row in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel(title)
        axes.spines["top"].set_visible(False)
        if len(figures) > 1:
            drawing.legend(loc="outside upper left", ncols=len(figures), frameon=False, handletextpad=0)
        return svg(drawing)


def over_time(found: Sequence[Table], conditions: str) -> tuple[str, Markup] | None:
    """What each method reaches with how much training under the same conditions; None with one budget only.

    Each point is a finished run with its own schedule, not a moment of a longer one.
    """
    alike = [table for table in found if table.conditions == conditions]
    lines: dict[str, list[tuple[float, float]]] = {}
    for table in alike:
        for row in table.rows:
            reached, seconds = row.figure("knn/accuracy"), row.cost("seconds")
            if reached.values:
                lines.setdefault(row.method, []).append((seconds.mean / 60, reached.mean))
    if max((len(points) for points in lines.values()), default=0) < 2:
        return None
    with mpl.rc_context(STYLE):
        drawing, axes = canvas(6.4, 3.2)
        for name, points in lines.items():
            axes.plot(*np.array(sorted(points)).T, marker="o", label=name)
        axes.set(xlabel="minutes of training", ylabel="kNN accuracy")
        axes.spines["top"].set_visible(False)
        drawing.legend(loc="outside right upper", frameon=False)
        return f"{alike[0].data}, {alike[0].encoder}", svg(drawing)


def r_auroc(table: Table) -> list[tuple[str, list[tuple[Spread, bool]]]]:
    """For each method the R-AUROC of each score, and whether it is the method's best."""
    lines = [(row.method, [row.figure(f"retrieval/r_auroc/{score}") for score in SCORES]) for row in table.rows]
    best = {name: max((spread.mean for spread in spreads if spread.values), default=0) for name, spreads in lines}
    return [
        (name, [(spread, bool(spread.values) and spread.mean == best[name]) for spread in spreads])
        for name, spreads in lines
        if best[name]
    ]


def corruptions(table: Table) -> list[tuple[str, list[tuple[str, list[tuple[Spread, bool]]]]]]:
    """For each method and corruption the AUROC of each score at the highest level, and whether it rises with each."""
    results = [result for row in table.rows for result in row.results]
    kinds = dict.fromkeys(
        name.split("/")[1] for result in results for name in result["values"] if name.startswith("corruption/")
    )
    return [(row.method, [(kind, _noticed(row, kind)) for kind in kinds]) for row in table.rows if kinds]


def _noticed(row: Row, kind: str) -> list[tuple[Spread, bool]]:
    """Of each score the AUROC at the highest level, and whether its mean rose from level to level with every seed."""
    names = [(f"corruption/{kind}/3/auroc/{name}", f"corruption/{kind}/rises/{name}") for name in CORRUPTION_SCORES]
    return [(row.figure(auroc), min(row.figure(rises).values, default=0) == 1) for auroc, rises in names]


def _machine(result: Result) -> str:
    machine, versions = result["machine"], result["versions"]
    hardware = f"{machine['cpu']}, {machine['cores']} cores, {machine['device']}"
    return f"{hardware}; vssl {versions['vssl']}, torch {versions['torch']}"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("vssl.benchmarking", ""), jinja2.PackageLoader("vssl.reporting", "")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("comparison.html.jinja")
