"""From labels by people to data for a calibration: the samples that were drawn at random, as files of their own kind.

People look at what the score calls unusual. Thresholds from such samples would be far too high, as the ordinary normal
samples are missing among them. So only samples count that were drawn at random whatever their score.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vssl.errors import ConfigError, EmptyDataError
from vssl.modalities.base import LabelledSample, Modality
from vssl.serving.reviews import Reviews
from vssl.serving.samples import Samples
from vssl.serving.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class ReviewedData:
    """Labelled samples as `vssl.calibrate` takes them.

    Attributes:
        normal, defects: Sources of data; None for defects if there are none.
        caveats: What a reader of the policy must know, in sentences.
    """

    normal: str
    defects: str | None
    caveats: list[str]


def address(database: str) -> str:
    """A database as SQLAlchemy names it, from that or from the path of an SQLite file.

    Raises:
        ConfigError: There is no such file.
    """
    if "://" in database:
        return database
    if not Path(database).is_file():
        raise ConfigError(
            f"--from-reviews {database}: there is no such file. vssl serve writes EXPORT/decisions.sqlite."
        )
    return f"sqlite:///{Path(database).absolute()}"


def gather(database: str, review_dir: Path, modality: Modality, group: str | None, out: Path) -> ReviewedData:
    """Write the samples that were drawn at random and labelled, into a folder named by a hash of them.

    Args:
        database: Address as SQLAlchemy takes it.
        review_dir: The folder in which the service keeps samples.
        modality: The modality of the run.
        group: Name for the column of the groups, or None.
        out: The folder in which that folder is made.

    Raises:
        EmptyDataError: There are no normal samples among them.
        ConfigError: This kind of data cannot be written.
    """
    samples, caveats, total = _labelled(Reviews(Store(database)), Samples(review_dir), review_dir, modality, group)
    if not any(sample.label == "normal" for sample in samples):
        raise EmptyDataError(
            f"Of the samples that were drawn at random none is labelled normal and can be used: {total} have a label. "
            f"{' '.join(caveats)} Label more of them on the page of vssl serve; --audit-rate sets the share of samples "
            "that is drawn."
        )
    rows = [(one.number, hashlib.sha256(one.content).hexdigest(), one.label, one.group) for one in samples]
    folder = out / hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]
    normal, defects = modality.write_labelled(folder, samples, group)
    made = f"Made of {len(samples)} samples that were drawn at random in use and labelled by people."
    return ReviewedData(normal, defects if any(one.label == "defect" for one in samples) else None, [made, *caveats])


def _labelled(
    reviews: Reviews, contents: Samples, review_dir: Path, modality: Modality, group: str | None
) -> tuple[list[LabelledSample], list[str], int]:
    """The samples that count, why the others do not, and how many have a label."""
    rows = reviews.labelled()
    # What cannot be used is passed over first, so that no copy of it takes the place of one that can.
    scored = [row for row in rows if row.score is not None]
    named = [row for row in scored if row.group] if group else scored
    last = {row.content: row.label for row in reversed(scored)}
    distinct = _first_of_each((row.content, row) for row in named)
    clear = [row for row in distinct if last[row.content] != "unsure"]
    present = [
        LabelledSample(row.number, row.id, last[row.content] or "", row.group, row.at, content)
        for row in clear
        if (content := contents.get(row.content)) is not None
    ]
    usable, why_not = modality.select_labelled(present)
    copies = len(named) - len(distinct)
    caveats = [f"{copies} were copies of others: each counts once, by its last label."] if copies else []
    left_out = {
        "they cannot be read or have no score: such a sample is reviewed, whatever the thresholds": len(rows)
        - len(scored),
        f"they were sent without a {group}": len(scored) - len(named),
        "people were unsure: the guarantee holds for samples that are clear": len(distinct) - len(clear),
        f"they are not in {review_dir} any more": len(clear) - len(present),
        why_not: len(present) - len(usable),
        "they have no label: if people pass over what is hard to label, the guarantee does not hold for "
        "that": reviews.unlabelled(),
    }
    caveats += [f"{count} more were left out because {why}." for why, count in left_out.items() if count]
    return usable, caveats, len(rows)


def _first_of_each(named: Iterable[tuple[str, T]]) -> list[T]:
    """The first item of each name."""
    first: dict[str, T] = {}
    for name, item in named:
        first.setdefault(name, item)
    return list(first.values())
