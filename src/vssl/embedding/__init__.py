"""From a trained model and data to a stored table of embeddings, one row per sample.

A newcomer adds a column to `COLUMNS` in `vssl.types.columns`, with the function that computes it.
"""

from vssl.embedding.encode import columns_of, embed_raw, embed_view
from vssl.embedding.header import TableHeader, default_name, model_hash, read_header, table_name
from vssl.embedding.table import embed

__all__ = [
    "TableHeader",
    "columns_of",
    "default_name",
    "embed",
    "embed_raw",
    "embed_view",
    "model_hash",
    "read_header",
    "table_name",
]
