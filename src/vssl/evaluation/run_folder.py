"""Evaluates a run by its stored embeddings, and writes the metrics to RUN/evaluation.json."""

from collections.abc import Sequence

import torch

from vssl.embedding import embed_view, read_header
from vssl.errors import DataError
from vssl.evaluation.base import EvalData
from vssl.evaluation.evaluators import Metrics, evaluate
from vssl.files import write_json
from vssl.run import Run
from vssl.training.model import load
from vssl.types import Embeddings

# View pairs for alignment: enough for two digits.
PAIRS = 1_024


def evaluate_run(
    run: Run,
    table: str = "train",
    reference: str | None = None,
    outliers: str | None = None,
    label: str | None = None,
    compare_run: Run | None = None,
    only: Sequence[str] | None = None,
) -> Metrics:
    """Run the evaluators; see `vssl.api.evaluate`. By default, `label` is a column of that name in all tables."""
    query = run.embeddings(table)
    bank = None if reference is None else run.embeddings(reference)
    everywhere = all("label" in part for part in (query, bank) if part is not None)
    data = EvalData(
        query=query,
        reference=bank,
        label=label or ("label" if everywhere else None),
        outliers=None if outliers is None else run.embeddings(outliers),
        other_seed_run=None if compare_run is None else compare_run.embeddings(table),
    )
    metrics = evaluate(data, only)
    if only is None or "uniformity" in only:
        metrics = _with_alignment(metrics, run, table)
    inputs = {"table": table, "reference": reference, "outliers": outliers, "label": data.label}
    inputs["compare_run"] = None if compare_run is None else str(compare_run.path)
    write_json(run.path / "evaluation.json", {**inputs, **metrics.to_dict()})
    return metrics


def _with_alignment(metrics: Metrics, run: Run, table: str) -> Metrics:
    """Add the alignment of two augmented views, for which samples are read and embedded again."""
    name = "uniformity/alignment"
    skipped = {key: reason for key, reason in metrics.skipped.items() if key != name}
    try:
        first, second = _two_views(run, table)
        values = evaluate(EvalData(query=first, second_view=second), ["uniformity"]).values
    except DataError as error:
        return Metrics(metrics.values, {**skipped, name: f"the samples could not be read for two views: {error}"})
    return Metrics({**metrics.values, name: values[name]}, skipped)


def _two_views(run: Run, table: str) -> tuple[Embeddings, Embeddings]:
    model = load(run)
    chunk = model.modality.sample(read_header(run, table).identity.source, PAIRS, seed=0)
    generator = torch.Generator(model.device).manual_seed(0)
    views = model.modality.views(chunk.raw.to(model.device), generator)
    first, second = (
        Embeddings.from_columns(chunk.ids, {"features": embed_view(model, view)["features"]}) for view in views[:2]
    )
    return first, second
