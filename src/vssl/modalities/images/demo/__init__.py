"""The demo with images: pictures of machined parts on an inspection line, with defects whose truth is known.

A newcomer adds a kind of defect in `defects`, a camera in `cameras` or a supplier in `surfaces`.
"""

from __future__ import annotations

from pathlib import Path

from vssl.modalities.demo import Demo, HoldOut, Metric
from vssl.modalities.images import Config
from vssl.modalities.images.demo.inspection import Line, write
from vssl.types import Embeddings

PARTS, HOLD_OUT, THIRD_CAMERA = 1_200, 600, 300
# One half of the good ones is the reference set. The other half guarantees 1 % from 299 on; with 773 and more, three of
# them may lie above the threshold, and fewer defects pass.
KNOWN = 1_650
ENCODER = "convnet/small"
STEPS = 150


def demo(scale: float = 1.0) -> Demo:
    """The demo; `scale` multiplies the number of samples."""
    parts, hold_out, third, known = (round(scale * count) for count in (PARTS, HOLD_OUT, THIRD_CAMERA, KNOWN))

    def write_all(folder: Path) -> None:
        write(Line(seed=0), folder / "parts", parts, labelled=False)
        write(Line(seed=1), folder / "hold-out", hold_out, labelled=True)
        write(Line(seed=2, defect_rate=0.02), folder / "known", known, labelled=True)
        write(Line(seed=3, cameras=("cam-3",)), folder / "third-camera", third, labelled=True)

    return Demo(
        data=f"{parts:,} pictures of parts without labels, and {known + hold_out + third:,} with labels",
        write=write_all,
        config=Config(views="inspection"),
        encoder=ENCODER,
        steps=STEPS,
        training="parts/parts.csv",
        normal="known/parts.csv:label=ok",
        hold_outs=(
            HoldOut("hold-out", "On the hold-out", "hold-out/parts.csv"),
            HoldOut("third-camera", "With a third camera that nobody calibrated", "third-camera/parts.csv"),
        ),
        findings=findings,
    )


def findings(samples: Embeddings, metric: Metric) -> list[str]:
    """What the embeddings know of suppliers and cameras."""
    supplier, camera = (metric(column, "knn/accuracy") for column in ("supplier", "camera"))
    return [
        f"The encoder had no labels, and sorts the parts by supplier ({supplier:.0%} lie among parts of their own "
        f"supplier; chance is 33 %) and by camera ({camera:.0%}; chance is 50 %).",
        "The score below is fitted without any defect. Its AUROC is the share of pairs in which a random defect scores "
        "above a random good part (chance is 0.5).",
    ]
