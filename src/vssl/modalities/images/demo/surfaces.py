"""Machined surfaces: what a supplier's part looks like under the lamp, before a camera and before any defect.

Every part has a bored hole with a chamfer and a chamfered lower edge; suppliers differ in how the face was machined.
Lengths are in units: the field of view is 64 x 64 units, whatever its size in pixels, so that a larger picture shows
the same part in more detail. Light is linear, and 1 is white paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

FIELD = 64.0
LAMP = math.radians(-125.0)  # where the light comes from: upper left, in picture coordinates (y points down)
HOLE, HOLE_RADIUS = (43.0, 21.0), 8.5
EDGE = 54.0  # the face ends here, the chamfer begins

Map = Float[np.ndarray, "H W"]
Lay = Callable[[Map, Map], list[tuple[Map, Map]]]


def _milled(x: Map, y: Map) -> list[tuple[Map, Map]]:
    dx, dy = x + 22.0, y - 70.0  # a face mill much larger than the part: wide arcs
    return [(np.hypot(dx, dy), np.arctan2(dy, dx) * 90.0)]


def _turned(x: Map, y: Map) -> list[tuple[Map, Map]]:
    dx, dy = x - HOLE[0], y - HOLE[1]  # faced on a lathe, around the bore
    return [(np.hypot(dx, dy), np.arctan2(dy, dx) * 30.0)]


def _straight(x: Map, y: Map, degrees: float) -> tuple[Map, Map]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return -sin * x + cos * y, cos * x + sin * y


def _ground(x: Map, y: Map) -> list[tuple[Map, Map]]:
    return [_straight(x, y, 8.0)]


def _honed(x: Map, y: Map) -> list[tuple[Map, Map]]:
    return [_straight(x, y, 38.0), _straight(x, y, -38.0)]


@dataclass(frozen=True)
class Supplier:
    """How a supplier machines the face.

    Attributes:
        lay: From coordinates to pairs (across the lay, along the lay), one pair for each direction of cutting.
        tone: Mean reflectance.
        pitch: Units from one feed mark to the next.
        marks: Contrast of the regular feed marks.
        roughness: Contrast of the random streaks along the lay.
        stretch: Length of a streak in units.
        gloss: Strength of the specular band.
        chamfer: Width of the chamfers in units.
    """

    lay: Lay
    tone: float
    pitch: float
    marks: float
    roughness: float
    stretch: float
    gloss: float
    chamfer: float


SUPPLIERS = {
    "north": Supplier(_milled, tone=0.36, pitch=5.2, marks=0.13, roughness=0.09, stretch=30.0, gloss=0.55, chamfer=2.4),
    "east": Supplier(_turned, tone=0.44, pitch=3.1, marks=0.09, roughness=0.07, stretch=60.0, gloss=0.75, chamfer=1.6),
    "west": Supplier(_ground, tone=0.31, pitch=9.0, marks=0.02, roughness=0.14, stretch=14.0, gloss=0.40, chamfer=3.0),
    "south": Supplier(_honed, tone=0.40, pitch=6.0, marks=0.03, roughness=0.13, stretch=22.0, gloss=0.45, chamfer=2.0),
}


@dataclass(frozen=True)
class Surface:
    """A good part under the lamp: `light`, and `face`, the share of each pixel (0..1) that is flat machined metal."""

    light: Map
    face: Map

    @property
    def flat(self) -> Bool[np.ndarray, "H W"]:
        return self.face > 0.5


def grid(size: int) -> tuple[Map, Map]:
    """Coordinates x, y [size, size] of the pixel centres, in units."""
    axis = (np.arange(size) + 0.5) * FIELD / size
    x, y = np.meshgrid(axis, axis)
    return x, y


def surface(supplier: Supplier, size: int, wear: float, rng: np.random.Generator) -> Surface:
    """One good part of this supplier, slightly shifted and turned on the belt.

    Args:
        size: Height and width in pixels.
        wear: Wear of the tool, 0 (fresh) to 1 (blunt): deeper streaks, torn metal, marks that lose their rhythm.
    """
    x, y = _placed(size, rng)
    lays = supplier.lay(x, y)
    relief = sum(_relief(supplier, across, along, wear, rng) for across, along in lays) / math.sqrt(len(lays))
    relief = relief + _torn(size, wear, rng)
    band = sum(_specular_band(x, y, across, rng) for across, _ in lays) / len(lays)
    tone = supplier.tone * rng.uniform(0.94, 1.06)
    return _cut_out(supplier, x, y, tone * (0.8 + supplier.gloss * band) * (1.0 + relief))


def _placed(size: int, rng: np.random.Generator) -> tuple[Map, Map]:
    x, y = grid(size)
    turn, (dx, dy) = math.radians(rng.normal(0.0, 2.5)), rng.normal(0.0, 1.2, 2)
    cos, sin, middle = math.cos(turn), math.sin(turn), FIELD / 2
    x, y = x - middle - dx, y - middle - dy
    return cos * x - sin * y + middle, sin * x + cos * y + middle


def _relief(supplier: Supplier, across: Map, along: Map, wear: float, rng: np.random.Generator) -> Map:
    """Relative brightness of feed marks and streaks; mean about 0."""
    lattice = rng.standard_normal((2, 160, 48))
    phase = rng.uniform(0.0, 2.0 * math.pi)
    coarse = _streaks(lattice[0], across / 2.6, along / (2.0 * supplier.stretch))
    fine = _streaks(lattice[1], across / 0.8, along / supplier.stretch)
    angle = 2.0 * math.pi * across / supplier.pitch + phase + (0.5 + 1.5 * wear) * coarse
    marks = np.sin(angle) + 0.35 * np.sin(2.0 * angle)  # a tooth cuts a slanted furrow, not a sine
    relief: Map = supplier.marks * marks + supplier.roughness * (1.0 + 1.2 * wear) * (0.7 * coarse + fine)
    return relief


def _streaks(lattice: Float[np.ndarray, "rows columns"], row: Map, column: Map) -> Map:
    streaks: Map = ndimage.map_coordinates(lattice, [row, column], order=1, mode="grid-wrap")
    return streaks


def _torn(size: int, wear: float, rng: np.random.Generator) -> Map:
    """Grain without direction: there is always a little, and a blunt tool tears more."""
    grain: Map = ndimage.gaussian_filter(rng.standard_normal((size, size)), 0.6 * size / FIELD, mode="wrap")
    torn: Map = (0.02 + 0.09 * wear) * grain / grain.std()
    return torn


def _specular_band(x: Map, y: Map, across: Map, rng: np.random.Generator) -> Map:
    """Metal shines where the furrows lie across the light: a band on straight lays, a bow tie on round ones."""
    gy, gx = np.gradient(across)
    misaligned = np.sin(np.arctan2(gy, gx) - LAMP - rng.normal(0.0, 0.08))
    distance = ((x - FIELD / 2) * math.cos(LAMP) + (y - FIELD / 2) * math.sin(LAMP)) / FIELD
    band: Map = np.exp(-((0.9 * misaligned + 1.1 * distance - rng.normal(0.0, 0.06)) ** 2) / 0.18)
    return band


def _cut_out(supplier: Supplier, x: Map, y: Map, face: Map) -> Surface:
    """Cut the hole and the lower edge into the face: chamfers catch or lose the light, behind them it is dark."""
    dx, dy = x - HOLE[0], y - HOLE[1]
    depth_hole, depth_edge = HOLE_RADIUS - np.hypot(dx, dy), y - EDGE
    facing = np.cos(np.arctan2(dy, dx) - LAMP)
    ring = supplier.tone * (0.85 - 0.65 * facing)  # the far wall of a bore looks into the lamp
    soft = FIELD / x.shape[0]
    light = _blend(face, ring, _inside(depth_hole + supplier.chamfer, soft))
    towards_lamp = (dx * math.cos(LAMP) + dy * math.sin(LAMP)) / HOLE_RADIUS
    light = _blend(light, 0.05 - 0.03 * towards_lamp, _inside(depth_hole, soft))
    light = _blend(light, np.full_like(x, supplier.tone * 0.45), _inside(depth_edge, soft))
    light = _blend(light, np.full_like(x, 0.02), _inside(depth_edge - 2.0 * supplier.chamfer, soft))
    flat = (1.0 - _inside(depth_hole + supplier.chamfer, soft)) * (1.0 - _inside(depth_edge, soft))
    return Surface(np.maximum(light, 0.0), flat)


def _inside(depth: Map, soft: float) -> Map:
    share: Map = np.clip(depth / soft + 0.5, 0.0, 1.0)
    return share


def _blend(below: Map, above: Map, share: Map) -> Map:
    blended: Map = below * (1.0 - share) + above * share
    return blended
