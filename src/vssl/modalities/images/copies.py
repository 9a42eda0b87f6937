"""Pictures that are known again when they were saved again, brightened or shifted a little.

Good parts look alike, so likeness alone says nothing. Of each picture a small grey one is kept. Candidates are those
whose 16 x 16 pictures correlate most; each is laid over the picture as well as it can be (whole pixels, then parts of a
pixel, size, brightness, sharpness), and what is left is compared with two rulers: what saving the picture as a JPEG
leaves, and what other pictures of the training that look like it leave. How small it must be follows from the training
pictures themselves, nearly all of which are different pictures.
"""

from __future__ import annotations

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

THUMBNAIL_PIXELS, COARSE_SIDE = 1024, 16  # of the small pictures, at most
CANDIDATES = 16
LOOKALIKES = 8  # the least similar of the candidates, taken as different pictures: nobody copies one so often
MAX_SHIFT = 2  # pixels of the small picture by which one may be shifted
SATURATED, NEARLY_SATURATED = 235, 188
"""Above the first, brightening by a quarter cuts off what was above the second: there two pictures are not compared."""
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
        rows, times = _compared(pictures, others, own, _lookalike_residual(pictures, self._training))
        return [each[of < self._limit] for each, of in zip(rows, times, strict=True)]

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
    left = np.empty(rows.shape)
    for first in range(0, len(rows), BATCH):
        part = slice(first, first + BATCH)
        mine = torch.from_numpy(pictures[part]).float()
        for rank in range(rows.shape[1]):
            left[part, rank] = residual(mine, torch.from_numpy(others[rows[part, rank]]).float())
    alike = left < MAX_LOOKALIKE_SHARE * strangers[:, None]
    # Of two pictures, one may have been saved already, and a second time leaves nothing.
    known, place = np.unique(rows[alike], return_inverse=True)
    theirs = _jpeg_residual(others[known])[place]
    times = np.full(rows.shape, np.inf)
    times[alike] = left[alike] / np.maximum(theirs, _jpeg_residual(pictures)[np.nonzero(alike)[0]])
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


def _jpeg_residual(pictures: UInt8[np.ndarray, "N h w"]) -> Float[np.ndarray, " N"]:
    saved = np.empty_like(pictures)
    for row, picture in enumerate(pictures):
        buffer = BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY)
        saved[row] = np.asarray(Image.open(buffer))
    parts = (slice(first, first + BATCH) for first in range(0, len(pictures), BATCH))
    left = [residual(torch.from_numpy(pictures[part]).float(), torch.from_numpy(saved[part]).float()) for part in parts]
    # Rounding to whole grey levels leaves that much of anything.
    return np.concatenate([*(part.numpy() for part in left), np.empty(0)]).clip(min=12**-0.5)


def _lookalike_residual(
    pictures: Thumbnails, training: UInt8[np.ndarray, "M h w"], own: Rows | None = None
) -> Float[np.ndarray, " N"]:
    """What other pictures of the training, which look like a picture, leave of it all together."""
    rows = _candidates(pictures, training, own)
    rows = rows[:, -min(LOOKALIKES, rows.shape[1] // 2) :]
    left = [np.empty(0)]
    for first in range(0, len(rows), BATCH):
        mine = torch.from_numpy(pictures[first : first + BATCH]).float()
        laid = [_align(mine, torch.from_numpy(training[column]).float())[0] for column in rows[first : first + BATCH].T]
        left.append(_unexplained(_inner(mine), laid, _inner(mine) < SATURATED).numpy())
    return np.concatenate(left)


def residual(pictures: Small, others: Small) -> Float[Tensor, " N"]:
    """What is left of each picture, in grey levels, when the other is laid over it as well as it can be.

    Shifted by whole pixels where they correlate most, and then fitted: brightness, contrast, a part of a pixel and a
    change of size in either direction (to first order, by the slopes), and sharpness.
    """
    middle, up, down, left, right = _align(pictures, others)
    across, along = (right - left) / 2, (down - up) / 2
    height, width = middle.shape[1:]
    vertical, horizontal = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    terms = [middle, along, across, vertical * along, horizontal * across, up + down + left + right - 4 * middle]
    inner = _inner(pictures)
    cut_off = (torch.maximum(inner, middle) >= SATURATED) & (torch.minimum(inner, middle) >= NEARLY_SATURATED)
    return _unexplained(inner, terms, ~cut_off)


def _inner(pictures: Small) -> Small:
    """The picture without the border by which another one may be shifted."""
    rows, columns = (min(MAX_SHIFT, (side - 1) // 4) for side in pictures.shape[1:])
    return pictures[:, rows : pictures.shape[1] - rows, columns : pictures.shape[2] - columns]


def _align(pictures: Small, others: Small) -> list[Small]:
    """The others, shifted to where they correlate most with the pictures; and a pixel up, down, left, right of it."""
    inner = _inner(pictures)
    height, width = inner.shape[1:]
    windows = others.unfold(1, height, 1).unfold(2, width, 1)
    alike = torch.einsum("nijd,nd->nij", _standard(windows), _standard(inner)).flatten(1).argmax(1)
    row, column = alike // windows.shape[2], alike % windows.shape[2]
    wide = F.pad(others[:, None], (1, 1, 1, 1), mode="replicate")[:, 0].unfold(1, height, 1).unfold(2, width, 1)
    each = torch.arange(len(pictures))
    steps = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
    return [wide[each, row + 1 + down, column + 1 + right] for down, right in steps]


def _unexplained(values: Small, terms: Sequence[Small], kept: Tensor) -> Float[Tensor, " N"]:
    """Root mean square of the values that a constant and the terms do not explain, where they are kept."""
    kept = kept | (kept.float().mean((1, 2), keepdim=True) < 0.25)
    weight = kept.flatten(1).double()
    columns = torch.stack([torch.ones_like(values), *terms], -1).flatten(1, 2).double() * weight[..., None]
    target = values.flatten(1).double() * weight
    square = columns.mT @ columns
    # Terms that are nearly the same, or nothing, must not corrupt the solution.
    ridge = 1e-6 * (1 + square.diagonal(dim1=1, dim2=2).mean(1))
    square = square + ridge[:, None, None] * torch.eye(square.shape[1], dtype=torch.float64)
    factors: Tensor = torch.linalg.solve(square, columns.mT @ target[..., None])
    rest = target - (columns @ factors)[..., 0]
    freedom = (weight.sum(1) - columns.shape[2]).clamp(min=1)
    return (rest.square().sum(1) / freedom).sqrt()
