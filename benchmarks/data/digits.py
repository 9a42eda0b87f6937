"""Handwritten digits that scikit-learn contains, as pictures in a folder per class, for `make bench`.

    python -m benchmarks.data.digits digits

1,797 digits (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998) of 8 x 8 pixels with 17 grey values,
enlarged to 32 x 32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tyro
from PIL import Image
from sklearn.datasets import load_digits

SIDE = 32


def main(folder: tyro.conf.Positional[Path], count: int | None = None) -> None:
    """Write the digits.

    Args:
        folder: Gets a folder per class.
        count: How many digits are written; all 1,797 by default.
    """
    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images[:count], digits.target[:count], strict=True)):
        path = folder / str(label) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((pixels * 255 / 16).astype(np.uint8))
        picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)


if __name__ == "__main__":
    tyro.cli(main)
