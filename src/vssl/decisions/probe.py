"""Prediction sets from few labels: the classes that a sample may have, at a stated coverage.

A linear classifier learns from half of the labels; the other half says how unlikely the true class may look to it. A
class stays in the set of a sample if its conformal p-value is above 1 - coverage (Vovk et al. 2005; Sadinle et al.
2019, arXiv 1609.00451, with the score 1 - probability). So the true class is in the set with the stated coverage, on
average over calibrations, whatever the classifier is worth: a poor one has larger sets. By class (Mondrian), the
coverage holds for each class alone.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float
from sklearn.pipeline import Pipeline

from vssl.decisions import bounds
from vssl.embedding import read_header
from vssl.errors import ConfigError, DataError, NotEnoughDataError, RunError
from vssl.evaluation import linear
from vssl.evaluation.labels import Labelled, stratified, with_labels
from vssl.files import atomic
from vssl.run import Run
from vssl.types import Embeddings

# What two tables of one model may differ in.
DATA_OF_AN_IDENTITY = {"source": "", "fingerprint": "", "metadata": ""}


@dataclass(frozen=True)
class Probe:
    """A classifier with what it takes to give prediction sets.

    Attributes:
        classes: K names, in the order of the sets' columns.
        coverage: Share of samples whose set holds their class, 0..1.
        by_class: Whether that holds for each class alone.
        classifier: From features to probabilities.
        calibration: For each class the scores (1 - probability of the true class) that its p-values are taken from.
    """

    classes: list[str]
    coverage: float
    by_class: bool
    classifier: Pipeline
    calibration: list[np.ndarray]

    def probabilities(self, samples: Embeddings) -> Float[np.ndarray, "N K"]:
        """What the classifier holds of each class, 0 for a class that it did not learn; not calibrated."""
        found = np.zeros((len(samples), len(self.classes)))
        found[:, self.classifier.classes_] = self.classifier.predict_proba(samples.features.astype(np.float32))
        return found

    def sets(self, samples: Embeddings) -> Bool[np.ndarray, "N K"]:
        """Which classes each sample may have. None at all: it looks like none of them."""
        score = 1 - self.probabilities(samples)
        p_values = [bounds.conformal_p_values(known, score[:, at]) for at, known in enumerate(self.calibration)]
        # A p-value of exactly 1 - coverage stays out, and rounding must not let it in.
        return np.stack(p_values, axis=1) > (1 - self.coverage) * (1 + 1e-12)


def probe(
    samples: Embeddings, labels: dict[str, str], coverage: float = 0.9, by_class: bool = False, seed: int = 0
) -> Probe:
    """Learn from half of the labels, calibrate with the other half.

    Args:
        samples: Embeddings, the labelled ones among them.
        labels: By id.

    Raises:
        DataError: An id that is not among the samples, or fewer than two classes to learn from.
        NotEnoughDataError: Too few labels for the coverage, of all or of a class.
        ConfigError: The coverage is no share.
    """
    if not 0 < coverage < 1:
        raise ConfigError(f"coverage is {coverage:g}; it is a share between 0 and 1, such as 0.9.")
    labelled, classes = _labelled(samples, labels)
    learned = stratified(labelled.classes, 0.5, seed, leave=1) if by_class else _half(len(labelled), seed)
    kept_apart = labelled.take((~learned).nonzero()[0])
    needed = int(np.ceil(1 / (1 - coverage) * (1 - 1e-12))) - 1
    counts = np.bincount(kept_apart.classes, minlength=len(classes))
    for name, count in zip(classes, counts, strict=True) if by_class else [("", len(kept_apart))]:
        if count < needed:
            what = f" of the class {name!r}" if by_class else ""
            raise NotEnoughDataError(2 * int(count), 2 * needed, f"a coverage of {coverage:g}{what} (labels)")
    known = labelled.take(learned.nonzero()[0])
    if len(set(known.classes)) < 2:
        raise DataError("The half of the labels that is learned from has one class only; two are needed. Label more.")
    found = Probe(classes, coverage, by_class, linear.fit(known, seed), [])
    # A class that was not learned counts among the unlikely: the coverage is of such samples too.
    scores = 1 - found.probabilities(kept_apart.samples)[np.arange(len(kept_apart)), kept_apart.classes]
    calibration = [scores[kept_apart.classes == at] if by_class else scores for at in range(len(classes))]
    return replace(found, calibration=calibration)


def _half(count: int, seed: int) -> Bool[np.ndarray, " N"]:
    """A random half, whatever the classes: one drawn by class knows more classes than a new sample can count on."""
    return np.random.default_rng(seed).permutation(count) < count // 2


def read_labels(path: Path) -> dict[str, str]:
    """Labels by id from a CSV file with the columns `id` (or `path`) and `label`; empty labels are left out.

    Raises:
        DataError: It cannot be read, has no such columns, or an id twice with different labels.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            key = "id" if "id" in names else "path"
            if key not in names or "label" not in names:
                raise DataError(f"{path} needs the columns id and label; it has: {', '.join(names) or 'none'}.")
            found: dict[str, str] = {}
            for row, entry in enumerate(reader, start=1):
                name, label = entry[key], entry["label"]
                if label and found.setdefault(name, label) != label:
                    raise DataError(f"{path}, row {row}: {name} is {label!r} here and {found[name]!r} above.")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    return found


def _labelled(samples: Embeddings, labels: dict[str, str]) -> tuple[Labelled, list[str]]:
    unknown = sorted(set(labels) - set(samples.ids))
    if unknown:
        more = ", ..." if len(unknown) > 3 else ""
        raise DataError(
            f"{len(unknown)} of {len(labels)} labelled ids are not among the embeddings: {', '.join(unknown[:3])}"
            f"{more}. The embeddings have ids such as {samples.ids[0]}."
        )
    classes = sorted(set(labels.values()))
    if len(classes) < 2:
        raise DataError(f"The labels name {len(classes)} classes ({', '.join(classes) or 'none'}); two are needed.")
    names = np.array([labels.get(name) for name in samples.ids], dtype=object)
    return with_labels(samples, names, classes), classes


@dataclass(frozen=True)
class Predictions:
    """The prediction sets of some samples.

    Attributes:
        table: One row a sample: id, labels (the set, most probable first), decided (the label where the set has one
            only, else null), best (the most probable label) and probability (of it, by the classifier, not calibrated).
        labelled: How many labels were learned from and calibrated with.
        path: The Parquet file.
    """

    table: pa.Table
    labelled: int
    path: Path

    @property
    def decided(self) -> int:
        """How many samples have a set of exactly one label."""
        return len(self.table) - self.table["decided"].null_count

    @property
    def mean_size(self) -> float:
        """Labels in a set, on average."""
        return float(np.mean([len(labels) for labels in self.table["labels"].to_pylist()]))


def predict_run(
    run: Run, labels: Path, of: str = "train", on: str | None = None, coverage: float = 0.9, by_class: bool = False
) -> Predictions:
    """Prediction sets for stored embeddings; see `vssl.api.probe`."""
    on = on or of
    known, samples = run.embeddings(of), run.embeddings(on)
    mine, other = ({**asdict(read_header(run, name).identity), **DATA_OF_AN_IDENTITY} for name in (of, on))
    if mine != other:
        raise RunError(f"The embeddings {of!r} and {on!r} are of different models or back ends: embed both again.")
    names = read_labels(labels)
    found = probe(known, names, coverage, by_class)
    if on == of:
        samples = samples.where(np.array([name not in names for name in samples.ids], dtype=bool))
    table = _table(found, samples)
    path = run.path / "predictions" / f"{on}.parquet"
    header = {"labels": str(labels), "of": of, "coverage": coverage, "by_class": by_class, "classes": found.classes}
    with atomic(path) as file:
        pq.write_table(table.replace_schema_metadata({"vssl": json.dumps(header)}), file)
    return Predictions(table, len(names), path)


def _table(found: Probe, samples: Embeddings) -> pa.Table:
    classes = np.array(found.classes, dtype=object)
    width = len(classes)
    sets = found.sets(samples) if len(samples) else np.zeros((0, width), bool)
    probability = found.probabilities(samples) if len(samples) else np.zeros((0, width))
    order = np.argsort(-probability, axis=1, kind="stable")
    lists = [[classes[at] for at in row if chosen[at]] for row, chosen in zip(order, sets, strict=True)]
    return pa.table(
        {
            "id": pa.array(samples.ids, pa.string()),
            "labels": pa.array(lists, pa.list_(pa.string())),
            "decided": pa.array([names[0] if len(names) == 1 else None for names in lists], pa.string()),
            "best": pa.array(classes[order[:, 0]], pa.string()),
            "probability": pa.array(probability.max(axis=1, initial=0.0)),
        }
    )
