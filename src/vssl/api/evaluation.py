"""The verbs that embed, evaluate, compare and show: `embed`, `evaluate`, `report`, `bench`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vssl.api.arguments import PathLike, as_run, shared_sentences
from vssl.api.training import load, train
from vssl.config import encoder_of, find, from_dict, member, name_of
from vssl.errors import ConfigError
from vssl.run import Run
from vssl.training.settings import Budget, Optimiser, Settings

if TYPE_CHECKING:
    from rich.console import Console

    from vssl.evaluation import Metrics
    from vssl.training.model import Model
    from vssl.types import Embeddings

__all__ = ["embed", "evaluate", "report", "bench"]  # noqa: RUF022 (in the order of their use)


@shared_sentences(train)
def embed(
    run: Run | PathLike,
    data: PathLike,
    *,
    name: str | None = None,
    label_from: Literal["none", "file", "folder"] | None = None,
    view_pairs: int = 0,
    device: str = Settings.device,
    terminal: Console | None = None,
) -> Embeddings:
    """Embed data and write the table RUN/embeddings/NAME.parquet: features, mean, log-variance, ambiguity, metadata.

    Examples:
        vssl embed RUN new-photos --name new

    Args:
        run: The run folder.
        data: A folder, list or archive, as in training.
        name: Name of the table. By default the name of the data, or "train" for the training data.
        label_from: Take labels from the name of each sample's folder (folder), from the name of its log file (file), or
            from neither (none). By default as in training.
        view_pairs: Number of augmented view pairs to compare per sample, for the columns `disagreement` and `elbo_gap`.
            Each pair takes as long as two embeddings.
        device, terminal: As in `train`.

    Raises:
        VsslError: See `vssl.errors`.
    """
    from vssl import embedding

    model = load(run, device)
    if label_from is not None:
        model = _with_labels(model, label_from)
    return embedding.embed(model, data, name, terminal, pairs=view_pairs)


def _with_labels(model: Model, label_from: str) -> Model:
    """The model, reading its samples' labels from another place than in training."""
    config = model.settings.modality
    kind, values = name_of(config), asdict(config)
    if "label_from" not in values:
        raise ConfigError(f"--label-from is not for {kind}: such data have their labels in a column.")
    relabelled = from_dict(type(config), {**values, "label_from": label_from}, kind)
    return dataclasses.replace(model, modality=find("modalities", kind).build(relabelled, model.modality.spec))


def evaluate(
    run: Run | PathLike,
    table: str = "train",
    *,
    reference: str | None = None,
    outliers: str | None = None,
    label: str | None = None,
    compare_run: Run | PathLike | None = None,
    metrics: Sequence[str] = (),
) -> Metrics:
    """Evaluate stored embeddings, with labels where there are any and without, and write RUN/evaluation.json.

    Examples:
        vssl evaluate RUN --table test --reference train --label label

    The command prints the metrics as JSON on standard output.

    Args:
        run: The run folder.
        table: Name of the embeddings to evaluate.
        reference: Name of the embeddings that classifiers and nearest-neighbour search are fitted to. By default the
            evaluated embeddings are split in two.
        outliers: Name of embeddings of other data, which the scores should tell from the evaluated ones.
        label: Metadata column with the labels. By default "label", if there is such a column.
        compare_run: A run with another random seed that has embedded the same data under the same name, to measure
            stability.
        metrics: Names of the groups of metrics to compute. By default all of them.

    Raises:
        VsslError: See `vssl.errors`.
    """
    from vssl.evaluation.run_folder import evaluate_run

    other = None if compare_run is None else as_run(compare_run)
    return evaluate_run(as_run(run), table, reference, outliers, label, other, metrics or None)


def report(run: Run | PathLike, *, table: str = "train") -> Path:
    """Write RUN/report.html, one self-contained page with curves, map, galleries, neighbours and metrics.

    Examples:
        vssl report RUN --table test

    The metrics are those of the last evaluation, whichever table it was of; the page says which.

    Args:
        run: The run folder.
        table: Name of the embeddings to show.

    Raises:
        RunError: There is no such run.
    """
    from vssl.embedding import read_header
    from vssl.reporting.page import build

    run = as_run(run)
    modality = load(run, "cpu").modality
    source = read_header(run, table).identity.source if table in run.embedding_names() else run.info["source"]
    return build(run, lambda ids: modality.pictures(source, ids), table, load_pictures=modality.pictures)


@shared_sentences(train)
def bench(
    data: PathLike,
    out: PathLike,
    *,
    test: PathLike | None = None,
    ood: PathLike | None = None,
    methods: Sequence[str] = ("vssl", "simclr"),
    seeds: Sequence[int] = (0, 1, 2),
    label: str = "label",
    modality: Any = "images",
    encoder: Any = "auto",
    minutes: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    learning_rates: Sequence[float] = (Optimiser.learning_rate,),
    batches: Sequence[int] = (Settings.batch,),
    device: str = Settings.device,
    command: str = "",
    terminal: Console | None = None,
) -> Path:
    """Compare objectives under equal conditions: same data, views, encoder, optimiser and budget, several seeds.

    Examples:
        vssl bench photos --out BENCH --label-from folder --methods vssl simclr byol --minutes 5
        # With a test set and out-of-distribution data
        vssl bench c.tar.xz/train --test c.tar.xz/test --ood photos --out BENCH
        # The influence of learning rate and batch size
        vssl bench photos --out BENCH --learning-rates 1e-3 2e-3 --batches 128 256
        # An objective with other settings
        vssl bench photos --out BENCH --methods vssl:prior=paired simclr:temperature=0.05

    Results that are in the folder are not computed again: the same command continues an interrupted comparison, and
    further objectives, data, budgets and seeds add to it. The command prints the tables as Markdown on standard output.

    Args:
        data: The training data, as in `vssl train`. Only classifiers and metrics read their labels.
        out: The folder of the comparison: results/*.json, runs/, report.html.
        test: The test data. By default the training data are evaluated, each sample among the others.
        ood: Out-of-distribution data, to measure outlier detection, and transfer learning if they have labels.
        methods: Objectives, as in `vssl train`; changed settings follow a colon: simclr:temperature=0.05. The objective
            supcon reads the labels and is an upper bound.
        seeds: Random seeds; each objective is trained once with each.
        label: Metadata column with the labels.
        modality, encoder: As in `train`.
        minutes: Minutes of each training. If no length is given, 5.
        epochs, steps: As in `train`.
        learning_rates: Peak learning rates; each objective is trained with each of them.
        batches: Global batch sizes in view pairs; each objective is trained with each of them.
        device, command, terminal: As in `train`.

    Returns:
        The page with the comparison, OUT/report.html.

    Raises:
        VsslError: See `vssl.errors`.
    """
    from vssl.benchmarking import page, suite
    from vssl.benchmarking.sources import Sources

    if minutes is None and epochs is None and steps is None:
        minutes = 5.0
    config = member("modalities", modality)
    comparison = suite.Suite(
        sources=Sources(str(data), None if test is None else str(test), None if ood is None else str(ood), label),
        methods=tuple(methods),
        budget=Budget(epochs, steps, minutes),
        modality=config,
        encoder=encoder_of(encoder, config),
        seeds=tuple(seeds),
        learning_rates=tuple(learning_rates),
        batches=tuple(batches),
        device=device,
    )
    return page.build(suite.run(comparison, Path(out), command, terminal), Path(out))
