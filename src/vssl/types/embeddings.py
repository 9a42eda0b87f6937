"""The table of embeddings: one row per sample, with the columns of `vssl.types.columns` and the data set's metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from vssl.types.columns import COLUMNS

if TYPE_CHECKING:
    import pandas
    import polars


def to_arrow(values: Any) -> pa.Array:
    """A column of N values: of numbers or text from an array [N] or a list, of vectors or tensors from [N, D, ...].

    Tensors have Arrow's type `fixed_shape_tensor`, which holds their shape, so that a reader of the table knows it.
    """
    if not isinstance(values, np.ndarray) or values.ndim < 2:
        return pa.array(values)
    shape = values.shape[1:]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), math.prod(shape))
    if len(shape) == 1:
        return vectors
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(vectors.type.value_type, shape), vectors)


class Embeddings:
    """A table of embeddings: one row per sample, convertible to NumPy, torch, pandas and polars.

    Which columns there are and what they mean is declared in `vssl.types.columns`. Methods without a variance have
    neither `log_variance` nor `ambiguity`, encoders without feature maps no `patch_features`. All columns but those in
    `COLUMNS` are the metadata of the data set.

    Attributes:
        COLUMNS: Names that metadata may not have.
        table: The rows.
    """

    COLUMNS = tuple(column.name for column in COLUMNS)

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @classmethod
    def from_columns(cls, ids: Sequence[str], columns: Mapping[str, Any]) -> Embeddings:
        """A table of N samples.

        Args:
            ids: One name per sample.
            columns: Arrays [N] or [N, D, ...], or lists of N values, by name.
        """
        arrays = {"id": pa.array(ids, pa.string())}
        return cls(pa.table(arrays | {name: to_arrow(values) for name, values in columns.items()}))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"Embeddings({len(self)} samples, features {self.features.shape[1]}, columns {self.table.column_names})"

    def __contains__(self, column: str) -> bool:
        return column in self.table.column_names

    @property
    def source(self) -> str:
        """Where the data lay; "" for a table that was never stored."""
        return str(self._header().get("source", ""))

    @property
    def notes(self) -> list[str]:
        """How the data were read: what they were recognised as, and what was left out."""
        return list(self._header().get("notes", []))

    @property
    def ids(self) -> list[str]:
        return list(self.table["id"].to_pylist())

    @property
    def features(self) -> np.ndarray:
        return self.numpy("features")

    def numpy(self, column: str) -> np.ndarray:
        """The column as an array: [N] for numbers and text, [N, D] for vectors, [N, ...] for tensors.

        Raises:
            KeyError: There is no such column.
        """
        values = self.table[column].combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = values.chunk(0) if values.num_chunks else pa.array([], type=values.type)
        array: np.ndarray
        if isinstance(values, pa.FixedShapeTensorArray):
            array = values.to_numpy_ndarray()
        elif pa.types.is_fixed_size_list(values.type):
            array = values.flatten().to_numpy().reshape(len(values), values.type.list_size)
        else:
            array = values.to_numpy(zero_copy_only=False)
        return array

    def torch(self, column: str) -> Tensor:
        """The numeric column as a tensor on the CPU."""
        return torch.from_numpy(self.numpy(column).copy())

    def take(self, rows: Int[np.ndarray, " M"]) -> Embeddings:
        """The samples of these rows, in their order."""
        return Embeddings(self.table.take(pa.array(rows)))

    def where(self, mask: Bool[np.ndarray, " N"]) -> Embeddings:
        """The samples whose entry is True, in their order."""
        return Embeddings(self.table.filter(pa.array(mask)))

    def pandas(self) -> pandas.DataFrame:
        return self.table.to_pandas()

    def polars(self) -> polars.DataFrame:
        import polars

        frame = polars.from_arrow(self.table)
        assert isinstance(frame, polars.DataFrame)
        return frame

    def _header(self) -> dict[str, Any]:
        header: dict[str, Any] = json.loads((self.table.schema.metadata or {}).get(b"vssl", b"{}"))
        return header
