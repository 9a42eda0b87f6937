"""Is the guarantee kept when a fifth of the calibration samples are copies? Monte Carlo through `calibrate` and
`decide`.

    python benchmarks/promise_with_copies.py --calibrations 400

Made-up series and pictures are calibrated as a run does it, from finding the copies on, and the threshold is judged on
fresh samples. A fifth of the normals are copies: of training samples (which are the bank as well), or of five of the
normals themselves. Copies of windows begin a few rows later; copies of pictures are saved again as JPEG with quality 70
to 95, some of them brightened or shifted by a pixel. Without finding them (`mended` false: as version 0.8 did) the same
samples are all counted. A guarantee with 95 % confidence may be broken by 5 % of the calibrations, and by three
standard errors more in as many as were drawn.
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

from vssl.decisions.calibrate import calibrate
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.copies import CalibrationSet, CopyFinder
from vssl.decisions.core import REJECT, UNGROUPED, decide_by_group
from vssl.files import write_json
from vssl.modalities import sequences
from vssl.modalities.copies import content, short
from vssl.modalities.images import copies as pictures
from vssl.modalities.sensors import copies as rows
from vssl.scores import knn
from vssl.training.describe import machine, versions
from vssl.types import Embeddings, to_arrow

OUT = Path(__file__).parent / "results" / "promise_with_copies.json"
TODAY = date(2025, 1, 1)
COPIED, COPIES_OF = 0.2, 5
WINDOW, LONGER, SIDE = 64, 8, 32


@dataclass(frozen=True)
class Options:
    """Monte Carlo of the guarantee.

    Attributes:
        calibrations: Calibrations with series.
        pictures: Calibrations with pictures, which take seconds each.
        seed: Of the draws.
        out: Where the record goes.
    """

    calibrations: int = 400
    pictures: int = 30
    seed: int = 0
    out: Path = OUT


@dataclass(frozen=True)
class Kind:
    """A kind of made-up data.

    Attributes:
        draw: So many independent samples, longer than what is looked at.
        cut: The raw samples, as they are or as copies.
        table: Their embeddings, with what they are known by.
        finder: What finds copies, from the raw training samples.
        normals, fresh: How many are drawn.
        false_alarm: The guaranteed rate.
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
    spread, steps = raw.std(2), raw.diff(dim=2).std(2)
    traces = [hashes.tobytes() for hashes in rows.rows(raw.numpy(), np.ones(2))]
    return table(torch.cat([raw.mean(2), spread.log(), steps.log()], 1), raw, traces)


def series_finder(raw: torch.Tensor) -> CopyFinder:
    traces = [hashes.tobytes() for hashes in rows.rows(raw.numpy(), np.ones(2))]
    memory = {"contents": short(content(raw)), **sequences.remember(traces, None, rows.SHORTEST)}
    return CopyFinder(sequences.SequenceCopies(memory), memory)


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
    return (110 + disc + ground + 5 * rng.normal(size=(count, SIDE, SIDE))).clip(0, 255).astype(np.uint8)


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
    return table(fields, raw, [picture.tobytes() for picture in pictures.small(raw)])


def picture_finder(raw: torch.Tensor) -> CopyFinder:
    memory = {"contents": short(content(raw)), "pictures": pictures.small(raw)}
    return CopyFinder(pictures.PictureCopies(memory), memory)


def table(features: torch.Tensor, raw: torch.Tensor, traces: list[bytes]) -> Embeddings:
    ids = pa.array([str(row) for row in range(len(raw))])
    columns = {"id": ids, "features": to_arrow(features.numpy()), "mean": to_arrow(features.numpy())}
    return Embeddings(pa.table(columns | {"content": pa.array(content(raw)), "trace": pa.array(traces, pa.binary())}))


KINDS = {
    "series": Kind(draw_series, cut_series, series_table, series_finder, 1000, 20_000, 0.05),
    "pictures": Kind(draw_pictures, cut_pictures, picture_table, picture_finder, 240, 4000, 0.2),
}


@cache
def fresh(name: str) -> Embeddings:
    """Samples that are like the normals and not among them: the same for every calibration."""
    kind, rng = KINDS[name], np.random.default_rng(99)
    return kind.table(kind.cut(rng, kind.draw(rng, kind.fresh), False))


def false_alarms(name: str, of: str, mended: bool, rng: np.random.Generator) -> tuple[float, int]:
    """The true false-alarm rate of one calibration, and how many samples its guarantee counts."""
    kind = KINDS[name]
    training, copied = kind.draw(rng, kind.training), round(COPIED * kind.normals)
    normals = kind.draw(rng, kind.normals - copied)
    origin = training if of == "training" else normals[:COPIES_OF]
    planted = kind.cut(rng, origin[rng.integers(len(origin), size=copied)], True)
    bank = kind.cut(rng, training, False)
    samples, known = kind.table(torch.cat([kind.cut(rng, normals, False), planted])), kind.table(bank)
    caveats: list[str] = []
    if mended:
        finder = kind.finder(bank)
        given = finder.drop_leaked(finder.calibration_set(samples), None, "normal samples", caveats)
    else:
        given = CalibrationSet(samples, np.arange(len(samples)))
    score = knn.Config(neighbours=1, space="features")
    policy, reference = calibrate(CalibrationConfig(kind.false_alarm, score=score), known, given, None, caveats, TODAY)
    scores = knn.fit(score, known)(fresh(name))
    decided = decide_by_group(policy.thresholds, np.full(len(scores), UNGROUPED, dtype=object), scores)
    return float((decided == REJECT).mean()), len(reference.normal_scores(UNGROUPED))


def line(name: str, of: str, mended: bool, calibrations: int, seed: int) -> dict[str, Any]:
    """How often the guarantee is broken."""
    kind, started = KINDS[name], time.perf_counter()
    # The same draws with and without finding copies.
    found = [false_alarms(name, of, mended, np.random.default_rng([seed, number])) for number in range(calibrations)]
    rates = np.array([rate for rate, _ in found])
    delta = 0.05
    broken, allowed = (
        float((rates > kind.false_alarm).mean()),
        delta + 3 * math.sqrt(delta * (1 - delta) / calibrations),
    )
    return {
        "kind": name, "copies_of": of, "mended": mended, "calibrations": calibrations, "normals": kind.normals,
        "counted": float(np.mean([count for _, count in found])), "guaranteed": kind.false_alarm,
        "mean_rate": float(rates.mean()), "broken": broken, "allowed": allowed, "kept": broken <= allowed,
        "seconds": time.perf_counter() - started,
    }  # fmt: skip


def main(options: Options) -> None:
    torch.set_num_threads(1)
    found = []
    print("| data | copies of | found | counted | guaranteed | broken by | allowed |\n|---|---|---|---|---|---|---|")
    for name, calibrations in (("series", options.calibrations), ("pictures", options.pictures)):
        for of in ("training", "normals"):
            for mended in (False, True):
                item = line(name, of, mended, calibrations, options.seed)
                found.append(item)
                print(
                    f"| {name} | {of} | {'yes' if mended else 'no'} | {item['counted']:.0f} of {item['normals']} | "
                    f"{item['guaranteed']:.0%} | {item['broken']:.1%} | {item['allowed']:.1%} |",
                    flush=True,
                )
    command = " ".join(["python benchmarks/promise_with_copies.py", *sys.argv[1:]])
    record = {"command": command, "versions": versions(), "machine": machine(torch.device("cpu"))}
    write_json(options.out, record | {"rows": found})
    if not all(item["kept"] for item in found if item["mended"]):
        sys.exit("A guarantee was broken.")


if __name__ == "__main__":
    main(tyro.cli(Options))
