"""Real defects on inspection pictures: how many are found and located, beside anomalib's PatchCore.

    python -m benchmarks.data.inspection inspection-archives inspection
    python -m benchmarks.quality.inspection inspection --weights lite0.safetensors --patchcore patchcore/bin/python

Each set is divided once per seed, so that tested pictures come from other places, times or boards than those that were
learned from. Training sees normal pictures only. The rows compare what is learned: nothing (a Gaussian of the pixels),
ImageNet weights as they are (pooled, or patch by patch), a network from scratch, and weights adapted to the pictures.
Thresholds of the misses are quantiles of the tested normal pictures: this measures separation. Whether guarantees of
the false-alarm rate hold is measured by `benchmarks.quality.infrared_decide` and `benchmarks.guarantees`. All with one
thread. What is recorded is not repeated. How to make PatchCore's environment: benchmarks/README.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import tyro
from PIL import Image

from benchmarks import tables
from benchmarks.common.detection import detected, located
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.rivals import anomalib_patchcore
from benchmarks.common.training import train_once
from benchmarks.data.inspection import DIVISIONS, Division, division
from vssl import Embeddings, api
from vssl.embedding import embed_raw
from vssl.encoders import timm
from vssl.modalities import images
from vssl.run import Run
from vssl.scores import Score, ScoreConfig, knn, mahalanobis, novelty, patches
from vssl.training.model import Model

SIZES = {
    "ball screw, by place": 568,
    "ball screw, by time": 568,
    "DeepPCB": 320,
    "cookies": 256,
    "aliens": 256,
}
"""Longest side in pixels that the pictures are brought to, the same for all rows but `scratch`."""
SCRATCH_SIZE = 192
"""The same for networks that are trained from scratch, whose steps a processor would take minutes for."""
TIMED = 32
"""Pictures whose time is measured, all at once."""
PATCHCORE = "PatchCore (anomalib)"


@dataclass(frozen=True)
class Measured:
    """A row of the table.

    Attributes:
        run: Which training it takes: frozen, scratch or adapted.
        score: The module of the score.
        config: Settings of the score.
    """

    run: str
    score: ModuleType
    config: ScoreConfig


ROWS = {
    "pixels: Gaussian": Measured("frozen", mahalanobis, mahalanobis.Config("raw_descriptor")),
    "frozen, pooled: Mahalanobis": Measured("frozen", mahalanobis, mahalanobis.Config()),
    "frozen, pooled: 5-NN": Measured("frozen", knn, knn.Config(space="features")),
    "frozen, patches": Measured("frozen", patches, patches.Config()),
    "scratch": Measured("scratch", novelty, novelty.Config()),
    "adapted, patches": Measured("adapted", patches, patches.Config()),
    "frozen, combination": Measured("frozen", novelty, novelty.Config()),
    "adapted, combination": Measured("adapted", novelty, novelty.Config()),
}


@dataclass(frozen=True)
class Options:
    """Defects on inspection pictures.

    Attributes:
        folder: The folder that `benchmarks.data.inspection` made.
        weights: ImageNet weights of the network, as .safetensors.
        variant: The network's name in timm.
        sets: Data sets; by default all.
        rows: Rows of vssl; by default all.
        seeds: Random seeds of the division and of the training.
        steps: Optimiser steps of the network from scratch.
        adapt_steps: Optimiser steps of the adaptation.
        patchcore: Interpreter of an environment with anomalib; without it PatchCore is left out.
        max_patches: PatchCore's coreset is chosen from this many patches.
        runs: Folder of the runs and of PatchCore's results; what is done is not done again.
        out: File of the record.
    """

    folder: tyro.conf.Positional[Path]
    weights: Path
    variant: str = "tf_efficientnet_lite0"
    sets: tuple[str, ...] = tuple(DIVISIONS)
    rows: tuple[str, ...] = tuple(ROWS)
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 300
    adapt_steps: int = 100
    patchcore: Path | None = None
    max_patches: int = 60_000
    runs: Path = Path("runs/inspection")
    out: Path = RESULTS / "inspection.json"


def main(options: Options) -> None:
    torch.set_num_threads(1)
    record = Record.resume(
        options.out,
        seeds=options.seeds,
        variant=options.variant,
        steps=options.steps,
        adapt_steps=options.adapt_steps,
        max_patches=options.max_patches,
    )
    for name in options.sets:
        for seed in options.seeds:
            study = Study(options, name, seed, division(options.folder, name, seed))
            if options.patchcore and not record.holds(set=name, seed=seed, row=PATCHCORE):
                record.add(study.patchcore(options.patchcore))
            for row in options.rows:
                if not record.holds(set=name, seed=seed, row=row):
                    record.add(study.measured(row))
    tables.show("inspection", record)


@dataclass
class Study:
    """One division of one data set; trainings and tables of embeddings are made once."""

    options: Options
    name: str
    seed: int
    division: Division
    trained: dict[str, Trained] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.options.runs / f"{self.name.replace(',', '').replace(' ', '-').lower()}-{self.seed}"

    def measured(self, row: str) -> dict[str, Any]:
        """Figures of a row of vssl."""
        spec = ROWS[row]
        if spec.run not in self.trained:
            self.trained[spec.run] = Trained.make(self, spec.run)
        trained = self.trained[spec.run]
        started = time.process_time()
        score = spec.score.fit(spec.config, trained.reference)
        figures = {"fit_s": trained.fit_s + time.process_time() - started}
        figures["ms_per_picture"] = trained.milliseconds(score)
        test = trained.test
        maps = None if score.anomaly_map is None else score.anomaly_map(test)
        return self._row(row, self._in_order(test, score(test)), self._in_order(test, maps), figures)

    def patchcore(self, python: Path) -> dict[str, Any]:
        """Figures of anomalib's PatchCore, at the size of the frozen rows."""
        height, width = self._size(SIZES[self.name])
        job = anomalib_patchcore.Job(
            [str(path.resolve()) for path in self.division.train],
            [str(picture.path.resolve()) for picture in self.division.test],
            *(height, width, str(self.options.weights.resolve()), self.options.variant),
            max_patches=self.options.max_patches,
            seed=self.seed,
        )
        result = anomalib_patchcore.run(python, job, self.home / "patchcore")
        return self._row(PATCHCORE, result.scores, result.maps, result.figures | {"size": [height, width]})

    def _size(self, longest: int) -> tuple[int, int]:
        """Height and width, as vssl chooses its canvas where all pictures have one size."""
        with Image.open(self.division.train[0]) as picture:
            width, height = picture.size
        scale = min(1.0, longest / max(height, width))
        return round(height * scale), round(width * scale)

    def _in_order(self, test: Embeddings, values: Any) -> Any:
        """Values of the rows of a table, in the order of the division's pictures."""
        if values is None:
            return None
        rows = {Path(name).resolve(): row for row, name in enumerate(test.ids)}
        return values[[rows[picture.path.resolve()] for picture in self.division.test]]

    def _row(self, row: str, scores: np.ndarray, maps: np.ndarray | None, figures: dict[str, Any]) -> dict[str, Any]:
        pictures = self.division.test
        defect = np.array([picture.defect for picture in pictures])
        head = {"set": self.name, "seed": self.seed, "row": row, "train": len(self.division.train)}
        counts = {"normals": int((~defect).sum()), "defects": int(defect.sum())}
        places = {} if maps is None else located(maps, pictures, self.division.boxed)
        return {**head, **counts, **detected(scores, defect), **places, **figures}


@dataclass
class Trained:
    """A run with its tables, and what they cost.

    Attributes:
        model: The trained model.
        reference: Embeddings of the normal training pictures.
        test: Embeddings of the tested pictures.
        raw: Some tested pictures, to measure the time of one.
        fit_s: Processor seconds of training and of embedding the training pictures.
    """

    model: Model
    reference: Embeddings
    test: Embeddings
    raw: torch.Tensor
    fit_s: float

    @classmethod
    def make(cls, study: Study, name: str) -> Trained:
        train, test = study.division.write(study.home)
        path = study.home / name
        started = time.process_time()
        run = train_once(train, path, **_settings(study, name))
        reference = api.embed(run, train, name="train")
        fit_s = time.process_time() - started
        model = api.load(run, "cpu")
        return cls(model, reference, api.embed(run, test, name="test"), next(_chunks(model, test)), _stored(run, fit_s))

    def milliseconds(self, score: Score) -> float:
        """Processor time of one picture that is in memory: embedding and score, measured on `TIMED` at once."""
        started = time.process_time()
        columns = embed_raw(self.model, self.raw)
        score(Embeddings.from_columns([str(row) for row in range(len(self.raw))], columns))
        return 1000 * (time.process_time() - started) / len(self.raw)


def _settings(study: Study, name: str) -> dict[str, Any]:
    options = study.options
    size = SCRATCH_SIZE if name == "scratch" else SIZES[study.name]
    shared: dict[str, Any] = {"modality": images.Config(views="inspection", size=size), "seed": study.seed, "batch": 32}
    if name == "scratch":
        return shared | {"steps": options.steps}
    encoder = timm.Config(options.variant, pretrained=str(options.weights))
    if name == "frozen":
        return shared | {"encoder": encoder, "train": "none"}
    return shared | {"encoder": encoder, "train": "adapt", "steps": options.adapt_steps}


def _chunks(model: Model, data: Path) -> Iterator[torch.Tensor]:
    return (chunk.raw for chunk in model.modality.stream(data, size=TIMED))


def _stored(run: Run, seconds: float) -> float:
    """The seconds of the first time, as a run that is done is not trained again."""
    path = run.path / "fit_seconds.txt"
    if not path.exists():
        path.write_text(f"{seconds}\n")
    return float(path.read_text())


if __name__ == "__main__":
    main(tyro.cli(Options))
