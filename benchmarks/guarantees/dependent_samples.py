"""Whether the guarantee holds for new parts when each part is photographed several times: Monte Carlo of calibrate.

    python -m benchmarks.guarantees.dependent_samples --calibrations 200

The score of a picture is that of its part plus that of its exposure, both Gaussian, so the true false-alarm rate of a
threshold is known. Without blocks the guarantee counts pictures; with `--block part` it counts parts. Recorded is how
often the true rate (of pictures, or of parts) is above the guaranteed one, and how often `calibrate` proposes the
blocks and states no guarantee. A guarantee with 95 % confidence may be violated by 5 % of the calibrations; three
standard errors more are allowed.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tyro
from scipy import stats

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from vssl.decisions.calibrate import calibrate
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.copies import CalibrationSet
from vssl.decisions.core import UNGROUPED
from vssl.types import Embeddings

TODAY = date(2025, 1, 1)
DELTA, GUARANTEED = 0.05, 0.02
PARTS, EXPOSURES = 200, 5
CORRELATIONS = (0.0, 0.3, 0.83)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(200)


@dataclass(frozen=True)
class Options:
    """Monte Carlo of the guarantee with dependent samples.

    Attributes:
        calibrations: Number of calibrations per row.
        seed: Random seed.
        out: File of the record.
    """

    calibrations: int = 200
    seed: int = 0
    out: Path = RESULTS / "dependent_samples.json"


def false_alarms(correlation: float, blocks: bool, rng: np.random.Generator) -> tuple[float, bool]:
    """The true false-alarm rate of one calibration, and whether a guarantee is stated."""
    part = np.repeat(np.arange(PARTS), EXPOSURES)
    noise = rng.normal(size=len(part))
    scores = math.sqrt(correlation) * rng.normal(size=PARTS)[part] + math.sqrt(1 - correlation) * noise
    names = [str(row) for row in range(len(part))]
    columns = {"part": pa.array(part.astype(str)), "content": pa.array(names)}
    samples = Embeddings.from_columns(names, columns)
    config = CalibrationConfig(GUARANTEED, block="part" if blocks else None)
    given = CalibrationSet(samples, np.arange(len(part)))
    policy, _ = calibrate(config, samples, given, None, [], TODAY, scorer=lambda _: scores)
    threshold = policy.thresholds[UNGROUPED].reject_above
    return true_rate(threshold, correlation, EXPOSURES if blocks else 1), policy.guaranteed


def true_rate(threshold: float, correlation: float, pictures: int) -> float:
    """Probability that some of so many pictures of a new part are above the threshold."""
    below = stats.norm.cdf((threshold - math.sqrt(correlation) * NODES) / math.sqrt(1 - correlation))
    return float(1 - WEIGHTS @ below**pictures / WEIGHTS.sum())


def violations(correlation: float, blocks: bool, calibrations: int, seed: int) -> dict[str, Any]:
    """How often the guarantee is violated; the same draws with and without blocks."""
    generators = (np.random.default_rng([seed, number]) for number in range(calibrations))
    rates, guaranteed = np.array([false_alarms(correlation, blocks, rng) for rng in generators]).T
    violated = float((rates > GUARANTEED).mean())
    allowed = DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / calibrations)
    return {
        "intraclass_correlation": correlation, "blocks": blocks, "parts": PARTS, "exposures": EXPOSURES,
        "calibrations": calibrations, "guaranteed": GUARANTEED, "mean_rate": float(rates.mean()),
        "violation_rate": violated, "allowed_rate": allowed, "holds": violated <= allowed,
        "block_proposed_rate": float(1 - guaranteed.mean()),
    }  # fmt: skip


def main(options: Options) -> None:
    record = Record.create(options.out, seeds=(options.seed,))
    for correlation in CORRELATIONS:
        for blocks in (False, True):
            record.add(violations(correlation, blocks, options.calibrations, options.seed))
    tables.show("dependent_samples", record)
    if not all(row["holds"] for row in record.rows if row["blocks"]):
        sys.exit("A guarantee does not hold.")


if __name__ == "__main__":
    main(tyro.cli(Options))
