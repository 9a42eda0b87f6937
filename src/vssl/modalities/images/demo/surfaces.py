"""Machined surfaces: what a supplier's part looks like under the lamp, before a camera and before any defect.

Every part has a bored hole with a chamfer and a chamfered lower edge; suppliers differ in how the face was machined.
Lengths are in units: the field of view is 64 x 64 units, whatever its size in pixels, so that a larger picture shows
the same part in more detail. Light is linear, and 1 is white paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float
from scipy import ndimage

FIELD = 64.0
LAMP = math.radians(-125.0)  # where the light comes from: upper left, in picture coordinates (y points down)
HOLE, HOLE_RADIUS = (43.0, 21.0), 8.5
EDGE = 54.0  # the face ends here, the chamfer begins

Map = Float[np.ndarray, "H W"]
Cuts = Callable[[Map, Map], tuple[Map, Map]]


def grid(size: int) -> tuple[Map, Map]:
    """Coordinates x, y [size, size] of the pixel centres, in units."""
    axis = (np.arange(size) + 0.5) * FIELD / size
    x, y = np.meshgrid(axis, axis)
    return x, y


def rotated(x: Map, y: Map, angle: float) -> tuple[Map, Map]:
    """Coordinates along and across a direction at this angle, in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return cos * x + sin * y, cos * y - sin * x


def _straight(degrees: float, x: Map, y: Map) -> tuple[Map, Map]:
    along, across = rotated(x, y, math.radians(degrees))
    return across, along


def _round(centre: tuple[float, float], radius: float, x: Map, y: Map) -> tuple[Map, Map]:
    dx, dy = x - centre[0], y - centre[1]
    return np.hypot(dx, dy), np.arctan2(dy, dx) * radius


@dataclass(frozen=True)
class Supplier:
    """How a supplier machines the face.

    Attributes:
        cuts: For each direction of cutting, from coordinates to those across and along the cuts.
        tone: Mean reflectance.
        pitch: Units from one feed mark to the next.
        marks: Contrast of the regular feed marks.
        roughness: Contrast of the random streaks along the cuts.
        stretch: Length of a streak in units.
        gloss: Strength of the specular band.
        chamfer: Width of the chamfers in units.
    """

    cuts: tuple[Cuts, ...]
    tone: float
    pitch: float
    marks: float
    roughness: float
    stretch: float
    gloss: float
    chamfer: float


# A face mill much larger than the part leaves wide arcs, a lathe circles around the bore; grinding and honing cut
# straight, the latter in two directions.
MILLED, TURNED = (partial(_round, (-22.0, 70.0), 90.0),), (partial(_round, HOLE, 30.0),)
GROUND, HONED = (partial(_straight, 8.0),), (partial(_straight, 38.0), partial(_straight, -38.0))
SUPPLIERS = {
    "north": Supplier(MILLED, tone=0.42, pitch=5.2, marks=0.08, roughness=0.04, stretch=30.0, gloss=0.35, chamfer=2.4),
    "east": Supplier(TURNED, tone=0.46, pitch=3.1, marks=0.06, roughness=0.03, stretch=60.0, gloss=0.40, chamfer=1.6),
    "west": Supplier(GROUND, tone=0.38, pitch=9.0, marks=0.02, roughness=0.06, stretch=14.0, gloss=0.30, chamfer=3.0),
    "south": Supplier(HONED, tone=0.44, pitch=6.0, marks=0.03, roughness=0.06, stretch=22.0, gloss=0.35, chamfer=2.0),
}


def surface(supplier: Supplier, size: int, wear: float, rng: np.random.Generator) -> tuple[Map, Map]:
    """One good part of this supplier under the lamp, slightly shifted and turned on the belt.

    Args:
        size: Height and width in pixels.
        wear: Wear of the tool, 0 (fresh) to 1 (blunt): deeper streaks, torn metal, marks that lose their rhythm.

    Returns:
        The light, and the share of each pixel, 0 to 1, that is flat machined metal.
    """
    turn, (dx, dy), middle = math.radians(rng.normal(0.0, 0.7)), rng.normal(0.0, 0.5, 2), FIELD / 2
    x, y = grid(size)
    x, y = rotated(x - middle - dx, y - middle - dy, -turn)
    x, y = x + middle, y + middle
    lays = [cuts(x, y) for cuts in supplier.cuts]
    relief = sum(_relief(supplier, across, along, wear, rng) for across, along in lays) / math.sqrt(len(lays))
    # Grain without direction: there is always a little, and a blunt tool tears more.
    grain = ndimage.gaussian_filter(rng.standard_normal((size, size)), 0.6 * size / FIELD, mode="wrap")
    relief = relief + (0.02 + 0.09 * wear) * grain / grain.std()
    band = sum(_specular_band(x, y, across, rng) for across, _ in lays) / len(lays)
    tone = supplier.tone * rng.uniform(0.94, 1.06)
    return _cut_out(supplier, x, y, tone * (0.8 + supplier.gloss * band) * (1.0 + relief))


def _relief(supplier: Supplier, across: Map, along: Map, wear: float, rng: np.random.Generator) -> Map:
    """Relative brightness of feed marks and streaks; mean about 0."""
    lattice, phase = rng.standard_normal((2, 160, 48)), rng.uniform(0.0, 2.0 * math.pi)
    streaks = partial(ndimage.map_coordinates, order=1, mode="grid-wrap")
    coarse = streaks(lattice[0], [across / 2.6, along / (2.0 * supplier.stretch)])
    fine = streaks(lattice[1], [across / 0.8, along / supplier.stretch])
    angle = 2.0 * math.pi * across / supplier.pitch + phase + (0.5 + 1.5 * wear) * coarse
    marks = np.sin(angle) + 0.35 * np.sin(2.0 * angle)  # a tooth cuts a slanted furrow, not a sine
    return np.asarray(supplier.marks * marks + supplier.roughness * (1.0 + 1.2 * wear) * (0.7 * coarse + fine))


def _specular_band(x: Map, y: Map, across: Map, rng: np.random.Generator) -> Map:
    """Metal shines where the furrows lie across the light: a band on straight lays, a bow tie on round ones."""
    gy, gx = np.gradient(across)
    misaligned = np.sin(np.arctan2(gy, gx) - LAMP - rng.normal(0.0, 0.08))
    distance = ((x - FIELD / 2) * math.cos(LAMP) + (y - FIELD / 2) * math.sin(LAMP)) / FIELD
    return np.asarray(np.exp(-((0.9 * misaligned + 1.1 * distance - rng.normal(0.0, 0.06)) ** 2) / 0.18))


def _cut_out(supplier: Supplier, x: Map, y: Map, face: Map) -> tuple[Map, Map]:
    """Cut the hole and the lower edge into the face: chamfers catch or lose the light, behind them it is dark."""
    dx, dy = x - HOLE[0], y - HOLE[1]
    hole, edge, chamfer = HOLE_RADIUS - np.hypot(dx, dy), y - EDGE, supplier.chamfer
    facing = np.cos(np.arctan2(dy, dx) - LAMP)
    towards_lamp = (dx * math.cos(LAMP) + dy * math.sin(LAMP)) / HOLE_RADIUS
    soft = FIELD / x.shape[0]
    layers = (
        (hole + chamfer, supplier.tone * (0.80 - 0.45 * facing)),  # the far wall of a bore looks into the lamp
        (hole, 0.05 - 0.03 * towards_lamp),
        (edge, supplier.tone * 0.45),
        (edge - 2.0 * chamfer, 0.02),
    )
    light = face
    for depth, above in layers:
        share = _inside(depth, soft)
        light = light * (1.0 - share) + above * share
    return np.maximum(light, 0.0), (1.0 - _inside(hole + chamfer, soft)) * (1.0 - _inside(edge, soft))


def _inside(depth: Map, soft: float) -> Map:
    return np.asarray(np.clip(depth / soft + 0.5, 0.0, 1.0))
