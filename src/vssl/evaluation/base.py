"""What a judge is given: checked embeddings, their labels and neighbours, shared by all judges."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vssl.errors import ConfigError, DataError, EmptyDataError
from vssl.evaluation.labels import Labelled, label_names, with_labels
from vssl.scores.neighbours import Neighbours, neighbours
from vssl.types import Embeddings

NEIGHBOURS = 20


@dataclass(frozen=True)
class Skip:
    """Yielded in the place of a value that cannot be had, with the reason in words."""

    reason: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the judges may look at; all tables are checked, and ordered by id so that the given order never counts.

    Attributes:
        query: The judged samples.
        reference: Neighbours and training samples, none of which is in the query. None: neighbours are found within
            the query, each sample leaving itself out by its id, and what must be trained gets a split of the query.
        label: The metadata column that holds the labels, in query and reference. Null, NaN and "" are no label.
        outliers: A second data set, which the scores should tell from the query.
        second_view: The query's samples under a second augmentation (same ids).
        twin: The query's samples by an encoder trained with another seed (same ids).
        seed: Decides the splits and draws.

    Raises:
        ConfigError: There is no such label column.
        DataError: Duplicate ids, features or ambiguities that are not finite, fewer than two samples, tables that do
            not fit each other, or samples that stand in both query and reference.
    """

    query: Embeddings
    reference: Embeddings | None = None
    label: str | None = None
    outliers: Embeddings | None = None
    second_view: Embeddings | None = None
    twin: Embeddings | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("query", "reference", "outliers", "second_view", "twin"):
            if (samples := getattr(self, name)) is not None:
                object.__setattr__(self, name, _checked(samples, name))
        for name in ("reference", "outliers", "second_view"):
            _check_width(self.query, getattr(self, name), name)
        for name in ("second_view", "twin"):
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
        """Why the labels cannot be used, in words; None if they can."""
        if self.label is None:
            return "no label column; pass --label NAME"
        for where, names in self._names.items():
            classes = Counter(name for name in names if name is not None)
            if len(classes) < 2:
                only = f"one class only ({next(iter(classes))!r})" if classes else "no label at all"
                return f"the label column {self.label!r} of the {where} holds {only}; two classes are needed"
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
            raise ConfigError("This judge needs labels: give Evidence the name of the label column.")
        if self.label_problem is not None:
            raise DataError(self.label_problem)
        vocabulary = sorted({name for names in self._names.values() for name in names if name is not None})
        return with_labels(samples, self._names[where], vocabulary)

    @cached_property
    def near_within(self) -> Neighbours:
        """The 20 nearest labelled query samples of each labelled query sample, itself left out."""
        samples = self.labelled.samples
        return neighbours(samples, samples, NEIGHBOURS, exclude_same_id=True)

    @cached_property
    def latent_near_within(self) -> Neighbours | None:
        """The nearest of `near_within` in the latent space, by the means; None if the embeddings have none."""
        samples = self.labelled.samples
        return neighbours(samples, samples, 1, exclude_same_id=True, space="mean") if "mean" in samples else None

    @cached_property
    def latent_near_examples(self) -> Neighbours | None:
        """The nearest of `near_examples` in the latent space, by the means; None if the embeddings have none."""
        samples, examples = self.labelled.samples, self.examples.samples
        if self.reference is None or "mean" not in samples or "mean" not in examples:
            return self.latent_near_within if self.reference is None else None
        return neighbours(samples, examples, 1, exclude_same_id=False, space="mean")

    @cached_property
    def whitened_near_within(self) -> Neighbours:
        """As `near_within`, of features whitened by the labelled query."""
        samples = self.labelled.samples
        return neighbours(samples, samples, NEIGHBOURS, exclude_same_id=True, space="whitened")

    @cached_property
    def whitened_near_examples(self) -> Neighbours:
        """As `near_examples`, of features whitened by the examples."""
        if self.reference is None:
            return self.whitened_near_within
        samples, examples = self.labelled.samples, self.examples.samples
        return neighbours(samples, examples, NEIGHBOURS, exclude_same_id=False, space="whitened")

    @cached_property
    def near_examples(self) -> Neighbours:
        """The 20 nearest examples of each labelled query sample."""
        if self.reference is None:
            return self.near_within
        return neighbours(self.labelled.samples, self.examples.samples, NEIGHBOURS, exclude_same_id=False)


def draw(samples: Embeddings, count: int, seed: int) -> np.ndarray:
    """Rows of `count` samples (or all there are) in a seeded random order."""
    return np.random.default_rng(seed).permutation(len(samples))[:count]


def _checked(samples: Embeddings, where: str) -> Embeddings:
    if len(samples) < 2:
        kind = DataError if len(samples) else EmptyDataError
        raise kind(f"The {where} holds {len(samples)} embeddings; judging needs at least two.")
    ids = samples.ids
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError(f"The {where} has {len(twice)} ids more than once ({_first(twice)}); make the ids unique.")
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
        raise DataError(f"The query and the {where} do not hold the same ids ({_first(names)}); embed the same data.")


def _check_disjoint(query: Embeddings, reference: Embeddings | None) -> None:
    if reference is None:
        return
    place = {name: row for row, name in enumerate(reference.ids)}
    pairs = [(row, place[name]) for row, name in enumerate(query.ids) if name in place]
    if not pairs:
        return
    # Two folders may both hold a "0001.png"; only the same features under the same id are the same sample.
    rows, others = np.array(pairs).T
    same = np.isclose(query.features[rows], reference.features[others], rtol=1e-3, atol=1e-6).all(axis=1)
    if same.any():
        names = [query.ids[row] for row in rows[same]]
        raise DataError(
            f"{len(names)} samples stand in both query and reference ({_first(names)}); leave them out of one."
        )


def _first(names: list[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
