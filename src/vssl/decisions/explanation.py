"""Why samples were not accepted: what would have to change for it.

Where a sample consists of parts that can be thought away (a channel and a span of time, the events of a kind), each is
left out in turn. Otherwise, where there are places, the oddest of them are exchanged for those of the nearest known
sample, and the fields of the raw_descriptor with them. Both ask the score itself, so they hold for any score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Int

from vssl.embedding import embed_raw
from vssl.modalities.base import Modality
from vssl.scores import patches
from vssl.scores.base import Score
from vssl.scores.neighbours import neighbours
from vssl.training.model import Model
from vssl.types import Embeddings, to_arrow

MOST = 256
"""So many samples are explained, those with the highest scores first: each takes several scores."""

NAMED = 3
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


@dataclass(frozen=True)
class Judge:
    """How a sample is judged.

    Attributes:
        model: Embeds it.
        pairs: How many pairs of views the score compares.
        score: Scores it; its bank is `bank`.
        bank: The known samples.
    """

    model: Model
    pairs: int
    score: Score
    bank: Embeddings


def explain(
    judge: Judge, samples: Embeddings, scores: Float[np.ndarray, " N"], limits: Float[np.ndarray, " N"], source: str
) -> list[str | None]:
    """A sentence for each sample whose score is above its limit, and None for the others and where nothing is known.

    Args:
        scores: Of the samples; higher is worse.
        limits: Up to which score each would be accepted.
        source: Where their raw data lie.
    """
    odd = np.flatnonzero(scores > limits)
    odd = odd[np.argsort(-scores[odd], kind="stable")][:MOST]
    found: list[str | None] = [None] * len(samples)
    if not len(odd):
        return found
    chosen = samples.take(odd)
    if type(judge.model.modality).parts is not Modality.parts:
        sentences = _by_parts(judge, chosen, scores[odd], limits[odd], source)
    elif "patch_features" in samples and "patch_features" in judge.bank:
        sentences = _by_places(judge, chosen, limits[odd])
    else:
        return found
    for row, sentence in zip(odd, sentences, strict=True):
        found[row] = sentence
    return found


def _by_places(judge: Judge, samples: Embeddings, limits: np.ndarray) -> list[str | None]:
    """How many of the oddest places have to look like the nearest known sample's, in steps of twice as many."""
    heat = patches.anomaly_map(patches.Config(), judge.bank)(samples)
    grid = heat.shape[1:]
    order = np.argsort(-heat.reshape(len(samples), -1), axis=1, kind="stable")
    near = neighbours(samples, judge.bank, 1, exclude_same_id=False).rows[:, 0].numpy()
    known = judge.bank.take(near)
    total = order.shape[1]
    needed = np.zeros(len(samples), dtype=int)
    count = 1
    while count <= total and not needed.all():
        exchanged = _exchange(samples, order[:, :count], known)
        needed[(needed == 0) & (judge.score(exchanged) <= limits)] = count
        count *= 2
    return [_of_places(number, grid, rows) for number, rows in zip(needed, order, strict=True)]


def _exchange(samples: Embeddings, rows: Int[np.ndarray, "N k"], known: Embeddings) -> Embeddings:
    """The samples as they would be if some of their places looked like those of the known ones beside them."""
    table, each = samples.table, np.arange(len(samples))[:, None]
    original = samples.numpy("patch_features")
    places = original.reshape(len(samples), -1, original.shape[-1]).copy()
    places[each, rows] = known.numpy("patch_features").reshape(places.shape)[each, rows]
    found = {"patch_features": places.reshape(original.shape)}
    if "raw_descriptor" in samples and "raw_descriptor" in known:
        raw_descriptor, other = samples.numpy("raw_descriptor").copy(), known.numpy("raw_descriptor")
        total = places.shape[1]
        for first in range(
            0, raw_descriptor.shape[1] - total + 1, total
        ):  # behind the fields stands what is of the whole
            raw_descriptor[each, first + rows] = other[each, first + rows]
        found["raw_descriptor"] = raw_descriptor
    for name, values in found.items():
        table = table.set_column(table.column_names.index(name), name, to_arrow(values))
    return Embeddings(table)


def _of_places(needed: int, grid: tuple[int, int], order: np.ndarray) -> str:
    if not needed:
        return "Unlike the known samples as a whole: it would not be accepted whichever part of it looked like them."
    where, those = ("", "that") if needed == 1 else ("mostly ", "those")
    where = f", {where}{_where(order[:needed], grid)}," if min(grid) >= len(ROWS) else ""
    total = math.prod(grid)
    return (
        f"It would be accepted if {needed} of its {total} places{where} looked like {those} of the nearest known one."
    )


def _where(cells: np.ndarray, grid: tuple[int, int]) -> str:
    """The third of the picture, in either direction, that most of the cells are in."""
    thirds = np.stack(np.unravel_index(cells, grid)) * 3 // np.array(grid)[:, None]
    row, column = np.unravel_index(np.bincount(thirds[0] * 3 + thirds[1], minlength=9).argmax(), (3, 3))
    return f"at the {ROWS[row]} {COLUMNS[column]}" if row != 1 or column != 1 else "in the centre"


def _by_parts(
    judge: Judge, samples: Embeddings, scores: np.ndarray, limits: np.ndarray, source: str
) -> list[str | None]:
    """The parts without which the score falls most."""
    rows = {name: row for row, name in enumerate(samples.ids)}
    found: list[str | None] = [None] * len(rows)
    for name, raw, metadata in judge.model.modality.find(source, rows):
        parts = judge.model.modality.parts(raw, metadata)
        if parts:
            without = _scores(judge, torch.stack([part.without for part in parts]))
            names = [part.name for part in parts]
            found[rows[name]] = _of_parts(names, without, scores[rows[name]], limits[rows[name]])
    return found


def _scores(judge: Judge, raw: torch.Tensor) -> Float[np.ndarray, " N"]:
    columns = embed_raw(judge.model, raw, judge.pairs)
    ids = {"id": pa.array([str(row) for row in range(len(raw))])}
    return judge.score(Embeddings(pa.table(ids | {name: to_arrow(values) for name, values in columns.items()})))


def _of_parts(names: list[str], without: np.ndarray, score: float, limit: float) -> str:
    order = np.argsort(without, kind="stable")
    fallen = [row for row in order if without[row] < score][:NAMED]
    if not fallen:
        return "Unlike the known samples as a whole: no single part of it carries the score."
    enough = [names[row] for row in fallen if without[row] <= limit]
    if enough:
        return f"It would be accepted without {_or(enough)}."
    return f"Most of the score comes from {'; '.join(names[row] for row in fallen)}; none of them is enough alone."


def _or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{'; '.join(names[:-1])}; or {names[-1]}"
