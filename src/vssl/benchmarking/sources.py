"""The data sets of a comparison."""

from dataclasses import dataclass
from pathlib import Path

from vssl.embedding import default_name


@dataclass(frozen=True)
class Sources:
    """The data of a comparison.

    Attributes:
        train: Training data of the encoders and of the classifiers.
        test: Test data; None evaluates the training data, each sample among the others.
        other: Another data set: outliers and, if it has labels, a transfer task.
        label: Metadata column with the labels.
    """

    train: str
    test: str | None = None
    other: str | None = None
    label: str = "label"

    @property
    def name(self) -> str:
        """Name of the training data; for a folder in an archive that of the archive."""
        path = Path(self.train)
        return default_name(path if path.exists() else path.parent)
