"""The demo with images: pictures of machined parts on an inspection line, with defects whose truth is known.

A newcomer adds a kind of defect in `defects`, a camera in `cameras` or a supplier in `surfaces`.
"""

from __future__ import annotations

from pathlib import Path

from sklearn.metrics import roc_auc_score

from vssl.modalities.demo import Demo, HoldOut, Metric
from vssl.modalities.images import Config
from vssl.modalities.images.demo.inspection import Line, write
from vssl.types import Embeddings

PARTS, HOLD_OUT = 3_000, 1_000
# Enough good ones among them for a reference set, and for a guarantee of 1 % by the other half.
KNOWN = 1_000
ENCODER = "convnet/small"


def demo(scale: float = 1.0) -> Demo:
    """The demo; `scale` multiplies the number of samples."""
    parts, hold_out, known = (round(scale * count) for count in (PARTS, HOLD_OUT, KNOWN))

    def write_all(folder: Path) -> None:
        write(Line(seed=0), folder / "parts", parts, labelled=False)
        write(Line(seed=1), folder / "hold-out", hold_out, labelled=True)
        write(Line(seed=2), folder / "known", known, labelled=True)
        write(Line(seed=3, cameras=("cam-3",)), folder / "third-camera", hold_out, labelled=True)

    return Demo(
        data=f"{parts:,} pictures of parts without labels, and {known + 2 * hold_out:,} with labels",
        write=write_all,
        config=Config(views="inspection"),
        encoder=ENCODER,
        training="parts/parts.csv",
        normal="known/parts.csv:label=ok",
        hold_outs=(
            HoldOut("hold-out", "On the hold-out", "hold-out/parts.csv"),
            HoldOut("third-camera", "With a third camera that nobody calibrated", "third-camera/parts.csv"),
        ),
        findings=findings,
    )


def findings(samples: Embeddings, metric: Metric) -> list[str]:
    """What the embeddings know of suppliers, cameras, defects and borderline parts."""
    supplier, camera = (metric(column, "knn/accuracy") for column in ("supplier", "camera"))
    linear = metric("label", "linear/balanced_accuracy_100")
    borderline = roc_auc_score(samples.numpy("borderline") == "true", samples.numpy("ambiguity"))
    return [
        f"The encoder had no labels, and sorts the parts by supplier ({supplier:.0%} lie among parts of their own "
        f"supplier; chance is 33 %) and by camera ({camera:.0%}; chance is 50 %).",
        f"A linear classifier on the embeddings tells ok from defect in {linear:.0%} of cases, with both classes "
        "weighted equally (chance is 50 %).",
        "The encoder's own ambiguity ranks a random part whose nearest neighbour got another label above a random "
        f"other one in {metric('label', 'retrieval/r_auroc/ambiguity'):.0%} of pairs, and a part near the inspector's "
        f"limit above a clear one in {borderline:.0%} (chance is 50 %): it says how far the encoder itself finds a "
        "part undetermined, and knows neither defects nor the inspector's limit. Those take labels.",
        "The score below is fitted without any defect. Its AUROC is the share of pairs in which a random defect scores "
        "above a random good part (chance is 0.5).",
    ]
