"""Whether the guarantee holds when a fifth of the calibration samples are copies: Monte Carlo of calibrate and decide.

    python -m benchmarks.guarantees.calibration_with_copies --calibrations 400

Synthetic series and pictures are calibrated as `vssl calibrate` does it, including the search for copies, and the true
false-alarm rate of the threshold is measured on new samples. A fifth of the normal samples are copies, either of
training samples (the reference set) or of five of the normal samples. Copies of windows begin a few rows later; copies
of pictures are saved again as JPEG with quality 70 to 95, some of them brightened or shifted by a pixel. With
`copies_removed` false all samples are counted, which shows what the search is worth. A guarantee with 95 % confidence
may be violated by 5 % of the calibrations; three standard errors more are allowed.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import tyro
from PIL import Image
from scipy import ndimage

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from vssl.decisions.calibrate import calibrate
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.copies import CalibrationSet, CopyFinder
from vssl.decisions.core import REJECT, UNGROUPED, decide_by_group
from vssl.modalities import sequences
from vssl.modalities.copies import content_hashes, hash_prefixes
from vssl.modalities.images import copies as pictures
from vssl.modalities.sensors import row_hashes as rows
from vssl.scores import knn
from vssl.types import Embeddings

TODAY = date(2025, 1, 1)
DELTA = 0.05
COPIED, COPIES_OF = 0.2, 5
WINDOW, LONGER, SIDE = 64, 8, 32


@dataclass(frozen=True)
class Options:
    """Monte Carlo of the guarantee.

    Attributes:
        calibrations: Number of calibrations with series.
        pictures: Number of calibrations with pictures, which take seconds each.
        seed: Random seed.
        out: File of the record.
    """

    calibrations: int = 400
    pictures: int = 30
    seed: int = 0
    out: Path = RESULTS / "calibration_with_copies.json"


@dataclass(frozen=True)
class Kind:
    """A kind of synthetic data.

    Attributes:
        draw: Draws that many independent samples, longer than a raw sample.
        cut: Makes raw samples of them, unchanged or as copies.
        table: Their embeddings, with the columns that copies are recognised by.
        finder: Searches for copies of the given raw training samples.
        normals: Number of calibration samples.
        fresh: Number of new samples for the true false-alarm rate.
        false_alarm: The guaranteed rate.
        training: Number of training samples.
    """

    draw: Callable[[np.random.Generator, int], np.ndarray]
    cut: Callable[[np.random.Generator, np.ndarray, bool], torch.Tensor]
    table: Callable[[torch.Tensor], Embeddings]
    finder: Callable[[torch.Tensor], CopyFinder]
    normals: int
    fresh: int
    false_alarm: float
    training: int = 300


def draw_series(rng: np.random.Generator, count: int) -> np.ndarray:
    """Two channels each: a wave of any phase, size and pace, and noise."""
    time_, phase = np.arange(WINDOW + LONGER), rng.uniform(0, 2 * np.pi, (count, 2, 1))
    wave = rng.gamma(8.0, 0.125, (count, 2, 1)) * np.sin(time_ / rng.uniform(6, 12, (count, 2, 1)) + phase)
    return (wave + 0.15 * rng.normal(size=(count, 2, WINDOW + LONGER))).round(3).astype(np.float32)


def cut_series(rng: np.random.Generator, drawn: np.ndarray, copies: bool) -> torch.Tensor:
    """Windows; copies begin 1 to 8 rows later."""
    first = rng.integers(1, LONGER + 1, len(drawn)) if copies else np.zeros(len(drawn), int)
    return torch.from_numpy(np.stack([one[:, at : at + WINDOW] for one, at in zip(drawn, first, strict=True)]))


def series_table(raw: torch.Tensor) -> Embeddings:
    scale, steps = raw.std(2), raw.diff(dim=2).std(2)
    signatures = [hashes.tobytes() for hashes in rows.hash_rows(raw.numpy(), np.ones(2))]
    return table(torch.cat([raw.mean(2), scale.log(), steps.log()], 1), raw, signatures)


def series_finder(raw: torch.Tensor) -> CopyFinder:
    signatures = [hashes.tobytes() for hashes in rows.hash_rows(raw.numpy(), np.ones(2))]
    memory = {"contents": hash_prefixes(content_hashes(raw)), **sequences.remember(signatures, None, rows.MIN_RUN_ROWS)}
    return CopyFinder(sequences.SequenceCopyDetector(memory), memory)


def draw_pictures(rng: np.random.Generator, count: int) -> np.ndarray:
    """Parts that look alike: a disc at any place, on a ground with some pattern of its own, and noise."""
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = SIDE / 2 + rng.uniform(-3, 3, (count, 2, 1, 1))
    disc = 60 * (np.hypot(y - centre[:, 0], x - centre[:, 1]) < 0.3 * SIDE)
    ground = (
        ndimage.gaussian_filter(rng.normal(size=(count, SIDE, SIDE)), (0, 3, 3))
        * 8
        * rng.gamma(8.0, 1.0, (count, 1, 1))
    )
    grey = 110 + disc + ground + 5 * rng.normal(size=(count, SIDE, SIDE))
    return np.asarray(grey.clip(0, 255), np.uint8)


def cut_pictures(rng: np.random.Generator, drawn: np.ndarray, copies: bool) -> torch.Tensor:
    """The pictures; copies are saved again, a third brightened by 5 to 15 %, a third shifted by a pixel."""
    made = [_again(rng, one) if copies else one for one in drawn]
    return torch.from_numpy(np.stack(made))[:, None]


def _again(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    how, buffer = rng.integers(3), BytesIO()
    if how == 1:
        picture = (picture * rng.uniform(1.05, 1.15)).clip(0, 255).astype(np.uint8)
    if how == 2:
        picture = np.pad(picture, ((1, 0), (0, 0)), "edge")[:-1]
    Image.fromarray(picture).save(buffer, "JPEG", quality=int(rng.integers(70, 96)))
    return np.asarray(Image.open(buffer))


def picture_table(raw: torch.Tensor) -> Embeddings:
    fields = torch.nn.functional.avg_pool2d(raw.float(), 8).flatten(1)
    return table(fields, raw, [picture.tobytes() for picture in pictures.thumbnails(raw)])


def picture_finder(raw: torch.Tensor) -> CopyFinder:
    memory = {"contents": hash_prefixes(content_hashes(raw)), "pictures": pictures.thumbnails(raw)}
    return CopyFinder(pictures.PictureCopyDetector(memory), memory)


def table(features: torch.Tensor, raw: torch.Tensor, signatures: list[bytes]) -> Embeddings:
    columns = {"features": features.numpy(), "mean": features.numpy(), "content": pa.array(content_hashes(raw))}
    columns["signature"] = pa.array(signatures, pa.binary())
    return Embeddings.from_columns([str(row) for row in range(len(raw))], columns)


KINDS = {
    "series": Kind(draw_series, cut_series, series_table, series_finder, 1000, 20_000, 0.05),
    "pictures": Kind(draw_pictures, cut_pictures, picture_table, picture_finder, 240, 4000, 0.2),
}


@cache
def fresh(name: str) -> Embeddings:
    """Samples that are like the normals and not among them: the same for every calibration."""
    kind, rng = KINDS[name], np.random.default_rng(99)
    return kind.table(kind.cut(rng, kind.draw(rng, kind.fresh), False))


def false_alarms(name: str, of: str, copies_removed: bool, rng: np.random.Generator) -> tuple[float, int]:
    """The true false-alarm rate of one calibration, and how many samples its guarantee counts."""
    kind = KINDS[name]
    training, copied = kind.draw(rng, kind.training), round(COPIED * kind.normals)
    normals = kind.draw(rng, kind.normals - copied)
    origin = training if of == "training" else normals[:COPIES_OF]
    planted = kind.cut(rng, origin[rng.integers(len(origin), size=copied)], True)
    bank = kind.cut(rng, training, False)
    samples, reference_set = kind.table(torch.cat([kind.cut(rng, normals, False), planted])), kind.table(bank)
    caveats: list[str] = []
    if copies_removed:
        finder = kind.finder(bank)
        given = finder.drop_leaked(finder.calibration_set(samples), None, "normal samples", caveats)
    else:
        given = CalibrationSet(samples, np.arange(len(samples)))
    score = knn.Config(neighbours=1, space="features")
    policy, reference = calibrate(
        CalibrationConfig(kind.false_alarm, score=score), reference_set, given, None, caveats, TODAY
    )
    scores = knn.fit(score, reference_set)(fresh(name))
    decided = decide_by_group(policy.thresholds, np.full(len(scores), UNGROUPED, dtype=object), scores)
    return float((decided == REJECT).mean()), len(reference.scores("normal", UNGROUPED))


def violations(name: str, of: str, copies_removed: bool, calibrations: int, seed: int) -> dict[str, Any]:
    """How often the guarantee is violated."""
    kind, started = KINDS[name], time.perf_counter()
    # The same draws with and without finding copies.
    generators = (np.random.default_rng([seed, number]) for number in range(calibrations))
    rates, counts = np.array([false_alarms(name, of, copies_removed, rng) for rng in generators]).T
    violated = float((rates > kind.false_alarm).mean())
    allowed = DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / calibrations)
    return {
        "kind": name, "copies_of": of, "copies_removed": copies_removed, "calibrations": calibrations,
        "normals": kind.normals, "samples_counted": float(counts.mean()), "guaranteed": kind.false_alarm,
        "mean_rate": float(rates.mean()), "violation_rate": violated, "allowed_rate": allowed,
        "holds": violated <= allowed, "seconds": time.perf_counter() - started,
    }  # fmt: skip


def main(options: Options) -> None:
    torch.set_num_threads(1)
    record = Record.create(options.out, seeds=(options.seed,))
    for name, calibrations in (("series", options.calibrations), ("pictures", options.pictures)):
        for of in ("training", "normals"):
            for copies_removed in (False, True):
                record.add(violations(name, of, copies_removed, calibrations, options.seed))
    tables.show("calibration_with_copies", record)
    if not all(row["holds"] for row in record.rows if row["copies_removed"]):
        sys.exit("A guarantee does not hold.")


if __name__ == "__main__":
    main(tyro.cli(Options))
