"""The anomaly map that shows most: by the patch memory where the bank holds one, else by the nearest samples."""

from vssl.scores import patch_memory, patches
from vssl.scores.base import AnomalyMap
from vssl.types import Embeddings


def finest_map(bank: Embeddings) -> AnomalyMap:
    """The anomaly map of highest resolution that the bank of a policy allows.

    Raises:
        ConfigError: The embeddings have no patches.
    """
    if "patch_memory" in bank:
        fitted = patch_memory.fit(patch_memory.Config(), bank).anomaly_map
        assert fitted is not None
        return fitted
    return patches.anomaly_map(patches.Config(), bank)
