"""The verbs that decide: `calibrate`, `decide`, `probe`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vssl.api.arguments import PathLike, as_run, shared_sentences
from vssl.api.training import load, train
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.guarantee import Costs
from vssl.errors import ConfigError, NotEnoughDataError
from vssl.run import Run
from vssl.training.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from vssl.decisions.policy import Policy
    from vssl.decisions.probe import Predictions
    from vssl.decisions.result import Decisions
    from vssl.serving.review_export import ReviewedData
    from vssl.training.model import Model

__all__ = ["calibrate", "decide", "probe"]


@shared_sentences(train, CalibrationConfig)
def calibrate(
    run: Run | PathLike,
    normal: PathLike | None = None,
    *,
    defects: PathLike | None = None,
    from_reviews: str | None = None,
    review_dir: PathLike | None = None,
    bank: PathLike | None = None,
    false_alarm: float = CalibrationConfig.false_alarm,
    miss: float | None = CalibrationConfig.miss,
    confidence: float = CalibrationConfig.confidence,
    score: Any = CalibrationConfig.score,
    group: str | None = None,
    block: str | None = None,
    time: str | None = None,
    costs: Costs | None = None,
    valid_days: int = CalibrationConfig.valid_days,
    overwrite: bool = False,
    device: str = Settings.device,
    terminal: Console | None = None,
) -> Policy:
    """Set thresholds with a guarantee from known normal samples, to accept, review or reject: writes RUN/policy.json.

    Examples:
        vssl calibrate RUN --normal known-good --false-alarm 0.01
        # With known defects a miss rate as well; what lies between the two thresholds is reviewed by a person
        vssl calibrate RUN --normal parts.csv:label=ok --defects parts.csv:label=defect --false-alarm 0.01 --miss 0.02
        # From the labels that people gave on the page of vssl serve
        vssl calibrate RUN --from-reviews RUN/export/decisions.sqlite

    The command prints the policy in sentences. It never guarantees more than the samples allow: 299 normal samples give
    a false-alarm rate of at most 1 % at a confidence level of 95 %, and 2,995 give 0.1 %. The training must not have
    seen them.

    Args:
        run: The run folder.
        normal: Known normal samples: data as in training, or the rows of a list with a value in a column:
            parts.csv:label=ok.
        defects: Known defects, given like the normal samples.
        from_reviews: Database of `vssl serve`, a file or an address, instead of known normal samples and defects. Only
            samples that were drawn at random and labelled by people count. The bank is that of the existing policy.
        review_dir: Folder where `vssl serve` kept the samples for review. By default the folder `samples` next to the
            database, or in RUN/export.
        bank: Reference samples that scores measure distances to, given like the normal samples; "train" takes the
            training data, "policy" the bank of the existing policy. By default half of the normal samples.
        false_alarm, miss, confidence, score, group, block, time, costs, valid_days: As in `CalibrationConfig`.
        overwrite: Replace the existing policy.
        device: Device to compute on: auto, cpu, cuda, or one GPU such as cuda:1. Decisions must be made on the same
            kind of device.
        terminal: As in `train`.

    Raises:
        NotEnoughDataError: There are too few samples for the guarantee; the message says how many it needs.
        DataError: The training has seen some samples, or the scores cannot tell samples apart.
        ConfigError: Neither normal samples nor reviews are given, or both.
        PolicyError: There is a policy already.
        VsslError: See `vssl.errors`.
    """
    from vssl.decisions.calibrate_run import calibrate_run

    config = CalibrationConfig(false_alarm, miss, confidence, score, group, block, time, costs, valid_days)
    if (normal is None) == (from_reviews is None) or (from_reviews and defects):
        raise ConfigError("Give known normal samples, --normal DATA (and --defects DATA), or --from-reviews DATABASE.")
    model = load(run, device)
    if normal is not None:
        return calibrate_run(model, normal, defects, bank, config, overwrite, terminal)
    reviews = _reviews(model, str(from_reviews), review_dir, group)
    bank = "policy" if bank is None else bank
    try:
        return calibrate_run(
            model, reviews.normal, reviews.defects, bank, config, overwrite, terminal, caveats=reviews.caveats
        )
    except NotEnoughDataError as error:
        hint = " Label more of the samples that vssl serve draws at random (--audit-rate sets their share)."
        raise NotEnoughDataError(error.given, error.needed, error.guarantee, hint, error.of) from error


def _reviews(model: Model, database: str, review_dir: PathLike | None, group: str | None) -> ReviewedData:
    try:
        from vssl.serving import review_export
    except ImportError as error:
        raise ConfigError(
            f"Reviews need the extra serve: pip install '.[serve]' in the folder of vssl ({error})."
        ) from error
    beside = model.run.path / "export" if "://" in database else Path(database).parent
    folder = beside / "samples" if review_dir is None else Path(review_dir)
    return review_export.gather(
        review_export.address(database), folder, model.modality, group, model.run.path / "reviews"
    )


@shared_sentences(train)
def decide(
    run: Run | PathLike,
    data: PathLike,
    *,
    name: str | None = None,
    normal: str | None = None,
    false_discoveries: float | None = None,
    device: str = Settings.device,
    terminal: Console | None = None,
) -> Decisions:
    """Accept, review or reject each sample by the policy of the run: writes RUN/decisions/NAME.parquet.

    Examples:
        vssl decide RUN today
        # In a pipeline: exit status 1 if a sample is rejected
        vssl decide RUN today --fail-if-reject
        # Measure the rates where it is known which samples are normal
        vssl decide RUN parts.csv --normal label=ok

    Each row has the decision, the p-value among the normal samples, the score, and the nearest known samples. The
    command prints the counts as JSON on standard output. Decisions are refused if the policy has expired or belongs to
    another model, preprocessing or numeric back end.

    Args:
        run: The run folder.
        data: A folder, list or archive, as in training, or the rows of a list with a value in a column:
            parts.csv:camera=cam-1.
        name: Name of the table. By default the name of the data.
        normal: Which samples are normal, as COLUMN=VALUE, such as label=ok, to measure the false-alarm and miss rates.
        false_discoveries: False discovery rate, in 0..1: a column `reported` marks the samples of this batch of which,
            on average over batches, at most this share is normal (Benjamini and Hochberg 1995).
        device, terminal: As in `train`.

    Raises:
        PolicyError: There is no policy, it has expired, or it belongs to another model, preprocessing or back end.
        VsslError: See `vssl.errors`.
    """
    from vssl.decisions.decide_run import decide_run

    return decide_run(load(run, device), data, name, normal, false_discoveries, terminal)


def probe(
    run: Run | PathLike,
    labels: PathLike,
    *,
    labels_for: str = "train",
    table: str | None = None,
    coverage: float = 0.9,
    by_class: bool = False,
) -> Predictions:
    """Predict from few labels the set of classes that each sample may have: writes RUN/predictions/NAME.parquet.

    Examples:
        vssl probe RUN --labels labels.csv --coverage 0.95
        # Fit to one table and predict for another
        vssl probe RUN --labels labels.csv --labels-for train --table today

    A linear classifier is fitted to half of the labels, and the other half calibrates it (conformal prediction). The
    true class is in the set with the stated coverage, whatever the quality of the classifier; a poor one gives larger
    sets. A set of one class is a decision, a larger one a question to a person, and an empty one says that the sample
    resembles none of the classes.

    Args:
        run: The run folder.
        labels: A CSV file with the columns `id` (or `path`) and `label`.
        labels_for: Name of the embeddings that the ids of the labels belong to.
        table: Name of the embeddings to predict for. By default the unlabelled samples of the labelled table.
        coverage: Share of samples whose set holds their true class, in 0..1, on average over calibrations.
        by_class: Guarantee the coverage for each class separately. That takes as many labels of each class.

    Raises:
        NotEnoughDataError: There are too few labels for the coverage; the message says how many it needs.
        DataError: Labels have unknown ids, or are of one class only.
        VsslError: See `vssl.errors`.
    """
    from vssl.decisions.probe import predict_run

    return predict_run(as_run(run), Path(labels), labels_for, table, coverage, by_class)
