"""The report: one self-contained HTML page about a run, for the person who decides whether to use the encoder.

A newcomer adds a section: a file that turns data into what is shown, and a `<section>` in `page.html.jinja`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vssl.reporting.decisions import PictureLoader
    from vssl.reporting.gallery import Pictures
    from vssl.run import Run


def build(
    run: Run,
    pictures: Pictures,
    embeddings: str = "train",
    sample: int = 2000,
    load_pictures: PictureLoader | None = None,
) -> Path:
    """Write the report of a run; see `page.build`."""
    # Imported late: matplotlib and scikit-learn take long to import, and most commands need neither.
    from vssl.reporting import decisions, page

    return page.build(run, pictures, embeddings, sample, load_pictures or decisions.no_pictures)
