"""The embedding map: the samples in two dimensions, coloured by their metadata and their ambiguity."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int
from markupsafe import Markup
from matplotlib.colors import LinearSegmentedColormap
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from vssl.reporting.plots import scatter
from vssl.types import Embeddings

MIN_SAMPLES = 10
MAX_COLUMNS = 6
# Mid-tones, which are distinguishable from each other and on a white or a black page.
PALETTE = (
    "#3a80d0", "#e0742a", "#2e9e5b", "#cf4a6b", "#8a63c9", "#b58a1b",
    "#25a3b5", "#a0694b", "#d46fb8", "#7d9a2d", "#5f6fd0", "#8a8f98",
)  # fmt: skip
LOW_TO_HIGH = ("#3a80d0", "#9a9a9a", "#e0742a")


@dataclass(frozen=True)
class Colouring:
    """The map in the colours of one column.

    Attributes:
        title: The column.
        svg: The picture.
        legend: (colour, value, samples) of each category; empty for a scale.
        scale: The values at the two ends of the colour scale; empty for categories.
    """

    title: str
    svg: Markup
    legend: list[tuple[str, str, int]]
    scale: tuple[str, ...] = ()


def obstacle(features: Float[np.ndarray, "N F"]) -> str:
    """Why no map of these features can be drawn; "" if it can."""
    if len(features) < MIN_SAMPLES:
        return f"There are {len(features)} samples; the map needs at least {MIN_SAMPLES}."
    if not np.isfinite(features).all():
        return "Some embeddings are not finite numbers: the training diverged, so no map can be drawn."
    if np.allclose(features, features[:1]):
        return "All embeddings are the same point: the encoder has collapsed, so no map can be drawn."
    return ""


def layout(features: Float[np.ndarray, "N F"], seed: int) -> Float[np.ndarray, "N 2"]:
    """Coordinates in the unit square by t-SNE with the cosine distance, initialised by PCA.

    Source: van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 2008.
    """
    length = np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    # With several threads the last digits of sums differ from run to run, and t-SNE amplifies that to another map.
    with threadpool_limits(1):
        reduced = PCA(min(50, *features.shape), random_state=seed).fit_transform(features / length)
        perplexity = min(30.0, (len(features) - 1) / 3)
        coordinates = TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(reduced)
    low, high = coordinates.min(0), coordinates.max(0)
    scaled: np.ndarray = (coordinates - low) / np.maximum(high - low, np.finfo(np.float32).tiny)
    return 0.02 + 0.96 * scaled


def mosaic(coordinates: Float[np.ndarray, "N 2"], columns: int = 14, rows: int = 10) -> list[tuple[int, int, int]]:
    """(sample, column, row) of the sample nearest to the middle of each cell of a grid; row 1 is at the top."""
    size = np.array([columns, rows])
    cells = np.minimum((coordinates * size).astype(int), size - 1)
    off_centre = np.linalg.norm(coordinates * size - cells - 0.5, axis=1)
    chosen: dict[tuple[int, int], int] = {}
    for sample in np.argsort(off_centre, kind="stable").tolist():
        chosen.setdefault((int(cells[sample, 0]), int(cells[sample, 1])), sample)
    return [(sample, column + 1, rows - row) for (column, row), sample in sorted(chosen.items())]


def colourings(
    table: Embeddings, rows: Int[np.ndarray, " N"], coordinates: Float[np.ndarray, "N 2"]
) -> tuple[list[Colouring], list[str]]:
    """The maps by label, ambiguity and each metadata column of few values; and the columns that are not shown."""
    shown: list[Colouring] = []
    hidden = []
    for column in _categorical(table):
        values = _texts(table, column, rows)
        few = 2 <= len(set(values)) <= len(PALETTE)
        if column == "label" or (few and len(shown) < MAX_COLUMNS):
            shown.append(_by_category(column, values, coordinates))
        else:
            hidden.append(column)
    if "ambiguity" in table:
        shown.insert("label" in table, _by_value("ambiguity", table.numpy("ambiguity")[rows], coordinates))
    return shown, hidden


def _categorical(table: Embeddings) -> list[str]:
    def discrete(kind: pa.DataType) -> bool:
        types = pa.types
        tests = (types.is_string, types.is_large_string, types.is_dictionary, types.is_integer, types.is_boolean)
        return any(test(kind) for test in tests)

    names = [
        field.name for field in table.table.schema if discrete(field.type) and field.name not in Embeddings.COLUMNS
    ]
    return sorted(names, key=lambda name: name != "label")


def _texts(table: Embeddings, column: str, rows: Int[np.ndarray, " N"]) -> list[str]:
    values = table.table[column].take(pa.array(rows)).to_pylist()
    return ["(none)" if value is None else str(value) for value in values]


def _by_category(column: str, values: list[str], coordinates: Float[np.ndarray, "N 2"]) -> Colouring:
    counts = {value: values.count(value) for value in set(values)}
    named = sorted(counts, key=lambda value: (-counts[value], value))
    if len(named) > len(PALETTE):
        named = named[: len(PALETTE) - 1]
    colour = dict(zip(sorted(named), PALETTE, strict=False))
    legend = [(colour[value], value, counts[value]) for value in sorted(named)]
    if len(counts) > len(named):
        legend.append(
            (PALETTE[-1], f"{len(counts) - len(named)} others", sum(counts.values()) - sum(counts[v] for v in named))
        )
    return Colouring(column, scatter(coordinates, [colour.get(value, PALETTE[-1]) for value in values]), legend)


def _by_value(column: str, values: Float[np.ndarray, " N"], coordinates: Float[np.ndarray, "N 2"]) -> Colouring:
    # With the full range, a few extreme values would give all others the same colour.
    low, high = np.nanpercentile(values, [2, 98])
    scaled = np.clip((values - low) / (high - low or 1.0), 0, 1)
    colours = LinearSegmentedColormap.from_list("low to high", LOW_TO_HIGH)(scaled)
    return Colouring(column, scatter(coordinates, colours), [], (f"{low:.2f}", f"{high:.2f}"))
