"""Thumbnails of samples: the least and the most ambiguous, and the nearest neighbours of a few."""

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

Pictures = Callable[[Sequence[str]], Sequence[Image.Image | None]]
SIDE = 112
TINY = 48


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    Attributes:
        id: The sample's id, as the user named it.
        uri: The picture as a data URI; None where the original is no longer there.
        tiny: Whether the picture is smaller than its frame, so that it is enlarged without smoothing.
        value: The number shown below it.
        label: The sample's label, if there is one.
    """

    id: str
    uri: str | None
    tiny: bool
    value: str = ""
    label: str | None = None


def shrink(ids: Iterable[str], pictures: Pictures) -> dict[str, Image.Image | None]:
    """Thumbnails of at most 112 pixels per side. All pictures are loaded in one call: opening a data set takes long."""
    wanted = list(dict.fromkeys(ids))
    images = pictures(wanted) if wanted else []
    return {name: image and thumbnail(image) for name, image in zip(wanted, images, strict=True)}


def thumbnail(image: Image.Image) -> Image.Image:
    """The image in RGB or RGBA, at most 112 pixels per side."""
    # Colours first, then the size: resizing the indices of a palette would mix unrelated colours.
    small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((SIDE, SIDE))
    return small


def tile(name: str, image: Image.Image | None, value: str = "", label: str | None = None, side: int = SIDE) -> Tile:
    """The tile of a thumbnail, no larger than `side` pixels."""
    if image is None:
        return Tile(name, None, False, value, label)
    uri = "data:image/webp;base64," + base64.b64encode(webp(image, side)).decode()
    return Tile(name, uri, max(image.size) <= TINY, value, label)


def webp(image: Image.Image, side: int = SIDE) -> bytes:
    """A thumbnail as WebP, no larger than `side` pixels; lossless where it is tiny."""
    copy, buffer = image.copy(), io.BytesIO()
    copy.thumbnail((side, side))
    copy.save(buffer, "WEBP", lossless=max(image.size) <= TINY, quality=80)
    return buffer.getvalue()


def extremes(
    ambiguity: Float[np.ndarray, " N"], count: int = 24
) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
    """Rows of the least (lowest first) and of the most ambiguous samples (highest first); no row is in both."""
    order = np.argsort(ambiguity, kind="stable")
    order = order[np.isfinite(ambiguity[order])]
    count = min(count, len(order) // 2)
    return order[:count], order[::-1][:count]


def neighbours(
    features: Float[np.ndarray, "N F"], queries: int = 8, count: int = 7
) -> list[tuple[int, Int[np.ndarray, " K"], Float[np.ndarray, " K"]]]:
    """For a few samples, evenly spaced over the table: their row, their nearest rows by cosine, and the cosines."""
    length = np.maximum(np.linalg.norm(features, axis=1), np.finfo(np.float32).tiny)
    nearest_of = []
    for row in np.unique(np.linspace(0, len(features) - 1, queries).astype(int)).tolist():
        cosine = features @ features[row] / (length * length[row])
        order = np.argsort(-cosine, kind="stable")
        nearest = order[order != row][:count]
        nearest_of.append((row, nearest, cosine[nearest]))
    return nearest_of
