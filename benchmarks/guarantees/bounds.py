"""Are the bounds of `vssl.decisions.bounds` kept? Monte Carlo over many calibration sets, whose true rates are known.

    python benchmarks/guarantees.py --calibrations 1000

For each bound, kind of score, number of samples n and guaranteed rate alpha it draws calibration sets, asks the bound
for a threshold, and computes that threshold's true false-alarm rate. Guarantees with confidence may be broken by a
share delta = 5 % of the sets; marginal ones must hold on average over the sets. `room` says how conservative the bound
is: the mean of the true rates as a share of alpha. Where n is too small for the guarantee, the bound must refuse.
MAPIE's control of the false-positive rate stands beside ours, on the same grid.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from scipy import stats

from vssl.decisions import bounds
from vssl.errors import NotEnoughDataError
from vssl.files import write_json
from vssl.training.describe import versions

OUT = Path(__file__).parent / "results" / "guarantees.json"
CONFIDENCE = 0.95
SIZES = (50, 300, 1000, 5000)
RATES = (0.1, 0.01, 0.001)
GRID = 500  # thresholds that are tried one after the other


@dataclass(frozen=True)
class Options:
    """Monte Carlo of the bounds.

    Attributes:
        calibrations: Calibration sets of each row, 1,000 or more.
        seed: Of the draws.
        out: Where the record goes.
    """

    calibrations: int = 1000
    seed: int = 0
    out: Path = OUT


@dataclass(frozen=True)
class Scores:
    """A kind of score: how it is drawn, and the true probability P(score > threshold)."""

    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
    rate_above: Callable[[np.ndarray], np.ndarray]


def _above_a_grid(thresholds: np.ndarray, values: int) -> np.ndarray:
    return ((values - 1 - np.floor(thresholds)) / values).clip(min=0)


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
    return bounds.conformal_threshold(scores, alpha)


def risk_control(scores: np.ndarray, alpha: float, kind: Scores) -> float:
    grid = thresholds_of(kind)
    return float(grid[bounds.risk_threshold((scores[:, None] > grid).astype(float), alpha)])


def binomial(scores: np.ndarray, alpha: float, _kind: Scores) -> float:
    return bounds.binomial_threshold(scores, alpha, CONFIDENCE)


def fixed_sequence(scores: np.ndarray, alpha: float, kind: Scores) -> float:
    """Thresholds from the strictest down; the last one before the first that fails."""
    grid = thresholds_of(kind)[::-1]
    above = len(scores) - np.searchsorted(np.sort(scores), grid, side="right")
    passed = bounds.learn_then_test(bounds.binomial_p_values(above, len(scores), alpha), CONFIDENCE)
    if not passed:
        raise NotEnoughDataError(len(scores), bounds.samples_needed(alpha, CONFIDENCE), f"a rate of {alpha:g}")
    return float(grid[passed - 1])


@cache
def thresholds_of(kind: Scores) -> np.ndarray:
    """A fine grid fixed before any score is seen, up to a threshold that nothing exceeds."""
    known = kind.draw(np.random.default_rng(99), (1, 100_000))
    return np.append(np.quantile(known, 1 - np.geomspace(0.5, 1e-5, GRID)), known.max() * 1e6)


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
        found = [bound(kind.draw(rng, (1, n))[0], alpha, kind) for _ in range(options.calibrations)]
    except NotEnoughDataError as error:
        return head | {"refused": True, "needed": error.needed}
    rates = kind.rate_above(np.array(found))
    sets, mean = len(rates), float(rates.mean())
    if name in MARGINAL:
        kept = mean <= alpha + 3 * float(rates.std()) / math.sqrt(sets)
        return head | {"mean_rate": mean, "room": mean / alpha, "kept": kept}
    delta = 1 - CONFIDENCE
    broken = float((rates > alpha * (1 + 1e-9)).mean())
    kept = broken <= delta + 3 * math.sqrt(delta * CONFIDENCE / sets)
    return head | {"broken": broken, "mean_rate": mean, "room": mean / alpha, "kept": kept}


def main(options: Options) -> None:
    rows = [
        row(name, kind, n, alpha, options)
        for name in (*MARGINAL, *CONFIDENT)
        for kind in KINDS
        for alpha in RATES
        for n in SIZES
    ]
    record = {"command": " ".join(["python benchmarks/guarantees.py", *sys.argv[1:]]), "versions": versions()}
    write_json(options.out, record | {"confidence": CONFIDENCE, "calibrations": options.calibrations, "rows": rows})
    print("| bound | scores | alpha | n | sets that break it | true rate / alpha | kept |")
    print("|---|---|---|---|---|---|---|")
    for item in rows:
        start = f"| {item['bound']} | {item['scores']} | {item['alpha']:g} | {item['n']} |"
        if item.get("refused"):
            print(f"{start} refused: needs {item['needed']} | - | - |")
        else:
            broken = f"{100 * item['broken']:.1f} %" if "broken" in item else "marginal"
            print(f"{start} {broken} | {item['room']:.2f} | {'yes' if item['kept'] else 'NO'} |")
    if not all(item.get("kept", True) for item in rows if item["bound"] not in RIVALS):
        sys.exit("A guarantee was broken.")


if __name__ == "__main__":
    main(tyro.cli(Options))
