"""Where a sample is unlike the known ones: its places, coloured over its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from vssl.decisions.policy_file import Reference
from vssl.reporting.blend import blend
from vssl.scores import patches
from vssl.types import Embeddings


@dataclass(frozen=True)
class Heat:
    """Colours pictures by the places of their samples.

    Attributes:
        maps: By id: 1 - cosine to the most similar known place, [8, 8].
        low, high: Where the colour begins and where it is full: what 95 % of the known normals' places stay below, and
            what 99.9 % do, so that colour means "rarely so in a normal sample".
    """

    maps: dict[str, Float[np.ndarray, "h w"]]
    low: float
    high: float

    def over(self, name: str, picture: Image.Image | None) -> Image.Image | None:
        """The picture with the colour over it; without a picture or a map as it is."""
        if picture is None or name not in self.maps:
            return picture
        return blend(picture, (self.maps[name] - self.low) / (self.high - self.low))


def heat_of(samples: Embeddings, reference: Reference) -> Heat | None:
    """The maps of some samples beside the bank of a policy; None where the encoder has no places."""
    if "patch_features" not in samples or "patch_features" not in reference.bank:
        return None
    score = patches.fit(patches.Config(), reference.bank)
    maps = dict(zip(samples.ids, score.heat(samples), strict=True))
    return Heat(maps, *score.usual(reference.normal))
