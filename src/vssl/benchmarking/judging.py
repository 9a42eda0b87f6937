"""All figures of one trained model: on the test set, on corrupted samples, on another data set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import torch
from rich.console import Console
from sklearn.metrics import roc_auc_score

from vssl.benchmarking.finetune import finetuned
from vssl.benchmarking.sources import Sources
from vssl.decisions.episodes import SPAN
from vssl.embedding import embed, embed_view
from vssl.errors import DataError
from vssl.evaluation import Evidence, judge
from vssl.modalities.base import CORRUPTION_LEVELS, Chunk
from vssl.scores import Score, knn, mahalanobis
from vssl.training.model import Model
from vssl.types import Embeddings, View, to_arrow

JUDGES = ("knn", "linear", "retrieval", "selective", "rank")
TRANSFER = ("knn", "linear")
# How many samples are corrupted, and how many known ones their distances are measured to.
CORRUPTED, KNOWN = 1_000, 10_000
# How many pairs of views are compared for the disagreement and the ELBO gap.
PAIRS = 2


def judged(model: Model, sources: Sources, seed: int, terminal: Console | None) -> dict[str, float]:
    """All figures by name; those that need labels are missing where there are none."""
    place = sources.test or sources.train
    test = embed(model, place, "train" if sources.test is None else "test", terminal, pairs=PAIRS)
    train = test if sources.test is None else embed(model, sources.train, "train", terminal)
    reference = None if sources.test is None else train
    label = sources.label if all(sources.label in part for part in (test, train)) else None
    evidence = Evidence(test, reference, label, seed=seed)
    values = dict(judge(evidence, JUDGES).values)
    if evidence.label_problem is None:
        classes = evidence.labelled.classes
        values["labels/largest_class"] = float(np.bincount(classes).max() / len(classes))
        values |= finetuned(model, sources, evidence)
    values |= _on_corrupted(model, *_known_and_judged(model, sources, train, seed), seed)
    if sources.other is not None:
        other = embed(model, sources.other, "other", terminal)
        values |= judge(Evidence(test, reference, outliers=other, seed=seed), ("ood",)).values
        if sources.label in other:
            found = judge(Evidence(other, label=sources.label, seed=seed), TRANSFER).values
            values |= {f"transfer/{name}": value for name, value in found.items()}
    return values


def _known_and_judged(model: Model, sources: Sources, train: Embeddings, seed: int) -> tuple[Embeddings, Chunk]:
    """Samples to measure distances to, and others to corrupt."""
    if sources.test is not None:
        return train, model.modality.sample(sources.test, CORRUPTED, seed)
    if all(name in train for name in SPAN):
        return _before_and_after(model, sources.train, train, seed)
    chunk = model.modality.sample(sources.train, min(CORRUPTED, len(train) // 2), seed)
    judged = set(chunk.ids)
    return train.where(np.array([name not in judged for name in train.ids])), chunk


def _before_and_after(model: Model, source: str, train: Embeddings, seed: int) -> tuple[Embeddings, Chunk]:
    """The first half of the windows of series, and some of the later ones: drawn at random, they would share rows.

    Raises:
        DataError: All later ones share rows with the first half.
    """
    half = (len(train) + 1) // 2
    known, later = Embeddings(train.table.slice(0, half)), Embeddings(train.table.slice(half))
    series, end = (known.table[name][-1].as_py() for name in ("series", "end"))
    later = later.where((later.numpy("series") != series) | (later.numpy("start") >= end))
    if not len(later):
        raise DataError(f"{source} is too short to measure distances to its first half: name a test set with --test.")
    drawn = set(np.random.default_rng(seed).permutation(later.ids)[:CORRUPTED].tolist())
    ids, raw, metadata = zip(*model.modality.find(source, drawn), strict=True)
    return known, Chunk(ids, pa.Table.from_pylist(list(metadata)), torch.stack(raw), ())


def _on_corrupted(model: Model, train: Embeddings, chunk: Chunk, seed: int) -> dict[str, float]:
    """How well each score tells corrupted samples from the same ones before, and whether it rises.

    `corruption/KIND/LEVEL/auroc/SCORE`, and `corruption/KIND/rises/SCORE`: the share of the levels whose mean score is
    above that of the level before, 1 where the score rises monotonically.
    """
    known = Embeddings(train.table.take(np.random.default_rng(seed).permutation(len(train))[:KNOWN]))
    fitted = {
        "nn_distance": knn.fit(knn.Config(neighbours=1, space="features"), known),
        "mahalanobis": mahalanobis.fit(mahalanobis.Config(), known),
    }
    raw = chunk.raw.to(model.device)
    clean = _scores(model, model.modality.eval_view(raw), fitted)
    values: dict[str, float] = {}
    for kind in model.modality.corruptions:
        before = {name: float(np.mean(score)) for name, score in clean.items()}
        rises = dict.fromkeys(clean, 0)
        for level in CORRUPTION_LEVELS:
            generator = torch.Generator(model.device).manual_seed(seed)
            corrupted = model.modality.corrupt(raw, kind, level, generator)
            for name, score in _scores(model, model.modality.eval_view(corrupted), fitted).items():
                values[f"corruption/{kind}/{level}/auroc/{name}"] = _auroc(clean[name], score)
                rises[name] += float(np.mean(score)) > before[name]
                before[name] = float(np.mean(score))
        values |= {f"corruption/{kind}/rises/{name}": count / len(CORRUPTION_LEVELS) for name, count in rises.items()}
    return values


def _scores(model: Model, view: View, fitted: Mapping[str, Score]) -> dict[str, np.ndarray]:
    columns = embed_view(model, view)
    ids = pa.array([str(row) for row in range(len(view))])
    samples = Embeddings(pa.table({"id": ids, "features": to_arrow(columns["features"])}))
    scores = {name: score(samples) for name, score in fitted.items()}
    scores["feature_norm"] = -np.linalg.norm(columns["features"], axis=1)
    return scores | ({"ambiguity": columns["ambiguity"]} if "ambiguity" in columns else {})


def _auroc(clean: np.ndarray, corrupted: np.ndarray) -> float:
    return float(roc_auc_score(np.repeat([0, 1], [len(clean), len(corrupted)]), np.concatenate([clean, corrupted])))
