"""Anomaly maps of samples: the patches that are unlike those of known samples, drawn over the pictures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from vssl.decisions.policy import Policy
from vssl.decisions.policy_file import Reference
from vssl.reporting.overlay import overlay
from vssl.scores import patches
from vssl.types import Embeddings


@dataclass(frozen=True)
class AnomalyMaps:
    """The anomaly maps of some samples, with their colour scale.

    Attributes:
        maps: By id: how unlike the known patches each patch is; higher is worse.
        low, high: Where the colour begins and where it is full: the 95 % and the 99.9 % quantile of the patches of
            known normal samples, so that coloured patches are rare in normal samples.
    """

    maps: dict[str, Float[np.ndarray, "h w"]]
    low: float
    high: float

    def draw(self, name: str, picture: Image.Image | None) -> Image.Image | None:
        """The picture with its map; unchanged without a picture or a map."""
        if picture is None or name not in self.maps:
            return picture
        return overlay(picture, (self.maps[name] - self.low) / (self.high - self.low))


def anomaly_maps(samples: Embeddings, policy: Policy, reference: Reference) -> AnomalyMaps | None:
    """The maps of some samples by the score of a policy, or by their patches; None where the encoder has no patches."""
    anomaly_map = policy.score.fit(reference.bank).anomaly_map
    if anomaly_map is None and "patch_features" in samples and "patch_features" in reference.bank:
        anomaly_map = patches.anomaly_map(patches.Config(), reference.bank)
    if anomaly_map is None or not len(samples):
        return None
    maps = dict(zip(samples.ids, anomaly_map(samples), strict=True))
    return AnomalyMaps(maps, *anomaly_map.colour_range(reference.normal))
