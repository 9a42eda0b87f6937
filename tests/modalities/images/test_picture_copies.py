"""Pictures that were saved again are known; others, however alike they look, are not."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from vssl.modalities.copies import SampleMarks
from vssl.modalities.images import copies

SIDE = 48


def parts(count: int, seed: int) -> np.ndarray:
    """Parts that look alike: a disc at nearly one place, on a ground of their own, and noise; uint8 [N, H, W]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = SIDE / 2 + rng.uniform(-2, 2, (count, 2, 1, 1))
    disc = 60 * (np.hypot(y - centre[:, 0], x - centre[:, 1]) < 0.3 * SIDE)
    ground = 60 * ndimage.gaussian_filter(rng.normal(size=(count, SIDE, SIDE)), (0, 3, 3))
    return (110 + disc + ground + 4 * rng.normal(size=(count, SIDE, SIDE))).clip(0, 255).astype(np.uint8)


def saved(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


CHANGES = {
    "quality 70": lambda pixels: saved(pixels, 70),
    "quality 95": lambda pixels: saved(pixels, 95),
    "brighter": lambda pixels: saved((pixels * 1.15).clip(0, 255).astype(np.uint8), 90),
    "shifted": lambda pixels: saved(np.pad(pixels, ((1, 0), (0, 0)), "edge")[:-1], 90),
    "noise": lambda pixels: (
        (pixels + np.random.default_rng(0).normal(0, 2, pixels.shape)).clip(0, 255).astype(np.uint8)
    ),
    "scaled": lambda pixels: np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), 3, (0.5, 0.5, 47.5, 47.5))),
}


def marks(pixels: np.ndarray) -> SampleMarks:
    contents = [f"{hash(picture.tobytes()) & (2**64 - 1):032x}" for picture in pixels]
    return SampleMarks(
        contents, [picture.tobytes() for picture in copies.thumbnails(torch.from_numpy(pixels)[:, None])]
    )


@pytest.fixture(scope="module")
def training() -> np.ndarray:
    return parts(150, 0)


@pytest.fixture(scope="module")
def finder(training: np.ndarray) -> copies.PictureCopyDetector:
    return _finder(training)


def _finder(training: np.ndarray) -> copies.PictureCopyDetector:
    pictures = copies.thumbnails(torch.from_numpy(training)[:, None])
    return copies.PictureCopyDetector({"pictures": pictures, "contents": np.empty(0, np.uint64)})


@pytest.mark.parametrize("change", list(CHANGES))
def test_training_pictures_that_were_changed_a_little_are_known(finder, training: np.ndarray, change: str):
    changed = np.stack([CHANGES[change](pixels) for pixels in training[:40]])
    assert finder.seen(marks(changed)).near.mean() >= 0.9


def test_different_pictures_are_not_called_however_alike(finder):
    other = marks(parts(150, 1))
    assert finder.seen(other).near.mean() <= 0.01
    assert len(set(finder.first(other).tolist())) >= 149


def test_a_picture_with_a_defect_is_no_copy_of_what_it_was_without(finder, training: np.ndarray):
    spoilt = training[:40].copy()
    spoilt[:, 20:28, 20:28] = 255
    assert not finder.seen(marks(spoilt)).near.any()


def test_copies_of_each_other_are_one(finder):
    base = parts(20, 2)
    again = np.stack([saved(pixels, quality) for quality in (85, 90, 95) for pixels in base])
    first = finder.first(marks(np.concatenate([base, again])))
    np.testing.assert_array_equal(first, np.tile(np.arange(20), 4))


def test_copies_within_the_training_do_not_hide_other_copies(training: np.ndarray):
    copied = np.stack([saved(pixels, 90) for pixels in training[:50]])
    finder = _finder(np.concatenate([training, copied]))
    again = np.stack([saved(pixels, 80) for pixels in training[:40]])
    assert finder.seen(marks(again)).near.mean() >= 0.9
    assert finder.seen(marks(parts(100, 3))).near.mean() <= 0.02


@pytest.mark.parametrize(("height", "width"), [(8, 8), (96, 3), (1, 40), (16, 16)])
def test_pictures_of_any_shape_and_without_any_contrast_do(height: int, width: int):
    pixels = np.random.default_rng(0).integers(0, 255, (20, height, width), dtype=np.uint8)
    pixels[3:6] = 7
    finder = _finder(pixels)
    assert len(finder.seen(marks(pixels[:5])).near) == 5
    assert len(finder.first(marks(pixels))) == 20
    assert len(finder.seen(marks(pixels[:0])).near) == len(finder.first(marks(pixels[:0]))) == 0


def test_the_small_pictures_of_a_large_one_have_its_proportions():
    assert copies.thumbnails(torch.zeros(2, 3, 40, 96, dtype=torch.uint8)).shape == (2, 20, 49)
    assert copies.thumbnails(torch.zeros(2, 1, 40, 24, dtype=torch.uint8)).shape == (2, 40, 24)
