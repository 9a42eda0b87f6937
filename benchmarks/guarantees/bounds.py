"""Whether the bounds of `vssl.decisions.bounds` hold: Monte Carlo over calibration sets whose true rates are known.

    python -m benchmarks.guarantees.bounds --calibrations 1000

For each bound, kind of score, number of samples n and guaranteed rate alpha it draws calibration sets, computes the
threshold of the bound, and its true false-alarm rate. Guarantees with confidence may be violated by a share delta = 5 %
of the sets; marginal ones must hold on average over the sets. `rate_over_alpha` says how conservative the bound is: the
mean true rate as a share of alpha. Where n is too small for the guarantee, the bound must refuse. MAPIE's control of
the false-positive rate is measured on the same grid.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from scipy import stats

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from benchmarks.guarantees import other_bounds
from vssl.decisions import bounds
from vssl.errors import NotEnoughDataError

CONFIDENCE = 0.95
GRID = 500
"""Number of thresholds that fixed-sequence bounds test one after the other."""


@dataclass(frozen=True)
class Options:
    """Monte Carlo of the bounds.

    Attributes:
        calibrations: Number of calibration sets per row.
        sizes: Numbers of samples n.
        rates: Guaranteed rates alpha.
        seed: Random seed.
        out: File of the record.
    """

    calibrations: int = 1000
    sizes: tuple[int, ...] = (50, 300, 1000, 5000)
    rates: tuple[float, ...] = (0.1, 0.01, 0.001)
    seed: int = 0
    out: Path = RESULTS / "bounds.json"


@dataclass(frozen=True)
class Scores:
    """A kind of score: how it is drawn, and the true probability P(score > threshold)."""

    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
    rate_above: Callable[[np.ndarray], np.ndarray]


def _above_a_grid(thresholds: np.ndarray, values: int) -> np.ndarray:
    return np.asarray(((values - 1 - np.floor(thresholds)) / values).clip(min=0))


KINDS = {
    "heavy-tailed": Scores(lambda rng, shape: rng.standard_cauchy(shape), lambda t: stats.cauchy.sf(t)),
    "ties (2,000 values)": Scores(
        lambda rng, shape: rng.integers(0, 2000, shape).astype(float), lambda t: _above_a_grid(t, 2000)
    ),
    "discrete (40 values)": Scores(
        lambda rng, shape: rng.integers(0, 40, shape).astype(float), lambda t: _above_a_grid(t, 40)
    ),
}


def conformal(scores: np.ndarray, alpha: float, _kind: Scores) -> float:
    return other_bounds.conformal_threshold(scores, alpha)


def risk_control(scores: np.ndarray, alpha: float, kind: Scores) -> float:
    grid = thresholds_of(kind)
    return float(grid[other_bounds.risk_threshold((scores[:, None] > grid).astype(float), alpha)])


def binomial(scores: np.ndarray, alpha: float, _kind: Scores) -> float:
    return bounds.binomial_threshold(scores, alpha, CONFIDENCE)


def fixed_sequence(scores: np.ndarray, alpha: float, kind: Scores) -> float:
    """Thresholds from the strictest down; the last one before the first that fails."""
    grid = thresholds_of(kind)[::-1]
    above = len(scores) - np.searchsorted(np.sort(scores), grid, side="right")
    passed = other_bounds.learn_then_test(bounds.binomial_p_values(above, len(scores), alpha), CONFIDENCE)
    if not passed:
        raise NotEnoughDataError(len(scores), bounds.samples_needed(alpha, CONFIDENCE), f"a rate of {alpha:g}")
    return float(grid[passed - 1])


@cache
def thresholds_of(kind: Scores) -> np.ndarray:
    """A fine grid fixed before any score is seen, up to a threshold that nothing exceeds."""
    drawn = kind.draw(np.random.default_rng(99), (1, 100_000))
    return np.append(np.quantile(drawn, 1 - np.geomspace(0.5, 1e-5, GRID)), drawn.max() * 1e6)


def mapie(scores: np.ndarray, alpha: float, kind: Scores) -> float:
    """MAPIE's control of the false-positive rate on the same grid, the strictest threshold first."""
    # Imported late: it is for comparison only.
    from mapie.risk_control import BinaryClassificationController

    grid = thresholds_of(kind)
    # It takes probabilities: how many of the thresholds lie below a score. Two sure positives come with them.
    probability = np.append(np.searchsorted(grid, scores, side="left") / len(grid), [1.0, 1.0])
    limits = np.arange(len(grid), 0, -1) / len(grid)
    controller = BinaryClassificationController(
        lambda x: np.column_stack([1 - x.ravel(), x.ravel()]),
        risk="fpr",
        target_level=alpha,
        confidence_level=CONFIDENCE,
        list_predict_params=limits,
        fwer_method="fixed_sequence",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        controller.calibrate(probability[:, None], np.append(np.zeros(len(scores), int), [1, 1]))
    if not len(controller.valid_predict_params):
        raise NotEnoughDataError(len(scores), bounds.samples_needed(alpha, CONFIDENCE), f"a rate of {alpha:g}")
    # The lowest of those that it calls valid, as with our own.
    return float(grid[round(min(controller.valid_predict_params) * len(grid)) - 1])


MARGINAL = {"conformal": conformal, "risk control": risk_control}
RIVALS = {"MAPIE, fixed sequence": mapie}
CONFIDENT = {"binomial": binomial, "fixed sequence": fixed_sequence} | RIVALS


def row(name: str, kind_name: str, n: int, alpha: float, options: Options) -> dict[str, Any]:
    """One line of the table."""
    kind = KINDS[kind_name]
    rng = np.random.default_rng([options.seed, n, round(1e6 * alpha)])
    head = {"bound": name, "scores": kind_name, "n": n, "alpha": alpha}
    bound = (MARGINAL | CONFIDENT)[name]
    try:
        thresholds = [bound(kind.draw(rng, (1, n))[0], alpha, kind) for _ in range(options.calibrations)]
    except NotEnoughDataError as error:
        return head | {"refused": True, "samples_needed": error.needed}
    rates = kind.rate_above(np.array(thresholds))
    sets, mean = len(rates), float(rates.mean())
    if name in MARGINAL:
        holds = mean <= alpha + 3 * float(rates.std()) / math.sqrt(sets)
        return head | {"mean_rate": mean, "rate_over_alpha": mean / alpha, "holds": holds}
    delta = 1 - CONFIDENCE
    violated = float((rates > alpha * (1 + 1e-9)).mean())
    holds = violated <= delta + 3 * math.sqrt(delta * CONFIDENCE / sets)
    return head | {"violation_rate": violated, "mean_rate": mean, "rate_over_alpha": mean / alpha, "holds": holds}


def main(options: Options) -> None:
    record = Record.create(options.out, seeds=(options.seed,), confidence=CONFIDENCE, calibrations=options.calibrations)
    for name, kind, alpha, n in product((*MARGINAL, *CONFIDENT), KINDS, options.rates, options.sizes):
        record.add(row(name, kind, n, alpha, options))
    tables.show("bounds", record)
    if not all(item.get("holds", True) for item in record.rows if item["bound"] not in RIVALS):
        sys.exit("A guarantee does not hold.")


if __name__ == "__main__":
    main(tyro.cli(Options))
