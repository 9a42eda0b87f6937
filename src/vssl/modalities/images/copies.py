"""Pictures that are known again when they were saved again, brightened or shifted a little.

Good parts look alike, so likeness alone says nothing. Of each picture a small grey one is kept. Candidates are those
whose 16 x 16 pictures correlate most; each is laid over the picture as well as it can be (whole pixels, then parts of a
pixel, size, brightness, sharpness), and what is left is compared with two rulers: what saving the picture as a JPEG
leaves, and what other pictures of the training that look like it leave. How small it must be follows from the training
pictures themselves, nearly all of which are different pictures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from vssl.modalities.base import Dataset, in_order
from vssl.modalities.copies import CopyMatches, ExactCopyDetector, Memory, SampleMarks
from vssl.modalities.images.residuals import joint_residuals, residuals

THUMBNAIL_PIXELS, COARSE_SIDE = 1024, 16  # of the small pictures, at most
CANDIDATES = 16
LOOKALIKES = 8  # the least similar of the candidates, taken as different pictures: nobody copies one so often
JPEG_QUALITY = 70
MAX_JPEG_RATIO = 1.25  # what is left of a copy is at most so many times what a JPEG of that quality leaves,
MAX_LOOKALIKE_SHARE = 0.65  # and at most this share of what the others leave
FALSE_MATCH_SHARE = 0.003  # share of the training pictures that may pass for copies of one another
THRESHOLD_SAMPLE = 1000  # training pictures that the threshold is taken from
NEAREST_TO_FIFTH = 0.5  # the nearest picture leaves at least this share of what the fifth does, where it is no copy
FEW_TRAINING_FACTOR = 0.85
"""By this the threshold is lowered where there are too few training pictures to see how alike different ones may be."""
BATCH, BLOCK = 256, 2**14

Small = Float[Tensor, "N h w"]
Thumbnails = UInt8[np.ndarray, "N h w"]
Rows = Int[np.ndarray, " N"]


def thumbnails(raw: UInt8[Tensor, "B C H W"]) -> UInt8[np.ndarray, "B h w"]:
    """Grey pictures of at most `THUMBNAIL_PIXELS` pixels, in the same proportions."""
    # Not `raw.float().mean(1)`: four times the bytes of a large picture.
    grey = raw.sum(1, keepdim=True, dtype=torch.float32) / raw.shape[1]
    factor = min(1.0, (THUMBNAIL_PIXELS / (grey.shape[2] * grey.shape[3])) ** 0.5)
    height, width = (max(1, int(side * factor)) for side in grey.shape[2:])
    return F.adaptive_avg_pool2d(grey, (height, width))[:, 0].round().to(torch.uint8).numpy()


def remember(dataset: Dataset) -> dict[str, np.ndarray]:
    """What is kept of training pictures: small ones."""
    return {"pictures": np.concatenate([thumbnails(raw) for raw in in_order(dataset, BATCH)])}


class PictureCopyDetector:
    """Knows pictures again by what `remember` kept of the training."""

    doubts: Sequence[str] = ()

    def __init__(self, memory: Memory) -> None:
        self._exact = ExactCopyDetector(memory)
        self._training = memory["pictures"]
        self._strangers: dict[bytes, float] = {}

    def seen(self, marks: SampleMarks) -> CopyMatches:
        return self._with_near(self._exact.seen(marks).exact, marks, self._training)

    def among(self, marks: SampleMarks, others: SampleMarks) -> CopyMatches:
        return self._with_near(self._exact.among(marks, others).exact, marks, self._of(others))

    def _with_near(self, exact: Bool[np.ndarray, " N"], marks: SampleMarks, others: Thumbnails) -> CopyMatches:
        near = np.array([len(rows) > 0 for rows in self._matches(self._of(marks), others)], bool)
        return CopyMatches(exact, near & ~exact)

    def first(self, marks: SampleMarks) -> Int[np.ndarray, " N"]:
        pictures, count = self._of(marks), len(marks)
        if not count:
            return np.empty(0, int)
        near = self._matches(pictures, pictures, np.arange(count))
        same = self._exact.first(marks)
        pairs = [(row, int(other)) for row, others in enumerate(near) for other in others]
        links = np.array([*pairs, *enumerate(same.tolist())]).T
        graph = csr_array((np.ones(links.shape[1]), links), (count, count))
        cluster = connected_components(graph, directed=False)[1]
        return np.asarray(np.unique(cluster, return_index=True)[1][cluster])

    def _of(self, marks: SampleMarks) -> UInt8[np.ndarray, "N h w"]:
        flat = np.frombuffer(b"".join(marks.signatures), np.uint8)
        # A copy, as torch warns of arrays that are read-only.
        return flat.copy().reshape(len(marks), *self._training.shape[1:])

    def _matches(
        self, pictures: Thumbnails, others: UInt8[np.ndarray, "M h w"], own: Rows | None = None
    ) -> list[Int[np.ndarray, " k"]]:
        """Of each picture the rows of the others that are copies of it; `own` is its own row among them."""
        rows, times = _compared(pictures, others, own, self._strangers_of(pictures))
        return [each[of < self._limit] for each, of in zip(rows, times, strict=True)]

    def _strangers_of(self, pictures: Thumbnails) -> Float[np.ndarray, " N"]:
        """The residuals of look-alikes; those of a picture are computed once, however often it is asked for."""
        keys = [hashlib.blake2b(picture.tobytes(), digest_size=16).digest() for picture in pictures]
        first = {key: row for row, key in enumerate(keys) if key not in self._strangers}
        new = _lookalike_residual(pictures[list(first.values())], self._training)
        self._strangers.update(zip(first, new.tolist(), strict=True))
        return np.array([self._strangers[key] for key in keys])

    @cached_property
    def _limit(self) -> float:
        """So many times what a JPEG leaves may be left of a copy: so little that hardly a training picture is one."""
        own = np.sort(np.random.default_rng(0).permutation(len(self._training))[:THRESHOLD_SAMPLE])
        pictures = self._training[own]
        strangers = _lookalike_residual(pictures, self._training, own)
        times = np.sort(_compared(pictures, self._training, own, strangers)[1], axis=1)
        allowed = int(FALSE_MATCH_SHARE * len(own))
        nearest, fifth = (np.sort(times[:, rank:].min(axis=1, initial=np.inf))[allowed] for rank in (0, 4))
        # Where the training holds copies itself, the nearest are those, and the fifth still are different pictures.
        return float(
            min(MAX_JPEG_RATIO, max(nearest, NEAREST_TO_FIFTH * fifth)) * (1.0 if allowed else FEW_TRAINING_FACTOR)
        )


def _compared(
    pictures: UInt8[np.ndarray, "N h w"],
    others: UInt8[np.ndarray, "M h w"],
    own: Int[np.ndarray, " N"] | None,
    strangers: Float[np.ndarray, " N"],
) -> tuple[Int[np.ndarray, "N k"], Float[np.ndarray, "N k"]]:
    """The candidates of each picture, and what each leaves of it, in what a JPEG of the two leaves.

    Infinite where the candidate is no more like the picture than those are that are known to be others.
    """
    rows = _candidates(pictures, others, own)
    left = residuals(pictures, others, rows)
    alike = left < MAX_LOOKALIKE_SHARE * strangers[:, None]
    # Of two pictures, one may have been saved already, and a second time leaves nothing.
    times = np.full(rows.shape, np.inf)
    saved = (_jpeg_residual(pictures, np.nonzero(alike)[0]), _jpeg_residual(others, rows[alike]))
    times[alike] = left[alike] / np.maximum(*saved)
    return rows, times


def _candidates(
    pictures: UInt8[np.ndarray, "N h w"], others: UInt8[np.ndarray, "M h w"], own: Int[np.ndarray, " N"] | None
) -> Int[np.ndarray, "N k"]:
    """The others that correlate most with each picture, the most alike first."""
    count = min(CANDIDATES, len(others) - (own is not None))
    mine = _coarse(pictures)
    best, rows = torch.empty(len(pictures), 0), torch.empty(len(pictures), 0, dtype=torch.int64)
    for first in range(0, len(others), BLOCK):
        alike = mine @ _coarse(others[first : first + BLOCK]).T
        if own is not None:
            inside = np.flatnonzero((own >= first) & (own < first + alike.shape[1]))
            alike[inside, own[inside] - first] = -torch.inf
        found = alike.topk(min(count, alike.shape[1]), dim=1)
        both, which = torch.cat([best, found.values], 1), torch.cat([rows, found.indices + first], 1)
        best, place = both.topk(min(count, both.shape[1]), dim=1)
        rows = which.gather(1, place)
    return rows.numpy()


def _coarse(pictures: UInt8[np.ndarray, "N h w"]) -> Float[Tensor, "N d"]:
    whole = torch.from_numpy(pictures).float()[:, None]
    parts = F.adaptive_avg_pool2d(whole, (min(COARSE_SIDE, whole.shape[2]), min(COARSE_SIDE, whole.shape[3])))
    return _standard(parts[:, 0])


def _standard(values: Float[Tensor, "... h w"]) -> Float[Tensor, "... d"]:
    """Without mean and of length 1, so that products are correlations; of what is flat nearly 0."""
    flat = values.flatten(-2)
    flat = flat - flat.mean(-1, keepdim=True)
    length: Tensor = flat.norm(dim=-1, keepdim=True)
    return flat / (length + 1e-3)


def _jpeg_residual(pictures: UInt8[np.ndarray, "M h w"], rows: Rows) -> Float[np.ndarray, " N"]:
    """What saving leaves of the pictures in these rows."""
    used, place = np.unique(rows, return_inverse=True)
    pictures = pictures[used]
    saved = np.empty_like(pictures)
    for row, picture in enumerate(pictures):
        buffer = BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY)
        saved[row] = np.asarray(Image.open(buffer))
    # Rounding to whole grey levels leaves that much of anything.
    left = residuals(pictures, saved, np.arange(len(pictures))[:, None])[place, 0]
    return np.asarray(left.clip(min=12**-0.5))


def _lookalike_residual(
    pictures: Thumbnails, training: UInt8[np.ndarray, "M h w"], own: Rows | None = None
) -> Float[np.ndarray, " N"]:
    """What other pictures of the training, which look like a picture, leave of it all together."""
    rows = _candidates(pictures, training, own)
    return joint_residuals(pictures, training, rows[:, -min(LOOKALIKES, rows.shape[1] // 2) :])
