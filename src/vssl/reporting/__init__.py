"""The report: one self-contained page about a run, for the person who has to decide whether to use the encoder.

A newcomer adds here a section: a file that turns data into what is shown, and a `<section>` in `page.html.jinja`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vssl.reporting.decisions import Elsewhere
    from vssl.reporting.gallery import Pictures
    from vssl.run import Run


def build(
    run: Run, pictures: Pictures, embeddings: str = "train", sample: int = 2000, elsewhere: Elsewhere | None = None
) -> Path:
    """Write the report of a run; see `page.build`."""
    # Imported late: matplotlib and scikit-learn take as long as all the rest of vssl, and most verbs need neither.
    from vssl.reporting import page

    return page.build(run, pictures, embeddings, sample, elsewhere or page.nowhere)
