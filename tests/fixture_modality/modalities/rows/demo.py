"""The demo with rows of numbers: normal ones are small, defects are large."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from vssl.modalities.rows import Config

from vssl.modalities.demo import Demo, HoldOut, new_folder

ROWS = 2_000


def demo(scale: float = 1.0) -> Demo:
    """The demo; `scale` multiplies the number of rows."""
    return Demo(
        data=f"{round(scale * ROWS):,} rows of numbers",
        write=lambda folder: write(folder / "data", round(scale * ROWS)),
        config=Config(),
        training="data/training.csv",
        normal="data/known.csv",
        hold_outs=(HoldOut("hold-out", "On the hold-out", "data/hold-out.csv"),),
        steps=20,
        bank="train",
    )


def write(folder: Path, rows: int) -> Path:
    """Write rows of four numbers with a label."""
    with new_folder(folder) as unfinished:
        unfinished.mkdir()
        for seed, name in enumerate(("training", "known", "hold-out")):
            rng = np.random.default_rng(seed)
            defect = (np.arange(rows) % 5 == 0) & (name == "hold-out")
            values = rng.normal(size=(rows, 4)) * np.where(defect, 6, 1)[:, None]
            lines = [
                f"{','.join(map(repr, row))},{'defect' if odd else 'ok'}\n"
                for row, odd in zip(values.tolist(), defect, strict=True)
            ]
            (unfinished / f"{name}.csv").write_text("".join(lines))
    return folder
