"""The exported encoder at work: raw samples to the columns of the embeddings, as the other computer will get them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import torch

from vssl.modalities.copies import content_hashes
from vssl.runtime.sessions import outputs, session
from vssl.types import Embeddings, to_arrow

Found = Iterable[tuple[str, torch.Tensor, dict[str, Any]]]
"""Samples as `Modality.find` gives them."""


class Encoded:
    """An exported graph in a session of onnxruntime."""

    def __init__(self, graph: onnx.ModelProto, threads: int = 0) -> None:
        self._session = session(graph.SerializeToString(), threads)

    def __call__(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """All outputs by name for a raw batch of any size; see `outputs`."""
        return outputs(self._session, raw)

    def embeddings(self, samples: Found, kept: tuple[str, ...] = ()) -> Embeddings:
        """The table of some samples, with these columns of their metadata, or `score` of a whole graph's own."""
        names, raw, rows = zip(*samples, strict=True)
        stacked = torch.stack(raw)
        found = self(stacked.numpy())
        columns = {name: to_arrow(found[name]) for name in found if name in (*Embeddings.COLUMNS, *kept)}
        columns |= {"id": pa.array(names), "content": pa.array(content_hashes(stacked))}
        kept = tuple(name for name in kept if name not in columns)
        return Embeddings(pa.table(columns | {name: pa.array([row[name] for row in rows]) for name in kept}))
