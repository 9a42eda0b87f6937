"""The table of defects on inspection pictures."""

from __future__ import annotations

import numpy as np

from benchmarks.common.record import Record
from benchmarks.tables.registry import grouped, interval, markdown, table

COLUMNS = {
    "auroc": ("AUROC", 3, 1),
    "misses_at_0.01": ("Misses at 1 %, %", 0, 100),
    "misses_at_0.05": ("at 5 %, %", 0, 100),
    "aupro_0.3": ("AUPRO30", 3, 1),
    "hits_at_0.01": ("Regions hit at 1 %, %", 0, 100),
    "ms_per_picture": ("ms per picture", 0, 1),
}


@table("inspection")
def inspection(record: Record) -> str:
    """A row per data set and method, the best AUROC first; means over the seeds."""
    lines = []
    for (name,), of_set in grouped(record.rows, "set").items():
        methods = grouped(of_set, "row")
        for (row,), rows in sorted(methods.items(), key=lambda item: -np.mean([each["auroc"] for each in item[1]])):
            cells = (
                interval([each[key] for each in rows if key in each], digits, scale)
                for key, (_, digits, scale) in COLUMNS.items()
            )
            lines.append([name, row, len(rows), *cells])
    return markdown(["Data", "Row", "Seeds", *(head for head, _, _ in COLUMNS.values())], lines)
