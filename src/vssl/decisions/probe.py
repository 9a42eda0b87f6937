"""Prediction sets from few labels: the classes that a sample may have, at a stated coverage.

A linear classifier is fitted to half of the labels; the other half calibrates it. A class is in the set of a sample if
its conformal p-value is above 1 - coverage (Vovk et al. 2005; Sadinle et al. 2019, arXiv 1609.00451, with the score
1 - probability). So the set contains the true class with the stated coverage, on average over calibrations, however
accurate the classifier is: a less accurate one gives larger sets. By class (Mondrian), the coverage holds per class.
"""

import csv
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float
from sklearn.pipeline import Pipeline

from vssl.decisions.core import conformal_p_values
from vssl.embedding import read_header
from vssl.errors import ConfigError, DataError, NotEnoughDataError, RunError
from vssl.evaluation import linear
from vssl.evaluation.labels import Labelled, stratified, with_labels
from vssl.files import atomic
from vssl.run import Run
from vssl.types import Embeddings

DATA_FIELDS: dict[str, str | int] = {"source": "", "fingerprint": "", "metadata": "", "pairs": 0}
"""The fields of an identity in which two tables of one model may differ: the data, and the view pairs compared."""


@dataclass(frozen=True)
class Probe:
    """A classifier with its conformal calibration.

    Attributes:
        classes: K names, in the order of the sets' columns.
        coverage: Share of samples whose set contains their class, 0..1.
        by_class: Whether the coverage holds for each class.
        classifier: Maps features to probabilities.
        calibration: Calibration scores (1 - probability of the true class) by class.
    """

    classes: list[str]
    coverage: float
    by_class: bool
    classifier: Pipeline
    calibration: list[np.ndarray]

    def probabilities(self, samples: Embeddings) -> Float[np.ndarray, "N K"]:
        """Uncalibrated probability of each class; 0 for a class that the classifier was not fitted to."""
        probabilities = np.zeros((len(samples), len(self.classes)))
        probabilities[:, self.classifier.classes_] = self.classifier.predict_proba(samples.features.astype(np.float32))
        return probabilities

    def sets(self, samples: Embeddings) -> Bool[np.ndarray, "N K"]:
        """Which classes each sample may have; an empty set means that it looks like none of them."""
        score = 1 - self.probabilities(samples)
        p_values = [conformal_p_values(scores, score[:, column]) for column, scores in enumerate(self.calibration)]
        # A p-value of exactly 1 - coverage stays out, and rounding must not let it in.
        return np.stack(p_values, axis=1) > (1 - self.coverage) * (1 + 1e-12)


def probe(
    samples: Embeddings, labels: dict[str, str], coverage: float = 0.9, by_class: bool = False, seed: int = 0
) -> Probe:
    """Fit to half of the labels, calibrate on the other half.

    Args:
        samples: Embeddings, the labelled ones among them.
        labels: Label by id.

    Raises:
        DataError: An id is not among the samples, or there are fewer than two classes to fit to.
        NotEnoughDataError: Too few labels for the coverage, overall or of a class.
        ConfigError: The coverage is not between 0 and 1.
    """
    if not 0 < coverage < 1:
        raise ConfigError(f"coverage is {coverage:g}; it must be a share between 0 and 1, such as 0.9.")
    labelled, classes = _labelled(samples, labels)
    fitted = stratified(labelled.classes, 0.5, seed, leave=1) if by_class else _half(len(labelled), seed)
    calibration = labelled.take((~fitted).nonzero()[0])
    needed = int(np.ceil(1 / (1 - coverage) * (1 - 1e-12))) - 1
    counts = np.bincount(calibration.classes, minlength=len(classes))
    for name, count in zip(classes, counts, strict=True) if by_class else [("", len(calibration))]:
        if count < needed:
            what = f" of the class {name!r}" if by_class else ""
            raise NotEnoughDataError(2 * int(count), 2 * needed, f"a coverage of {coverage:g}{what} (labels)")
    training = labelled.take(fitted.nonzero()[0])
    if len(set(training.classes)) < 2:
        raise DataError(
            "The half of the labels that the classifier is fitted to has only one class. Label more samples."
        )
    fitted_probe = Probe(classes, coverage, by_class, linear.fit(training, seed), [])
    # A class that is not in the training half has probability 0: the coverage includes such samples.
    scores = 1 - fitted_probe.probabilities(calibration.samples)[np.arange(len(calibration)), calibration.classes]
    by_column = [scores[calibration.classes == column] if by_class else scores for column in range(len(classes))]
    return replace(fitted_probe, calibration=by_column)


def _half(count: int, seed: int) -> Bool[np.ndarray, " N"]:
    """A random half, not stratified: a stratified one covers rare classes better than exchangeability allows."""
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
            labels: dict[str, str] = {}
            for row, entry in enumerate(reader, start=1):
                name, label = entry[key], entry["label"]
                if label and labels.setdefault(name, label) != label:
                    raise DataError(f"{path}, row {row}: {name} is {label!r} here and {labels[name]!r} above.")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    return labels


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
        table: One row per sample: id, labels (the set, most probable first), decided (the label of a set of one, else
            null), best (the most probable label) and probability (its uncalibrated probability).
        labelled: Number of labels used to fit and to calibrate.
        path: The Parquet file.
    """

    table: pa.Table
    labelled: int
    path: Path

    @property
    def decided(self) -> int:
        """Number of samples whose set has exactly one label."""
        return len(self.table) - int(self.table["decided"].null_count)

    @property
    def mean_size(self) -> float:
        """Mean number of labels per set."""
        return float(np.mean([len(labels) for labels in self.table["labels"].to_pylist()]))


def predict_run(
    run: Run,
    labels: Path,
    labels_for: str = "train",
    table: str | None = None,
    coverage: float = 0.9,
    by_class: bool = False,
) -> Predictions:
    """Prediction sets for stored embeddings; see `vssl.api.probe`."""
    table = table or labels_for
    labelled, samples = run.embeddings(labels_for), run.embeddings(table)
    first, second = ({**asdict(read_header(run, name).identity), **DATA_FIELDS} for name in (labels_for, table))
    if first != second:
        raise RunError(
            f"The embeddings {labels_for!r} and {table!r} are of different models or back ends: embed both again."
        )
    by_id = read_labels(labels)
    fitted = probe(labelled, by_id, coverage, by_class)
    if table == labels_for:
        samples = samples.where(np.array([name not in by_id for name in samples.ids], dtype=bool))
    sets = _table(fitted, samples)
    path = run.path / "predictions" / f"{table}.parquet"
    header = {"labels": str(labels), "labels_for": labels_for, "coverage": coverage, "by_class": by_class}
    with atomic(path) as file:
        pq.write_table(sets.replace_schema_metadata({"vssl": json.dumps(header | {"classes": fitted.classes})}), file)
    return Predictions(sets, len(by_id), path)


def _table(fitted: Probe, samples: Embeddings) -> pa.Table:
    classes = np.array(fitted.classes, dtype=object)
    width = len(classes)
    sets = fitted.sets(samples) if len(samples) else np.zeros((0, width), bool)
    probability = fitted.probabilities(samples) if len(samples) else np.zeros((0, width))
    order = np.argsort(-probability, axis=1, kind="stable")
    lists = [[classes[column] for column in row if chosen[column]] for row, chosen in zip(order, sets, strict=True)]
    return pa.table(
        {
            "id": pa.array(samples.ids, pa.string()),
            "labels": pa.array(lists, pa.list_(pa.string())),
            "decided": pa.array([names[0] if len(names) == 1 else None for names in lists], pa.string()),
            "best": pa.array(classes[order[:, 0]], pa.string()),
            "probability": pa.array(probability.max(axis=1, initial=0.0)),
        }
    )
