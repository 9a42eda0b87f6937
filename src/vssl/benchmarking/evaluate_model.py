"""All metrics of one trained model: on the test set, on corrupted samples, and on another data set."""

import numpy as np
import pyarrow as pa
import torch
from rich.console import Console
from sklearn.metrics import roc_auc_score

from vssl import scores
from vssl.benchmarking.finetune import finetuned
from vssl.benchmarking.sources import Sources
from vssl.config import find, members
from vssl.decisions.episodes import SPAN
from vssl.embedding import embed, embed_view
from vssl.errors import DataError
from vssl.evaluation import EvalData, evaluate
from vssl.evaluation.scoring import available
from vssl.modalities.base import CORRUPTION_LEVELS, Chunk
from vssl.scores import Score
from vssl.training.model import Model
from vssl.types import Embeddings, View

# How many samples are corrupted, and the size of the bank that they are compared with.
MAX_CORRUPTED, MAX_BANK = 1_000, 10_000
# View pairs per sample, for the scores that compare views.
PAIRS = 2


def evaluate_model(model: Model, sources: Sources, seed: int, terminal: Console | None) -> dict[str, float]:
    """All metrics by name; those that need labels are missing where there are none."""
    location = sources.test or sources.train
    test = embed(model, location, "train" if sources.test is None else "test", terminal, pairs=PAIRS)
    train = test if sources.test is None else embed(model, sources.train, "train", terminal)
    reference = None if sources.test is None else train
    label = sources.label if all(sources.label in part for part in (test, train)) else None
    data = EvalData(test, reference, label, seed=seed)
    values = dict(evaluate(data).values)
    if data.label_problem is None:
        values |= finetuned(model, sources, data)
    values |= _corruption_metrics(model, *_bank_and_clean(model, sources, train, seed), seed)
    if sources.other is not None:
        other = embed(model, sources.other, "other", terminal)
        values |= evaluate(EvalData(test, reference, outliers=other, seed=seed), ["ood"]).values
        if sources.label in other:
            transferred = evaluate(EvalData(other, label=sources.label, seed=seed), _compared_evaluators()).values
            values |= {f"transfer/{name}": value for name, value in transferred.items()}
    return values


def _compared_evaluators() -> list[str]:
    """The evaluators that have a metric with a column in the comparison."""
    metrics = {name: find("evaluation", name).METRICS for name in members("evaluation")}
    return [name for name in metrics if any(metric.title for metric in metrics[name].values())]


def _bank_and_clean(model: Model, sources: Sources, train: Embeddings, seed: int) -> tuple[Embeddings, Chunk]:
    """The bank of the scores, and other samples to corrupt."""
    if sources.test is not None:
        return train, model.modality.sample(sources.test, MAX_CORRUPTED, seed)
    if all(name in train for name in SPAN):
        return _earlier_and_later(model, sources.train, train, seed)
    chunk = model.modality.sample(sources.train, min(MAX_CORRUPTED, len(train) // 2), seed)
    drawn = set(chunk.ids)
    return train.where(np.array([name not in drawn for name in train.ids])), chunk


def _earlier_and_later(model: Model, source: str, train: Embeddings, seed: int) -> tuple[Embeddings, Chunk]:
    """The first half of the windows of series, and some later ones, because windows drawn at random share rows.

    Raises:
        DataError: All later windows share rows with the first half.
    """
    half = (len(train) + 1) // 2
    bank, later = train.take(np.arange(half)), train.take(np.arange(half, len(train)))
    series, end = (bank.table[name][-1].as_py() for name in ("series", "end"))
    later = later.where((later.numpy("series") != series) | (later.numpy("start") >= end))
    if not len(later):
        raise DataError(
            f"{source} is too short to compare its later windows with its first half: name a test set with --test."
        )
    drawn = set(np.random.default_rng(seed).permutation(later.ids)[:MAX_CORRUPTED].tolist())
    ids, raw, metadata = zip(*model.modality.find(source, drawn), strict=True)
    return bank, Chunk(ids, pa.Table.from_pylist(list(metadata)), torch.stack(raw), ())


def _corruption_metrics(model: Model, train: Embeddings, chunk: Chunk, seed: int) -> dict[str, float]:
    """How well each score detects corrupted samples among the same samples before, and whether it increases.

    `corruption/KIND/LEVEL/auroc/SCORE`, and `corruption/KIND/rises/SCORE`: the share of the levels whose mean score is
    above that of the level before, 1 where the score increases monotonically.
    """
    bank = train.take(np.random.default_rng(seed).permutation(len(train))[:MAX_BANK])
    raw = chunk.raw.to(model.device)
    clean_samples = _embedded(model, model.modality.eval_view(raw))
    fitted = {name: scores.fit(config, bank) for name, config in available(clean_samples, bank=bank).items()}
    clean = _scored(clean_samples, fitted)
    values: dict[str, float] = {}
    for kind in model.modality.corruptions:
        before = {name: float(np.mean(score)) for name, score in clean.items()}
        rises = dict.fromkeys(clean, 0)
        for level in CORRUPTION_LEVELS:
            generator = torch.Generator(model.device).manual_seed(seed)
            corrupted = model.modality.corrupt(raw, kind, level, generator)
            for name, score in _scored(_embedded(model, model.modality.eval_view(corrupted)), fitted).items():
                values[f"corruption/{kind}/{level}/auroc/{name}"] = _auroc(clean[name], score)
                rises[name] += float(np.mean(score)) > before[name]
                before[name] = float(np.mean(score))
        values |= {f"corruption/{kind}/rises/{name}": count / len(CORRUPTION_LEVELS) for name, count in rises.items()}
    return values


def _embedded(model: Model, view: View) -> Embeddings:
    return Embeddings.from_columns([str(row) for row in range(len(view))], embed_view(model, view))


def _scored(samples: Embeddings, fitted: dict[str, Score]) -> dict[str, np.ndarray]:
    return {name: score(samples) for name, score in fitted.items()}


def _auroc(clean: np.ndarray, corrupted: np.ndarray) -> float:
    return float(roc_auc_score(np.repeat([0, 1], [len(clean), len(corrupted)]), np.concatenate([clean, corrupted])))
