"""Judging a run by the embeddings it has stored, and keeping the figures in RUN/evaluation.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch

from vssl.embedding import embed_view, read_header
from vssl.errors import DataError
from vssl.evaluation.base import Evidence
from vssl.evaluation.verdict import Verdict, judge
from vssl.files import write_json
from vssl.run import Run
from vssl.training.model import load
from vssl.types import Embeddings, to_arrow

# Pairs of views for alignment: enough for two digits.
PAIRS = 1_024


def evaluate(
    run: Run,
    on: str = "train",
    reference: str | None = None,
    outliers: str | None = None,
    label: str | None = None,
    twin: Run | None = None,
    only: Sequence[str] | None = None,
) -> Verdict:
    """Run the judges; see `vssl.api.evaluate`. Without `label`, a column of that name in all tables."""
    query = run.embeddings(on)
    known = None if reference is None else run.embeddings(reference)
    everywhere = all("label" in part for part in (query, known) if part is not None)
    evidence = Evidence(
        query=query,
        reference=known,
        label=label or ("label" if everywhere else None),
        outliers=None if outliers is None else run.embeddings(outliers),
        twin=None if twin is None else twin.embeddings(on),
    )
    verdict = judge(evidence, only)
    if only is None or "uniformity" in only:
        verdict = _with_alignment(verdict, run, on)
    asked = {"on": on, "reference": reference, "outliers": outliers, "label": evidence.label}
    asked["twin"] = None if twin is None else str(twin.path)
    write_json(run.path / "evaluation.json", {**asked, **verdict.to_dict()})
    return verdict


def _with_alignment(verdict: Verdict, run: Run, on: str) -> Verdict:
    """Add the alignment of two augmented views, for which samples have to be read and embedded again."""
    name = "uniformity/alignment"
    others = {key: reason for key, reason in verdict.skipped.items() if key != name}
    try:
        first, second = _two_views(run, on)
        pairs = judge(Evidence(query=first, second_view=second), ["uniformity"])
    except DataError as error:
        return dataclasses.replace(
            verdict, skipped={**others, name: f"no two views of the samples could be had: {error}"}
        )
    return Verdict({**verdict.values, name: pairs.values[name]}, others)


def _two_views(run: Run, on: str) -> tuple[Embeddings, Embeddings]:
    model = load(run)
    chunk = model.modality.sample(read_header(run, on).identity.source, PAIRS, seed=0)
    generator = torch.Generator(model.device).manual_seed(0)
    views = model.modality.views(chunk.raw.to(model.device), generator)
    first, second = (_table(chunk.ids, embed_view(model, view)["features"]) for view in views[:2])
    return first, second


def _table(ids: Sequence[str], features: np.ndarray) -> Embeddings:
    return Embeddings(pa.table({"id": pa.array(ids, pa.string()), "features": to_arrow(features)}))
