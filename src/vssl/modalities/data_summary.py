"""What was measured on the training data, to be read by a person."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class DataSummary:
    """What was measured on the training data, as a table for a person.

    Attributes:
        title: What the rows are.
        columns: Their headings.
        rows: Texts.
        note: What else there is to know, in sentences.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str
