"""Explanations of decisions: what would have to change for a sample to be accepted.

Where the modality gives ablations (the sample without a channel and a span of time, without the events of a kind), each
of them is scored. Otherwise, where there are patches, the most unusual ones are replaced by those of the nearest
reference sample, and the fields of the raw descriptor with them. Both ask the score itself, so they hold for any score.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Int8

from vssl.embedding import embed_raw
from vssl.scores import patch_memory, patches
from vssl.scores.base import Score
from vssl.scores.neighbours import neighbours
from vssl.training.model import Model
from vssl.types import Embeddings, to_arrow

MAX_EXPLAINED = 256
"""Most samples that are explained, those with the highest scores first: each takes several scores."""

NAMED = 3
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


@dataclass(frozen=True)
class ScoringContext:
    """All that is needed to score a sample.

    Attributes:
        model: Embeds the sample.
        pairs: Number of view pairs that the score compares.
        score: The score, higher is worse; its reference set is `bank`.
        bank: The reference set.
    """

    model: Model
    pairs: int
    score: Score
    bank: Embeddings


def explain(
    context: ScoringContext,
    samples: Embeddings,
    scores: Float[np.ndarray, " N"],
    limits: Float[np.ndarray, " N"],
    source: str,
) -> list[str | None]:
    """A sentence for each sample whose score is above its limit; None for the others, and where nothing explains.

    Args:
        scores: Scores of the samples; higher is worse.
        limits: Largest score with which each sample would be accepted.
        source: Source of their raw data.
    """
    rows = np.flatnonzero(scores > limits)
    rows = rows[np.argsort(-scores[rows], kind="stable")][:MAX_EXPLAINED]
    explanations: list[str | None] = [None] * len(samples)
    if not len(rows):
        return explanations
    chosen = samples.take(rows)
    if context.model.modality.explained_by_ablations:
        sentences = _by_ablations(context, chosen, scores[rows], limits[rows], source)
    elif "patch_features" in samples and "patch_features" in context.bank:
        sentences = _by_patches(context, chosen, limits[rows])
    else:
        return explanations
    for row, sentence in zip(rows, sentences, strict=True):
        explanations[row] = sentence
    return explanations


def _by_patches(context: ScoringContext, samples: Embeddings, limits: np.ndarray) -> list[str | None]:
    """How many of the most unusual patches have to look like the nearest reference sample's, in powers of two."""
    heat = patches.anomaly_map(patches.Config(), context.bank)(samples)
    grid = heat.shape[1:]
    order = np.argsort(-heat.reshape(len(samples), -1), axis=1, kind="stable")
    nearest = context.bank.take(neighbours(samples, context.bank, 1, exclude_same_id=False).rows[:, 0].numpy())
    total = order.shape[1]
    needed = np.zeros(len(samples), dtype=int)
    count = 1
    known = patch_memory.known_vectors(context.bank)[0][0] if "patch_memory" in context.bank else None
    while count <= total and not needed.all():
        replaced = _replace_patches(samples, order[:, :count], nearest, known)
        needed[(needed == 0) & (context.score(replaced) <= limits)] = count
        count *= 2
    return [_patch_sentence(number, own, grid) for number, own in zip(needed, order, strict=True)]


def _replace_patches(
    samples: Embeddings, rows: Int[np.ndarray, "N k"], nearest: Embeddings, known: Int8[np.ndarray, " d"] | None
) -> Embeddings:
    """The samples with some of their patches taken from the nearest reference sample of each.

    Args:
        known: A patch of the memory, which is at no distance: the reference keeps no other dense patches.
    """
    table, each = samples.table, np.arange(len(samples))[:, None]
    original = samples.numpy("patch_features")
    features = original.reshape(len(samples), -1, original.shape[-1]).copy()
    features[each, rows] = nearest.numpy("patch_features").reshape(features.shape)[each, rows]
    columns = {"patch_features": features.reshape(original.shape)}
    if "raw_descriptor" in samples and "raw_descriptor" in nearest:
        fields, other = samples.numpy("raw_descriptor").copy(), nearest.numpy("raw_descriptor")
        total = features.shape[1]
        # Behind the fields of each patch there are values of the whole sample, which stay.
        for first in range(0, fields.shape[1] - total + 1, total):
            fields[each, first + rows] = other[each, first + rows]
        columns["raw_descriptor"] = fields
    columns |= _replace_dense_patches(samples, rows, nearest, known, original.shape[1:3])
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, to_arrow(values))
    return Embeddings(table)


def _replace_dense_patches(
    samples: Embeddings,
    rows: Int[np.ndarray, "N k"],
    nearest: Embeddings,
    known: Int8[np.ndarray, " d"] | None,
    grid: tuple[int, int],
) -> dict[str, np.ndarray]:
    """The columns at the resolution of the feature maps, with the same parts of the samples replaced."""
    chosen = np.zeros((len(samples), grid[0] * grid[1]), dtype=bool)
    np.put_along_axis(chosen, rows, True, axis=1)
    by: dict[str, np.ndarray] = {}
    if "dense_patches" in samples and known is not None:
        by["dense_patches"] = known
    if "discriminator_logits" in samples and "discriminator_logits" in nearest:
        by["discriminator_logits"] = nearest.numpy("discriminator_logits")
    replaced = {}
    for name, values in by.items():
        own = samples.numpy(name)
        height, width = own.shape[1:3]
        cells = np.ix_(np.arange(height) * grid[0] // height, np.arange(width) * grid[1] // width)
        mask = chosen.reshape(-1, *grid)[:, *cells]
        replaced[name] = np.where(mask if own.ndim == 3 else mask[..., None], values, own)
    return replaced


def _patch_sentence(needed: int, order: np.ndarray, grid: tuple[int, int]) -> str:
    if not needed:
        return (
            "Unlike the reference samples as a whole: it would not be accepted whichever of its patches looked like "
            "theirs."
        )
    where, those = ("", "that") if needed == 1 else ("mostly ", "those")
    where = f", {where}{_location(order[:needed], grid)}," if min(grid) >= len(ROWS) else ""
    return (
        f"It would be accepted if {needed} of its {len(order)} patches{where} looked like {those} of the nearest "
        "reference sample."
    )


def _location(cells: np.ndarray, grid: tuple[int, int]) -> str:
    """The third of the picture, in either direction, that most of the cells are in."""
    thirds = np.stack(np.unravel_index(cells, grid)) * 3 // np.array(grid)[:, None]
    row, column = np.unravel_index(np.bincount(thirds[0] * 3 + thirds[1], minlength=9).argmax(), (3, 3))
    return f"at the {ROWS[row]} {COLUMNS[column]}" if row != 1 or column != 1 else "in the centre"


def _by_ablations(
    context: ScoringContext, samples: Embeddings, scores: np.ndarray, limits: np.ndarray, source: str
) -> list[str | None]:
    """The parts without which the score falls most."""
    rows = {name: row for row, name in enumerate(samples.ids)}
    explanations: list[str | None] = [None] * len(rows)
    for name, raw, metadata in context.model.modality.find(source, rows):
        ablations = context.model.modality.ablations(raw, metadata)
        if ablations:
            ablated = _scores(context, torch.stack([one.ablated for one in ablations]))
            names, row = [one.name for one in ablations], rows[name]
            explanations[row] = _ablation_sentence(names, ablated, scores[row], limits[row])
    return explanations


def _scores(context: ScoringContext, raw: torch.Tensor) -> Float[np.ndarray, " N"]:
    columns = embed_raw(context.model, raw, context.pairs)
    return context.score(Embeddings.from_columns([str(row) for row in range(len(raw))], columns))


def _ablation_sentence(names: list[str], ablated: np.ndarray, score: float, limit: float) -> str:
    order = np.argsort(ablated, kind="stable")
    lower = [row for row in order if ablated[row] < score][:NAMED]
    if not lower:
        return "Unlike the reference samples as a whole: no single part of it carries the score."
    enough = [names[row] for row in lower if ablated[row] <= limit]
    if enough:
        return f"It would be accepted without {_or(enough)}."
    return f"Most of the score comes from {'; '.join(names[row] for row in lower)}; none of them is enough alone."


def _or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{'; '.join(names[:-1])}; or {names[-1]}"
