"""Builds the page of a comparison: its tables, and their figures as plots. The page loads nothing when opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2
import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from vssl.bench.summary import QUALITY, STAND_INS, Result, Spread, Table, sensitivity, tables
from vssl.files import atomic
from vssl.report.plots import ACCENT, INK, STYLE, svg

SCORES = ("ambiguity", "posterior_distance", *STAND_INS)
CORRUPTION_SCORES = ("ambiguity", "nn_distance", "mahalanobis", "feature_norm")
COSTS = {
    "seconds": "Seconds",
    "images_per_s": "Images/s",
    "gflops_per_image": "GFLOP an image",
    "parameters": "Trained parameters",
    "peak_mb": "Peak MB",
}
SHOWN = {"knn/accuracy": "kNN accuracy", "linear/accuracy_100": "Linear accuracy"}


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
        plots={table: [dots(table, name, title) for name, title in SHOWN.items()] for table in found},
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


def dots(table: Table, figure: str, title: str) -> Markup | None:
    """Mean and range over the seeds of one figure, a line a method; None where no method has it."""
    rows = [(row.method, row.figure(figure)) for row in reversed(table.rows) if row.figure(figure).values]
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(6.4, 0.8 + 0.28 * len(rows)), layout="constrained")
        axes = canvas.add_subplot()
        for place, (_, spread) in enumerate(rows):
            axes.plot([min(spread.values), max(spread.values)], [place, place], color=INK, alpha=0.5)
            axes.plot(spread.mean, place, "o", color=ACCENT)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_xlabel(title)
        axes.spines["top"].set_visible(False)
        return svg(canvas)


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
        canvas = Figure(figsize=(6.4, 3.2), layout="constrained")
        axes = canvas.add_subplot()
        for name, points in lines.items():
            axes.plot(*np.array(sorted(points)).T, marker="o", label=name)
        axes.set(xlabel="minutes of training", ylabel="kNN accuracy")
        axes.spines["top"].set_visible(False)
        canvas.legend(loc="outside right upper", frameon=False)
        return f"{alike[0].data}, {alike[0].encoder}", svg(canvas)


def r_auroc(table: Table) -> list[tuple[str, list[Spread]]]:
    """For each method the R-AUROC of each score."""
    lines = [(row.method, [row.figure(f"retrieval/r_auroc/{score}") for score in SCORES]) for row in table.rows]
    return [(name, spreads) for name, spreads in lines if any(spread.values for spread in spreads)]


def corruptions(table: Table) -> list[tuple[str, str, list[Spread]]]:
    """For each method and corruption the AUROC of each score at the highest level."""
    results = [result for row in table.rows for result in row.results]
    kinds = dict.fromkeys(
        name.split("/")[1] for result in results for name in result["values"] if name.startswith("corruption/")
    )
    return [
        (row.method, kind, [row.figure(f"corruption/{kind}/3/auroc/{score}") for score in CORRUPTION_SCORES])
        for row in table.rows
        for kind in kinds
    ]


def _machine(result: Result) -> str:
    machine, versions = result["machine"], result["versions"]
    hardware = f"{machine['cpu']}, {machine['cores']} cores, {machine['device']}"
    return f"{hardware}; vssl {versions['vssl']}, torch {versions['torch']}"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader("vssl.bench", ""), jinja2.PackageLoader("vssl.report", "")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("comparison.html.jinja")
