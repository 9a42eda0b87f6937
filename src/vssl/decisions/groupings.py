"""Dependence within groups: are the scores of samples of one part, place or lot more alike than those of others?

Each metadata column with many values is tested, and so are the folder and the first part of the file name. The
intraclass correlation is the estimator of a one-way analysis of variance (Donner and Koval 1980, Biometrics 36) of the
normal quantiles of the ranks, so that a few extreme scores do not decide. Its significance is that of a permutation
test, which assumes no distribution.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from vssl.types import Embeddings

LEVEL = 0.01
"""Probability that any grouping is named although the scores of its groups are independent."""
MIN_CORRELATION = 0.02
"""A weaker correlation changes hardly anything, however significant it is."""
NAME_PREFIX = re.compile(r"(?P<prefix>.*\d.*?)[_@ -](?:[A-Za-z]*\d+)")
"""The name of a file that ends in a number of its own: part-0017_exp2 is of part-0017."""


@dataclass(frozen=True)
class Grouping:
    """A way of grouping samples by which their scores depend on each other.

    Attributes:
        name: Name of the column, or what is shared.
        advice: How to calibrate with these groups as blocks.
        correlation: Intraclass correlation, in 0..1.
        samples: Number of samples, each counted once with its copies.
        groups: Number of groups.
        effective: Number of independent samples that estimate a mean equally well.
    """

    name: str
    advice: str
    correlation: float
    samples: int
    groups: int
    effective: int


def dependent_groupings(
    samples: Embeddings, scores: Float[np.ndarray, " N"], units: Int[np.ndarray, " N"], least: int
) -> list[Grouping]:
    """The groupings with a significant intraclass correlation, the strongest first.

    Args:
        scores: Score of each sample.
        units: As in `CalibrationSet`: copies share a number, and one of them is taken.
        least: Smallest number of groups; where there are few, later samples belong to the same ones.
    """
    first = np.unique(units, return_index=True)[1]
    candidates = [
        (name, advice, groups)
        for name, advice, values in _groupings(samples)
        for groups in [np.unique(values[first], return_inverse=True)[1]]
        if least <= groups.max(initial=-1) + 1 < len(first)
    ]
    found = []
    for name, advice, groups in candidates:
        # Bonferroni over the groupings, however many columns the list has.
        correlation, p_value = intraclass_correlation(scores[first], groups, LEVEL / len(candidates))
        if p_value <= LEVEL / len(candidates) and correlation >= MIN_CORRELATION:
            sizes = np.bincount(groups)
            effective = max(len(sizes), round(effective_size(sizes, correlation)))
            found.append(Grouping(name, advice, correlation, len(first), len(sizes), min(effective, len(first))))
    return sorted(found, key=lambda each: -each.correlation)


def _groupings(samples: Embeddings) -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, advice and the value of each sample, of every column and of what file names say."""
    known = []
    for column in samples.table.column_names:
        if column not in Embeddings.COLUMNS and not samples.table[column].null_count:
            values = np.array([str(value) for value in samples.table[column].to_pylist()])
            known.append(_partition(values))
            yield column, f"calibrate with --block {column}", values
    paths = [PurePosixPath(name) for name in samples.ids]
    matches = [NAME_PREFIX.fullmatch(path.stem) for path in paths]
    named = {"folder": [str(path.parent) for path in paths]}
    if all(matches):
        named["start of the file name"] = [
            f"{path.parent}/{m['prefix']}" for path, m in zip(paths, matches, strict=True) if m
        ]
    for name, texts in named.items():
        values = np.array(texts)
        if _partition(values) not in known:
            yield name, f"give a list with it as a column, and calibrate with --block COLUMN ({texts[0]}, ...)", values


def _partition(values: np.ndarray) -> bytes:
    """The same for columns that group alike, whatever they call the groups."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return first[inverse].tobytes()


def intraclass_correlation(
    scores: Float[np.ndarray, " N"], groups: Int[np.ndarray, " N"], level: float
) -> tuple[float, float]:
    """The intraclass correlation of the scores' normal quantiles, and its permutation p-value.

    Args:
        groups: Number of the group of each sample, from 0.
        level: Level that the p-value is compared with; there are enough permutations to fall below it.
    """
    count = len(scores)
    values = stats.norm.ppf((stats.rankdata(scores) - 0.5) / count)
    values -= values.mean()
    sizes = np.bincount(groups)
    total = float(values @ values)
    if total == 0:
        return 0.0, 1.0
    between = float((np.bincount(groups, values) ** 2 / sizes).sum())
    rng, permutations = np.random.default_rng(0), int(np.ceil(4 / level))
    # The correlation grows with the sum of squares between groups, so that sum is what is permuted.
    larger = 0
    for _ in range(permutations):
        larger += bool((np.bincount(groups, rng.permutation(values)) ** 2 / sizes).sum() >= between * (1 - 1e-12))
        if larger > level * (permutations + 1):
            break
    mean_between = between / (len(sizes) - 1)
    mean_within = (total - between) / (count - len(sizes))
    typical = (count - (sizes**2).sum() / count) / (len(sizes) - 1)
    correlation = (mean_between - mean_within) / (mean_between + (typical - 1) * mean_within)
    return float(np.clip(correlation, 0, 1)), (1 + larger) / (1 + permutations)


def effective_size(sizes: Int[np.ndarray, " K"], correlation: float) -> float:
    """Number of independent samples that are worth as much as groups of these sizes (Kish's design effect)."""
    return float((sizes / (1 + (sizes - 1) * correlation)).sum())
