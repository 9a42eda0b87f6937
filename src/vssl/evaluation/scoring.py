"""Computes all scores of `vssl.scores` for an evaluation, with one neighbour search for those that allow it."""

from collections.abc import Iterator

import numpy as np

from vssl import scores
from vssl.errors import DataError
from vssl.evaluation.metric import Skip
from vssl.scores.base import ScoreConfig
from vssl.scores.neighbours import NeighbourSearch
from vssl.types import Embeddings


def available(*samples: Embeddings, bank: Embeddings) -> dict[str, ScoreConfig]:
    """The evaluated scores, by name, for which all samples, and the bank where it is used, have the columns."""
    return {
        name: config
        for name, config in scores.evaluated().items()
        if all(
            column in table
            for table in ((*samples, bank) if config.uses_bank else samples)
            for column in config.columns
        )
    }


def score_values(
    samples: Embeddings, bank: Embeddings, search: NeighbourSearch, held_out: bool
) -> Iterator[tuple[str, np.ndarray | Skip]]:
    """Yield the name and the values [N] of each score that the columns of samples and bank allow.

    Args:
        search: Finds neighbours of the samples in the bank, without the sample itself.
        held_out: Whether no sample is in the bank. If some are, scores that are fitted to the bank as a whole are left
            out, because a sample would help to score itself.
    """
    for name, config in available(samples, bank=bank).items():
        try:
            score = scores.fit(config, bank if config.uses_bank else samples)
        except DataError as error:
            yield name, Skip(str(error))
            continue
        if score.from_neighbours is not None:
            yield name, score.from_neighbours(samples, search)
        elif held_out or not config.uses_bank:
            yield name, score(samples)
