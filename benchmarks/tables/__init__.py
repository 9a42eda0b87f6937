"""Tables of the documentation, made from the records. `python -m benchmarks.tables` writes them into the pages.

A newcomer adds a function with `@table(NAME, RECORD, ...)` to `quality`, `inspection`, `guarantees` or `speed`, and the
lines `<!-- table: NAME -->` and `<!-- end of table -->` to a page.
"""

from benchmarks.tables import guarantees, inspection, quality, speed
from benchmarks.tables.registry import TABLES, render, show

__all__ = ["TABLES", "guarantees", "inspection", "quality", "render", "show", "speed"]
