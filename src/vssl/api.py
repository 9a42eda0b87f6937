"""The verbs of vssl as functions; the command line has the same verbs with the same names and settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from vssl.bench.sources import Sources
from vssl.config import encoder_of, find, from_dict, member, name_of, to_dict
from vssl.decide.promise import Costs, Promise
from vssl.embed import embed as _embed
from vssl.embed import identity_of
from vssl.errors import ConfigError
from vssl.evaluate.run_folder import evaluate as _evaluate
from vssl.evaluate.verdict import Verdict
from vssl.report import build as _report
from vssl.run import Run
from vssl.train import loop
from vssl.train import model as trained
from vssl.train.model import Model
from vssl.train.settings import Budget, Optimiser, Settings
from vssl.types import Embeddings

if TYPE_CHECKING:
    from vssl.decide.policy import Policy
    from vssl.decide.probe import Predictions
    from vssl.decide.run_folder import Decisions

Name = str | Path


def train(
    data: Name,
    out: Name,
    *,
    objective: Any = "vssl",
    encoder: Any = "auto",
    modality: Any = "images",
    minutes: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    optimiser: Optimiser | None = None,
    batch: int = 256,
    seed: int = 0,
    device: str = "auto",
    precision: Literal["auto", "bf16", "float32"] = "auto",
    overwrite: bool = False,
    command: str = "",
    terminal: Console | None = None,
) -> Run:
    """Train an encoder on unlabelled data.

    Args:
        data: A folder, a CSV or Parquet list with a `path` column, or a zip or tar archive; a folder inside an archive
            is named behind it: images.tar.xz/train.
        out: The run folder to make.
        objective, encoder, modality: A name such as "simclr", "convnet/base", "images", or a member's Config;
            as encoder, "auto" takes the one that suits the modality.
        minutes, epochs, steps: How long to train: at most one of them; 10 minutes if none is given.
        optimiser: How to step.
        batch: Samples a step.
        seed: Of everything random.
        device: auto, cpu, cuda or one GPU such as cuda:1.
        precision: auto takes bfloat16 where the hardware is fast at it.
        overwrite: Start again if `out` is a run folder already.
        command: What to note in the run as the command.
        terminal: A rich console to show progress on; None is quiet.

    Raises:
        VsslError: See `vssl.errors`.
    """
    if minutes is None and epochs is None and steps is None:
        minutes = 10.0
    kind = member("modalities", modality)
    settings = Settings(
        modality=kind,
        encoder=encoder_of(encoder, kind),
        objective=member("objectives", objective),
        budget=Budget(epochs, steps, minutes),
        optimiser=optimiser or Optimiser(),
        batch=batch,
        seed=seed,
        device=device,
        precision=precision,
    )
    return loop.train(data, out, settings, overwrite=overwrite, command=command, terminal=terminal)


def resume(run: Run | Name, *, terminal: Console | None = None) -> Run:
    """Go on with an interrupted run, with its own data and settings.

    Raises:
        RunError: There is no run, or its data have changed.
    """
    return loop.resume(run.path if isinstance(run, Run) else run, terminal=terminal)


def load(run: Run | Name, device: str = "auto") -> Model:
    """A trained run as a model to call.

    Raises:
        RunError: There is no usable model in the run folder.
    """
    return trained.load(run if isinstance(run, Run) else Run(run), device)


def embed(
    run: Run | Name,
    data: Name,
    *,
    name: str | None = None,
    label_from: Literal["none", "file", "folder"] | None = None,
    device: str = "auto",
    terminal: Console | None = None,
) -> Embeddings:
    """Embed all samples of `data`; the table is kept as RUN/embeddings/NAME.parquet.

    Args:
        name: Name of the table; by default that of the data, or "train" for the data of the training.
        label_from: folder: the name of each file's folder is kept as its label; file: that of a log file; by default as
            in training.

    Raises:
        VsslError: See `vssl.errors`.
    """
    return _embed(_with_labels(load(run, device), label_from), data, name, terminal)


def evaluate(
    run: Run | Name,
    on: str = "train",
    *,
    reference: str | None = None,
    outliers: str | None = None,
    label: str | None = None,
    twin: Run | Name | None = None,
    only: Sequence[str] | None = None,
) -> Verdict:
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
    other = None if twin is None else _run(twin)
    return _evaluate(_run(run), on, reference, outliers, label, other, only)


def calibrate(
    run: Run | Name,
    normal: Name,
    *,
    defects: Name | None = None,
    bank: Name | None = None,
    false_alarm: float = 0.01,
    miss: float | None = None,
    confidence: float = 0.95,
    score: Any = "novelty",
    group: str | None = None,
    block: str | None = None,
    time: str | None = None,
    costs: Costs | None = None,
    valid_days: int = 90,
    overwrite: bool = False,
    device: str = "auto",
    terminal: Console | None = None,
) -> Policy:
    """From known normal samples to thresholds with a guarantee: RUN/policy.json and the samples that it stands on.

    Args:
        normal: Normal samples that the training has not seen: data as in `train`, or those with a value in a column:
            "parts.csv:label=ok".
        defects: Known defects, as `normal`.
        bank: What scores measure the distance to, as `normal`, or "train" for the training data. Without it half of the
            normals.
        false_alarm: At most this share of normals is rejected, 0..1.
        miss: At most this share of defects is accepted, 0..1; needs `defects`. What cannot be decided is reviewed.
        confidence: How sure one may be of it, 0..1.
        score: A name such as "novelty", or a score's Config.
        group: Metadata column whose values get thresholds of their own.
        block: Metadata column of what belongs together (a shift, an episode, a lot); the promise is made of blocks.
        time: Metadata column that sorts like time, to test whether samples depend on those before them.
        costs: To state what the decisions will cost.
        valid_days: Days until the policy is refused.
        overwrite: Replace the policy that there is.
        device, terminal: As in `train`.

    Raises:
        NotEnoughDataError: Too few samples for the promise; says how many it needs.
        DataError: Samples that the training has seen, or scores that tell nothing apart.
        PolicyError: There is a policy already.
        VsslError: See `vssl.errors`.
    """
    # Imported late, as the report is: statistics take long to import.
    from vssl.decide.calibrate import Request
    from vssl.decide.run_folder import calibrate_run

    promise = Promise(false_alarm, miss, confidence)
    request = Request(promise, member("scores", score), group, block, time, costs, valid_days)
    return calibrate_run(load(run, device), normal, defects, bank, request, overwrite, terminal)


def decide(
    run: Run | Name,
    data: Name,
    *,
    name: str | None = None,
    normal: str | None = None,
    device: str = "auto",
    terminal: Console | None = None,
) -> Decisions:
    """Accept, review or reject each sample by the policy of the run: RUN/decisions/NAME.parquet.

    Args:
        data: Data as in `train`, or those with a value in a column: "parts.csv:camera=cam-1".
        name: Name of the table; by default that of the data.
        normal: Where the truth is known, which samples are normal, such as "label=ok": the rates are measured then.
        device, terminal: As in `train`.

    Raises:
        PolicyError: There is no policy, it has expired, or it belongs to another model, preprocessing or back end.
        VsslError: See `vssl.errors`.
    """
    from vssl.decide.run_folder import decide_run

    return decide_run(load(run, device), data, name, normal, terminal)


def probe(
    run: Run | Name,
    labels: Name,
    *,
    of: str = "train",
    on: str | None = None,
    coverage: float = 0.9,
    by_class: bool = False,
) -> Predictions:
    """From few labels to prediction sets: the classes that a sample may have. RUN/predictions/NAME.parquet.

    A linear classifier learns from half of the labels; the other half calibrates. The class of a later sample is in its
    set with the stated coverage: where the set has one class it is decided, otherwise ask a person.

    Args:
        labels: A CSV file with the columns `id` (or `path`) and `label`.
        of: Name of the stored embeddings that the ids belong to.
        on: Name of the stored embeddings to predict for; by default the unlabelled ones of `of`.
        coverage: 0..1; on average over calibrations.
        by_class: The coverage holds for each class alone, which takes as many labels of each class.

    Raises:
        NotEnoughDataError: Too few labels for the coverage; says how many it needs.
        DataError: Labels of unknown ids, or of one class only.
        VsslError: See `vssl.errors`.
    """
    from vssl.decide.probe import predict_run

    return predict_run(_run(run), Path(labels), of, on, coverage, by_class)


def report(run: Run | Name, *, on: str = "train") -> Path:
    """Write RUN/report.html, one self-contained page, and return its path.

    Raises:
        RunError: There is no run at this place.
    """
    run = _run(run)
    modality = load(run, "cpu").modality
    source = identity_of(run, on).source if on in run.embedding_names() else run.info["source"]
    return _report(run, lambda ids: modality.pictures(source, ids), on, elsewhere=modality.pictures)


def views(data: Name, out: Name, *, modality: Any = "images", samples: int = 8, seed: int = 0) -> Path:
    """Draw originals beside their views, and return the picture's path.

    Args:
        out: The PNG file to write.
        modality: As in `train`; its settings choose the views.
        samples: How many samples to draw.

    Raises:
        VsslError: See `vssl.errors`.
    """
    config = member("modalities", modality)
    module = find("modalities", name_of(config))
    return module.build(config, module.measure(data, config)).draw(data, Path(out), samples, seed)


def bench(
    data: Name,
    out: Name,
    *,
    test: Name | None = None,
    other: Name | None = None,
    methods: Sequence[str] = ("vssl", "simclr"),
    seeds: Sequence[int] = (0, 1, 2),
    label: str = "label",
    encoder: Any = "auto",
    modality: Any = "images",
    minutes: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    learning_rates: Sequence[float] = (2e-3,),
    batches: Sequence[int] = (256,),
    device: str = "auto",
    command: str = "",
    terminal: Console | None = None,
) -> Path:
    """Compare methods under equal conditions: train, embed and judge each with each seed.

    Whatever is recorded in `out` is not repeated, so a stopped comparison goes on, and further data, budgets, methods
    and seeds add to it.

    Args:
        data: What is trained on, as in `train`; its labels are read by classifiers and judges only.
        out: The folder of the comparison: results/*.json, runs/, report.html.
        test: What is judged; without it the training data are, each sample among the others.
        other: Another data set: outliers, and where the encoders are transferred to if it has labels.
        methods: Objectives as in `train`, with changed settings behind a colon: "simclr:temperature=0.05".
        seeds: Each method is trained once with each.
        label: Metadata column with the labels.
        encoder, modality, device, terminal: As in `train`.
        minutes, epochs, steps: Of each run: at most one of them; 5 minutes if none is given.
        learning_rates, batches: Each method is tried with each pair of them.
        command: What to note in the results as the command.

    Returns:
        The page with the comparison, out/report.html.

    Raises:
        VsslError: See `vssl.errors`.
    """
    # Imported late, as the report is: plots take long to import.
    from vssl.bench import page, suite

    if minutes is None and epochs is None and steps is None:
        minutes = 5.0
    kind = member("modalities", modality)
    asked = suite.Suite(
        sources=Sources(str(data), None if test is None else str(test), None if other is None else str(other), label),
        methods=tuple(methods),
        budget=Budget(epochs, steps, minutes),
        modality=kind,
        encoder=encoder_of(encoder, kind),
        seeds=tuple(seeds),
        learning_rates=tuple(learning_rates),
        batches=tuple(batches),
        device=device,
    )
    return page.build(suite.run(asked, Path(out), command, terminal), Path(out))


def _run(run: Run | Name) -> Run:
    return run if isinstance(run, Run) else Run(run)


def _with_labels(loaded: Model, label_from: str | None) -> Model:
    if label_from is None:
        return loaded
    config = loaded.settings.modality
    if not hasattr(config, "label_from"):
        raise ConfigError(f"--label-from is not for {name_of(config)}: such data have their labels in a column.")
    relabelled = from_dict(type(config), {**to_dict(config), "label_from": label_from}, name_of(config))
    module = find("modalities", name_of(config))
    return dataclasses.replace(loaded, modality=module.build(relabelled, loaded.modality.spec))
