"""Real handwritten digits that scikit-learn brings along, as pictures in folders by class, for `make bench`.

    python benchmarks/digits.py digits

1,797 digits (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998), 8 x 8 pixels of 17 grey values,
enlarged to 32 x 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image
from sklearn.datasets import load_digits

SIDE = 32


@dataclass(frozen=True)
class Options:
    """Write the digits.

    Attributes:
        folder: Gets a folder for each class.
    """

    folder: tyro.conf.Positional[Path]


def main(options: Options) -> None:
    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        place = options.folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((pixels * 255 / 16).astype(np.uint8))
        picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(place / f"{number:04d}.png")


if __name__ == "__main__":
    main(tyro.cli(Options))
