"""What an evaluator is given: checked embeddings, and their labels, neighbours and scores, shared by all evaluators."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from vssl.errors import ConfigError, DataError, EmptyDataError
from vssl.evaluation.labels import Labelled, label_names, with_labels
from vssl.evaluation.metric import Skip
from vssl.evaluation.scoring import score_values
from vssl.scores.neighbours import Neighbours, Space, neighbours
from vssl.types import Embeddings

NEIGHBOURS = 20


@dataclass(frozen=True, eq=False)
class EvalData:
    """The embeddings to evaluate; all tables are checked, and sorted by id so that their given order has no effect.

    Attributes:
        query: The evaluated samples.
        reference: Where neighbours are searched and classifiers are trained; no sample of it is in the query. None:
            neighbours are searched in the query, where each sample leaves itself out by its id, and classifiers are
            trained on a split of the query.
        label: The metadata column that holds the labels, in query and reference. Null, NaN and "" are no label.
        outliers: A second data set, to be detected by the scores.
        second_view: The query's samples under a second augmentation (same ids).
        other_seed_run: The query's samples, embedded by a run that was trained with another seed (same ids).
        seed: Random seed of splits and subsamples.

    Raises:
        ConfigError: There is no such label column.
        DataError: Duplicate ids, features or ambiguities that are not finite, fewer than two samples, tables that do
            not fit each other, or samples that are in both query and reference.
    """

    query: Embeddings
    reference: Embeddings | None = None
    label: str | None = None
    outliers: Embeddings | None = None
    second_view: Embeddings | None = None
    other_seed_run: Embeddings | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("query", "reference", "outliers", "second_view", "other_seed_run"):
            if (samples := getattr(self, name)) is not None:
                object.__setattr__(self, name, _checked(samples, name))
        for name in ("reference", "outliers", "second_view"):
            _check_width(self.query, getattr(self, name), name)
        for name in ("second_view", "other_seed_run"):
            _check_ids(self.query, getattr(self, name), name)
        _check_disjoint(self.query, self.reference)
        if self.label is not None:
            _ = self._names

    @cached_property
    def _names(self) -> dict[str, np.ndarray]:
        assert self.label is not None
        tables = {"query": self.query, "reference": self.reference}
        return {where: label_names(t, self.label, where) for where, t in tables.items() if t is not None}

    @cached_property
    def missing_labels(self) -> int:
        """How many samples of query and reference have no label."""
        return sum(name is None for names in self._names.values() for name in names)

    @cached_property
    def label_problem(self) -> str | None:
        """Why the labels cannot be used; None if they can."""
        if self.label is None:
            return "no label column is named; pass --label NAME"
        for where, names in self._names.items():
            classes = Counter(name for name in names if name is not None)
            if len(classes) < 2:
                only = f"one class only ({next(iter(classes))!r})" if classes else "no label at all"
                return f"the label column {self.label!r} of the {where} holds {only}; at least two are needed"
        # The last table is the one that classifiers learn from.
        if len(classes) > max(2, classes.total() / 2):
            return f"{self.label!r} has {len(classes)} values for {classes.total()} samples: too many to be classes"
        return None

    @cached_property
    def labelled(self) -> Labelled:
        """The query's samples that have a label; classes are numbered alike in query and reference."""
        return self._labelled("query", self.query)

    @cached_property
    def examples(self) -> Labelled:
        """The labelled samples among which a classifier finds neighbours: the reference, or else the query."""
        return self.labelled if self.reference is None else self._labelled("reference", self.reference)

    def _labelled(self, where: str, samples: Embeddings) -> Labelled:
        if self.label is None:
            raise ConfigError("This evaluator needs labels: give EvalData the name of the label column.")
        if self.label_problem is not None:
            raise DataError(self.label_problem)
        vocabulary = sorted({name for names in self._names.values() for name in names if name is not None})
        return with_labels(samples, self._names[where], vocabulary)

    def knn_query(self, space: Space = "features", k: int = NEIGHBOURS) -> Neighbours:
        """The k nearest labelled query samples of each labelled query sample, which leaves itself out."""
        return self._nearest("query", space, k)

    def knn_reference(self, space: Space = "features", k: int = NEIGHBOURS) -> Neighbours:
        """The k nearest `examples` of each labelled query sample; features are whitened by the examples."""
        return self._nearest("query" if self.reference is None else "reference", space, k)

    def _nearest(self, where: Literal["query", "reference"], space: Space, k: int) -> Neighbours:
        key = (where, space, max(k, NEIGHBOURS))
        if key not in self._searches:
            samples, among = self.labelled.samples, (self.labelled if where == "query" else self.examples).samples
            self._searches[key] = neighbours(samples, among, key[2], exclude_same_id=where == "query", space=space)
        return self._searches[key].first(k)

    @cached_property
    def _searches(self) -> dict[tuple[str, Space, int], Neighbours]:
        return {}

    @cached_property
    def query_scores(self) -> dict[str, np.ndarray | Skip]:
        """The scores of the labelled query with itself as the bank; each sample is left out of its own bank."""
        samples = self.labelled.samples
        return dict(score_values(samples, samples, self.knn_query, held_out=False))

    @cached_property
    def reference_scores(self) -> dict[str, np.ndarray | Skip]:
        """The scores of the labelled query with the `examples` as the bank."""
        if self.reference is None:
            return self.query_scores
        return dict(score_values(self.labelled.samples, self.examples.samples, self.knn_reference, held_out=True))


def draw(samples: Embeddings, count: int, seed: int) -> np.ndarray:
    """Rows of `count` samples, or of all if there are fewer, in a seeded random order."""
    return np.random.default_rng(seed).permutation(len(samples))[:count]


def _checked(samples: Embeddings, where: str) -> Embeddings:
    where = where.replace("_", " ")
    if len(samples) < 2:
        kind = DataError if len(samples) else EmptyDataError
        raise kind(f"The {where} holds {len(samples)} embeddings; an evaluation needs at least two.")
    ids = samples.ids
    duplicates = [name for name, count in Counter(ids).items() if count > 1]
    if duplicates:
        raise DataError(
            f"The {where} has {len(duplicates)} ids more than once ({_first(duplicates)}); make the ids unique."
        )
    for column in ("features", "ambiguity"):
        if column in samples:
            broken = ~np.isfinite(samples.numpy(column).reshape(len(samples), -1)).all(axis=1)
            if broken.any():
                names = [ids[row] for row in broken.nonzero()[0]]
                raise DataError(
                    f"The {where} has {len(names)} rows whose {column} are not finite ({_first(names)}); "
                    "embed these samples again or leave them out."
                )
    return Embeddings(samples.table.sort_by("id"))


def _check_width(query: Embeddings, other: Embeddings | None, where: str) -> None:
    if other is not None and other.features.shape[1] != query.features.shape[1]:
        raise DataError(
            f"The query has {query.features.shape[1]} features and the {where} {other.features.shape[1]}; "
            "embed both with the same run."
        )


def _check_ids(query: Embeddings, other: Embeddings | None, where: str) -> None:
    if other is not None and other.ids != query.ids:
        names = sorted(set(query.ids) ^ set(other.ids))
        other_table = where.replace("_", " ")
        raise DataError(
            f"The query and the {other_table} do not hold the same ids ({_first(names)}); embed the same data."
        )


def _check_disjoint(query: Embeddings, reference: Embeddings | None) -> None:
    if reference is None:
        return
    row_of = {name: row for row, name in enumerate(reference.ids)}
    pairs = [(row, row_of[name]) for row, name in enumerate(query.ids) if name in row_of]
    if not pairs:
        return
    # Two folders may both hold a "0001.png"; only the same features under the same id are the same sample.
    rows, others = np.array(pairs).T
    same = np.isclose(query.features[rows], reference.features[others], rtol=1e-3, atol=1e-6).all(axis=1)
    if same.any():
        names = [query.ids[row] for row in rows[same]]
        raise DataError(
            f"{len(names)} samples are in both query and reference ({_first(names)}); leave them out of one."
        )


def _first(names: list[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
