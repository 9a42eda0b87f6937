"""Embeddings from arrays."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from vssl.types import Embeddings


@pytest.fixture
def embeddings_from() -> Callable[..., Embeddings]:
    """`embeddings_from(ids, features, log_variance=None, **metadata)`; ids may be a prefix."""

    def build(ids, features, log_variance=None, **metadata) -> Embeddings:
        features = np.asarray(features, dtype=np.float32)
        names = [f"{ids}{row:05d}" for row in range(len(features))] if isinstance(ids, str) else list(ids)
        columns = {"id": pa.array(names, pa.string()), "features": _vectors(features)}
        if log_variance is not None:
            log_variance = np.asarray(log_variance, dtype=np.float32)
            columns |= {"log_variance": _vectors(log_variance), "ambiguity": pa.array(log_variance.mean(axis=1))}
        return Embeddings(pa.table(columns | metadata))

    return build


def _vectors(values: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])
