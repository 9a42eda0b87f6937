"""The verbs that embed, judge and show."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from vssl.api.names import Name, run_of
from vssl.api.training import load
from vssl.config import find, from_dict, name_of, to_dict
from vssl.embedding import embed as _embed
from vssl.embedding import read_header
from vssl.errors import ConfigError
from vssl.evaluation.evaluators import Metrics
from vssl.evaluation.run_folder import evaluate_run
from vssl.reporting import build as _report
from vssl.run import Run
from vssl.training.model import Model
from vssl.types import Embeddings


def embed(
    run: Run | Name,
    data: Name,
    *,
    name: str | None = None,
    label_from: Literal["none", "file", "folder"] | None = None,
    pairs: int = 0,
    device: str = "auto",
    terminal: Console | None = None,
) -> Embeddings:
    """Embed all samples of `data`; the table is kept as RUN/embeddings/NAME.parquet.

    Args:
        name: Name of the table; by default that of the data, or "train" for the data of the training.
        label_from: folder: the name of each file's folder is kept as its label; file: that of a log file; by default as
            in training.
        pairs: So many pairs of views of each sample are compared, for the columns `disagreement` and `elbo_gap`.

    Raises:
        VsslError: See `vssl.errors`.
    """
    return _embed(_with_labels(load(run, device), label_from), data, name, terminal, pairs=pairs)


def evaluate(
    run: Run | Name,
    on: str = "train",
    *,
    reference: str | None = None,
    outliers: str | None = None,
    label: str | None = None,
    twin: Run | Name | None = None,
    only: Sequence[str] | None = None,
) -> Metrics:
    """Judge a run by its stored embeddings, and keep the figures in RUN/evaluation.json.

    Args:
        on: Name of the embeddings to judge.
        reference: Embeddings that classifiers and neighbours may learn from; without them the judged ones are divided.
        outliers: Embeddings of other data, which the scores should tell from the judged ones.
        label: Metadata column with the labels.
        twin: A run with another seed that has embedded the same data under the same name.
        only: Names of judges; all by default.

    Raises:
        VsslError: See `vssl.errors`.
    """
    other = None if twin is None else run_of(twin)
    return evaluate_run(run_of(run), on, reference, outliers, label, other, only)


def report(run: Run | Name, *, on: str = "train") -> Path:
    """Write RUN/report.html, one self-contained page, and return its path.

    Raises:
        RunError: There is no run at this place.
    """
    run = run_of(run)
    modality = load(run, "cpu").modality
    source = read_header(run, on).identity.source if on in run.embedding_names() else run.info["source"]
    return _report(run, lambda ids: modality.pictures(source, ids), on, load_pictures=modality.pictures)


def _with_labels(loaded: Model, label_from: str | None) -> Model:
    if label_from is None:
        return loaded
    config = loaded.settings.modality
    if not hasattr(config, "label_from"):
        raise ConfigError(f"--label-from is not for {name_of(config)}: such data have their labels in a column.")
    relabelled = from_dict(type(config), {**to_dict(config), "label_from": label_from}, name_of(config))
    module = find("modalities", name_of(config))
    return dataclasses.replace(loaded, modality=module.build(relabelled, loaded.modality.spec))
