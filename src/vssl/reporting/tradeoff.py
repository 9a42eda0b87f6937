"""False-alarm and miss rates at all thresholds, with confidence bounds, as plots and as numbers."""

from dataclasses import asdict, dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from markupsafe import Markup
from matplotlib.axes import Axes

from vssl.decisions.bounds import lower_rate, upper_rate
from vssl.decisions.core import Thresholds
from vssl.decisions.costs import cost_per_1000
from vssl.decisions.guarantee import Costs, Guarantee
from vssl.reporting.plots import ACCENT, INK, STYLE, canvas, svg

WARM = "#e0742a"
STEPS = 201


@dataclass(frozen=True)
class RateCurve:
    """Rates at single thresholds, without a review band.

    Attributes:
        limits: The thresholds, ascending.
        normals, defects: Number of samples that the rates were counted on; 0 defects if there are none.
        false_alarms, misses: Number of normals above, and of defects at or below the threshold; empty without defects.
        costs: Cost per 1,000 samples; empty without costs.
        start: Index of the policy's threshold among the limits.
    """

    limits: list[float]
    normals: int
    defects: int
    false_alarms: list[int]
    misses: list[int]
    costs: list[float]
    start: int

    def to_dict(self) -> dict[str, Any]:
        """The curve with upper bounds of the rates at 95 % confidence."""
        bounds = {"false_alarms_upper": _bounds(self.false_alarms, self.normals)[1]}
        if self.defects:
            bounds["misses_upper"] = _bounds(self.misses, self.defects)[1]
        return asdict(self) | {name: [round(float(value), 5) for value in values] for name, values in bounds.items()}


def rate_curve(
    normal: Float[np.ndarray, " n"],
    defects: Float[np.ndarray, " m"] | None,
    costs: Costs | None,
    policy: Thresholds | None,
) -> RateCurve:
    """Rates at thresholds that are evenly spaced by the rank of the known scores."""
    known = normal if defects is None else np.concatenate([normal, defects])
    limits = np.unique(np.quantile(known, np.linspace(0, 1, STEPS), method="higher"))
    if policy is not None:
        limits = np.unique(np.append(limits, policy.reject_above))
    start = len(limits) - 1 if policy is None else int(np.searchsorted(limits, policy.reject_above))
    prices = []
    if costs is not None and defects is not None:
        prices = [round(cost_per_1000(Thresholds(limit, limit), normal, defects, costs), 4) for limit in limits]
    return RateCurve(
        limits=limits.tolist(),
        normals=len(normal),
        defects=0 if defects is None else len(defects),
        false_alarms=[int((normal > limit).sum()) for limit in limits],
        misses=[] if defects is None else [int((defects <= limit).sum()) for limit in limits],
        costs=prices,
        start=start,
    )


def rate_plot(curve: RateCurve, guarantee: Guarantee) -> Markup:
    """False-alarm and miss rate against the threshold, with 95 % bounds on either side, and the guaranteed rates."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(7.0, 2.8)
        _line(axes, curve.limits, curve.false_alarms, curve.normals, ACCENT, "false alarms")
        axes.axhline(100 * guarantee.false_alarm, color=ACCENT, linestyle=":", linewidth=1)
        if curve.defects:
            _line(axes, curve.limits, curve.misses, curve.defects, WARM, "misses")
            if guarantee.miss is not None:
                axes.axhline(100 * guarantee.miss, color=WARM, linestyle=":", linewidth=1)
        axes.axvline(curve.limits[curve.start], color=INK, linestyle="--", linewidth=1)
        axes.set(xlabel="threshold: reject above this score", ylabel="rate, %", yscale="symlog", ylim=(0, 100))
        # The axis ends before the few highest scores, which would compress all others.
        last = curve.limits[max(curve.start, int(0.97 * (len(curve.limits) - 1)))]
        axes.set_xlim(curve.limits[0], last + 0.05 * (last - curve.limits[0]))
        axes.set_yticks([0, 1, 2, 5, 10, 50, 100], ["0", "1", "2", "5", "10", "50", "100"])
        axes.spines["top"].set_visible(False)
        axes.legend(frameon=False)
        return svg(figure)


def score_histogram(
    normal: Float[np.ndarray, " n"], defects: Float[np.ndarray, " m"] | None, limits: Thresholds | None
) -> Markup:
    """Histogram of the scores of known normals and defects, with the thresholds."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(7.0, 2.4)
        known = [normal] if defects is None else [normal, defects]
        # The last bin holds the few highest scores, which would compress all others into one bin.
        low, high = min(map(np.min, known)), max(np.quantile(scores, 0.995) for scores in known)
        high = max(high, limits.reject_above if limits else high) + 0.05 * (high - low)
        names = ("normal", "defects")
        edges = np.linspace(low, high, 61).tolist()
        for scores, name, colour in zip(known, names, (ACCENT, WARM), strict=False):
            axes.hist(scores.clip(low, high), bins=edges, color=colour, alpha=0.6, label=f"{name} ({len(scores):,})")
        for limit in {limits.accept_up_to, limits.reject_above} if limits else ():
            axes.axvline(limit, color=INK, linestyle="--", linewidth=1)
        axes.set(xlabel="score (higher is worse; the last bar includes all higher scores)", ylabel="samples")
        axes.spines["top"].set_visible(False)
        axes.legend(frameon=False)
        return svg(figure)


def _line(axes: Axes, limits: list[float], counts: list[int], of: int, colour: str, name: str) -> None:
    low, high = _bounds(counts, of)
    axes.fill_between(limits, 100 * low, 100 * high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(limits, 100 * np.array(counts) / of, color=colour, label=name)


def _bounds(counts: list[int], of: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of the rates, each with 95 % confidence."""
    return np.array([lower_rate(n, of) for n in counts]), np.array([upper_rate(n, of) for n in counts])
