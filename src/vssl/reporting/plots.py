"""Plots as inline SVG in the colour of the page's text, so that one picture is readable in light and dark mode."""

import io
import re
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

ACCENT = "#3a80d0"
# Replaced by the colour of the page's text, which only the browser knows.
INK = "#010203"
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "font.size": 9,
    "grid.alpha": 0.15,
    "grid.color": INK,
    "lines.linewidth": 1.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "vssl",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def curve(
    steps: Float[np.ndarray, " N"],
    minutes: Float[np.ndarray, " N"],
    values: Float[np.ndarray, " N"],
    from_zero: bool = False,
) -> Markup:
    """A quantity by step (below) and by minutes (above); NaN leaves a gap."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(4.2, 2.5)
        # One or two points make no visible line.
        axes.plot(steps, values, color=ACCENT, marker="o" if len(steps) < 3 else "")
        axes.set_xlabel("step")
        if from_zero and np.isfinite(values).any():
            axes.set_ylim(0, 1.1 * np.nanmax(values) or 1)
        _label_minutes(axes, steps, minutes)
        return svg(figure)


def _label_minutes(axes: Axes, steps: Float[np.ndarray, " N"], minutes: Float[np.ndarray, " N"]) -> None:
    round_values = MaxNLocator(5).tick_values(minutes[0], minutes[-1])
    ticks = [value for value in round_values if minutes[0] <= value <= minutes[-1]]
    above = axes.secondary_xaxis("top")
    above.set_xticks(np.interp(ticks, minutes, steps), [f"{value:g}" for value in ticks])
    above.set_xlabel("minutes")


def histogram(values: Float[np.ndarray, " N"], unit: str) -> Markup:
    """Histogram of the values."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(7.0, 2.2)
        axes.hist(values, bins=min(60, max(5, len(values) // 10)), color=ACCENT)
        axes.set_xlabel(unit)
        axes.set_ylabel("samples")
        axes.spines["top"].set_visible(False)
        return svg(figure)


def scatter(points: Float[np.ndarray, "N 2"], colours: list[str] | Float[np.ndarray, "N 4"]) -> Markup:
    """Points in the unit square, each in its colour, without axes."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(5.6, 4.2)
        size = float(np.clip(12_000 / len(points), 8, 40))
        axes.scatter(points[:, 0], points[:, 1], c=colours, s=size, alpha=0.8, linewidths=0, rasterized=True)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_axis_off()
        return svg(figure)


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure; width and height in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def svg(figure: Figure) -> Markup:
    """The figure as an `<svg>` element with a transparent background and without ids, which two figures could share."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, dpi=160, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    return Markup(text.replace(INK, "currentColor"))
