"""An exported graph in onnxruntime: from raw samples to what the other computer will compute of them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from jaxtyping import Shaped

from vssl.modalities.copies import content_hashes
from vssl.runtime.sessions import outputs, session
from vssl.types import Embeddings

Sample = tuple[str, torch.Tensor, dict[str, Any]]
"""Name, raw sample and metadata, as `Modality.find` yields them."""


class OnnxEncoder:
    """An exported graph, of the encoder alone or with the score."""

    def __init__(self, graph: onnx.ModelProto, threads: int = 0) -> None:
        self._session = session(graph.SerializeToString(), threads)

    def __call__(self, raw: Shaped[np.ndarray, "B ..."]) -> dict[str, np.ndarray]:
        """All outputs by name for a raw batch of any size."""
        return outputs(self._session, raw)

    def embeddings(
        self, samples: Iterable[Sample], metadata: Sequence[str] = ()
    ) -> tuple[Embeddings, dict[str, np.ndarray]]:
        """The table of some samples with these columns of their metadata, and the outputs that are no columns of it."""
        ids: list[str] = []
        contents: list[str] = []
        rows: list[dict[str, Any]] = []
        found: list[dict[str, np.ndarray]] = []
        for name, raw, row in samples:
            ids.append(name)
            rows.append(row)
            contents += content_hashes(raw[None])
            found.append(self(raw[None].numpy()))
        values = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
        columns: dict[str, Any] = {name: values.pop(name) for name in Embeddings.COLUMNS if name in values}
        columns["content"] = contents
        columns |= {name: [row[name] for row in rows] for name in metadata}
        return Embeddings.from_columns(ids, columns), values
