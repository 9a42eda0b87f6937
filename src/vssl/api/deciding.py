"""The verbs that decide, here and on other computers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from vssl.api.names import Name, run_of
from vssl.api.training import load
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.guarantee import Costs
from vssl.errors import ConfigError, NotEnoughDataError
from vssl.run import Run

if TYPE_CHECKING:
    from vssl.decisions.policy import Policy
    from vssl.decisions.probe import Predictions
    from vssl.decisions.result import Decisions
    from vssl.serving.review_export import ReviewedData
    from vssl.training.model import Model


def calibrate(
    run: Run | Name,
    normal: Name | None = None,
    *,
    from_reviews: Name | None = None,
    samples: Name | None = None,
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
        from_reviews: Instead of `normal` and `defects`: the database of `serve`, a file or an address. Those of its
            samples count that were drawn at random and judged by people. The bank stays that of the policy there is.
        samples: Where `serve` kept them; by default the folder `samples` beside the database, or in RUN/export.
        defects: Known defects, as `normal`.
        bank: What scores measure the distance to, as `normal`, or "train" for the training data, or "policy" for the
            bank of the policy there is. Without it half of the normals.
        false_alarm: At most this share of normals is rejected, 0..1.
        miss: At most this share of defects is accepted, 0..1; needs `defects`. What cannot be decided is reviewed.
        confidence: How sure one may be of it, 0..1.
        score: A name such as "novelty", or a score's Config.
        group: Metadata column whose values get thresholds of their own.
        block: Metadata column of what belongs together (a shift, an episode, a lot); the guarantee is made of blocks.
        time: Metadata column that sorts like time, to test whether samples depend on those before them.
        costs: To state what the decisions will cost.
        valid_days: Days until the policy is refused.
        overwrite: Replace the policy that there is.
        device, terminal: As in `train`.

    Raises:
        NotEnoughDataError: Too few samples for the guarantee; says how many it needs.
        DataError: Samples that the training has seen, or scores that tell nothing apart.
        ConfigError: Neither normals nor reviews, or both.
        PolicyError: There is a policy already.
        VsslError: See `vssl.errors`.
    """
    # Imported late, as the report is: statistics take long to import.
    from vssl.decisions.calibrate_run import calibrate_run

    config = CalibrationConfig(false_alarm, miss, confidence, score, group, block, time, costs, valid_days)
    if (normal is None) == (from_reviews is None) or (from_reviews and defects):
        raise ConfigError("Give known normal samples, --normal DATA (and --defects DATA), or --from-reviews DATABASE.")
    model = load(run, device)
    if normal is not None:
        return calibrate_run(model, normal, defects, bank, config, overwrite, terminal)
    found = _reviewed(model, str(from_reviews), samples, group)
    bank = "policy" if bank is None else bank
    try:
        return calibrate_run(
            model, found.normal, found.defects, bank, config, overwrite, terminal, caveats=found.caveats
        )
    except NotEnoughDataError as error:
        hint = " Label more of the samples that vssl serve draws at random (--audit-rate sets their share)."
        raise NotEnoughDataError(error.given, error.needed, error.guarantee, hint, error.of) from error


def _reviewed(model: Model, database: str, samples: Name | None, group: str | None) -> ReviewedData:
    try:
        from vssl.serving import review_export
    except ImportError as error:
        raise ConfigError(
            f"Reviews need the extra serve: pip install '.[serve]' in the folder of vssl ({error})."
        ) from error
    beside = model.run.path / "export" if "://" in database else Path(database).parent
    kept = beside / "samples" if samples is None else Path(samples)
    return review_export.gather(
        review_export.address(database), kept, model.modality, group, model.run.path / "reviews"
    )


def decide(
    run: Run | Name,
    data: Name,
    *,
    name: str | None = None,
    normal: str | None = None,
    false_discoveries: float | None = None,
    device: str = "auto",
    terminal: Console | None = None,
) -> Decisions:
    """Accept, review or reject each sample by the policy of the run: RUN/decisions/NAME.parquet.

    Args:
        data: Data as in `train`, or those with a value in a column: "parts.csv:camera=cam-1".
        name: Name of the table; by default that of the data.
        normal: Where the truth is known, which samples are normal, such as "label=ok": the rates are measured then.
        false_discoveries: A share, 0..1: a column `reported` marks the samples of this batch of which, on average over
            batches, at most this share is normal (Benjamini and Hochberg 1995).
        device, terminal: As in `train`.

    Raises:
        PolicyError: There is no policy, it has expired, or it belongs to another model, preprocessing or back end.
        VsslError: See `vssl.errors`.
    """
    from vssl.decisions.decide_run import decide_run

    return decide_run(load(run, device), data, name, normal, false_discoveries, terminal)


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
    from vssl.decisions.probe import predict_run

    return predict_run(run_of(run), Path(labels), of, on, coverage, by_class)


def export(
    run: Run | Name,
    *,
    out: Name | None = None,
    precision: Literal["float32", "int8"] = "float32",
    backbone_only: bool = False,
) -> Path:
    """Write a folder that `vssl.runtime` decides with on a computer without torch, and return its path.

    If the run has a policy, the export gets one of its own: the same guarantee, from the same samples, calibrated with
    the export's numbers. `manifest.json` says how far it is from the run: `parity`.

    Args:
        out: The folder; by default RUN/export, RUN/export-int8 or RUN/backbone.
        precision: int8 computes in 8 bits: several times as fast, a quarter of the size, less exact.
        backbone_only: The encoder alone: its weights as safetensors (a timm encoder's under timm's names), and a
            program that `torch.export.load` reads.

    Raises:
        ExportError: The model or its score has no ONNX form, or the policy's samples are gone.
        ConfigError: The extra `onnx` is not installed.
        VsslError: See `vssl.errors`.
    """
    model = load(run, "cpu")
    if backbone_only:
        from vssl.exporting.backbone import export_backbone

        folder = Path(out or model.run.path / "backbone")
        export_backbone(model, folder)
        return folder
    try:
        from vssl.exporting import folder as exports
    except ImportError as error:
        raise ConfigError(
            f"Exports need the extra onnx: pip install '.[onnx]' in the folder of vssl ({error})."
        ) from error
    folder = Path(out or model.run.path / ("export" if precision == "float32" else f"export-{precision}"))
    exports.export(model, folder, precision)
    return folder
