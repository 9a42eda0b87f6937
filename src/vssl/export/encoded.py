"""The exported encoder at work: raw samples to the columns of the embeddings, as the other computer will get them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import torch

from vssl.embed import to_arrow
from vssl.modalities.copies import content
from vssl.runtime.sessions import session
from vssl.types import Embeddings

BATCH = 64

Found = Iterable[tuple[str, torch.Tensor, dict[str, Any]]]
"""Samples as `Modality.find` gives them."""


class Encoded:
    """An exported graph in a session of onnxruntime."""

    def __init__(self, graph: onnx.ModelProto, threads: int = 0) -> None:
        self._session = session(graph.SerializeToString(), threads)

    def __call__(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """All outputs by name for a raw batch of any size."""
        names = [output.name for output in self._session.get_outputs()]
        given = self._session.get_inputs()[0].name
        parts = [self._session.run(names, {given: raw[at : at + BATCH]}) for at in range(0, len(raw), BATCH)]
        return {name: np.concatenate(values) for name, values in zip(names, zip(*parts, strict=True), strict=True)}

    def embeddings(self, samples: Found, kept: tuple[str, ...] = ()) -> Embeddings:
        """The table of some samples, with these columns of their metadata."""
        names, raw, rows = zip(*samples, strict=True)
        stacked = torch.stack(raw)
        columns = {name: to_arrow(values) for name, values in self(stacked.numpy()).items()}
        columns |= {"id": pa.array(names), "content": pa.array(content(stacked))}
        return Embeddings(pa.table(columns | {name: pa.array([row[name] for row in rows]) for name in kept}))
