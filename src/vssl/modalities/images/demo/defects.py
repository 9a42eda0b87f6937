"""Defects: how a scratch, a pit or a stain changes the light that comes back from the metal.

Each kind is a function (size, centre, severity, generator) -> relative change of the light [size, size]; 0 is no
change, -0.3 is 30 % darker. A newcomer adds a function and its line in `DEFECTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from vssl.modalities.images.demo.surfaces import FIELD, LAMP, Map, grid, rotated

Centre = tuple[float, float]
MARGIN = 10.0  # units from the picture's border within which no defect is centred


def scratch(size: int, centre: Centre, severity: float, rng: np.random.Generator) -> Map:
    """A slightly bent groove of 20 to 40 units: dark inside, one flank bright if it faces the lamp."""
    angle = rng.uniform(0.0, math.pi)
    along, across = _turned_about(size, centre, angle)
    bend, phase = rng.normal(0.0, 0.004), rng.uniform(0.0, 2.0 * math.pi)
    half_length, width = 9.0 + 11.0 * severity * rng.uniform(0.8, 1.0), 0.45 + 0.4 * severity
    distance = (across - bend * along**2) / width
    pressure = np.clip((half_length - np.abs(along)) / 4.0, 0.0, 1.0) * (0.8 + 0.2 * np.sin(0.5 * along + phase))
    flank = 0.4 + 0.8 * abs(math.sin(angle - LAMP))
    profile = flank * np.exp(-((distance - 1.7) ** 2)) - np.exp(-(distance**2))
    return np.asarray(0.95 * severity * pressure * profile)


def pit(size: int, centre: Centre, severity: float, rng: np.random.Generator) -> Map:
    """A dark hollow of 1 to 3 units radius; the rim that faces the lamp is bright."""
    along, across = _turned_about(size, centre, rng.uniform(0.0, math.pi))
    x, y = _turned_about(size, centre, 0.0)
    radius = (0.7 + 2.0 * severity) * rng.uniform(0.85, 1.15)
    distance = np.hypot(along, across * rng.uniform(1.0, 1.4)) / radius
    facing = 0.6 - 0.4 * np.cos(np.arctan2(y, x) - LAMP)
    rim, hollow = facing * np.exp(-(((distance - 1.35) / 0.3) ** 2)), 1.0 / (1.0 + distance**6)
    return np.asarray((0.15 + 0.75 * severity) * (rim - hollow))


def stain(size: int, centre: Centre, severity: float, rng: np.random.Generator) -> Map:
    """A dried drop: an uneven blob of 5 to 13 units radius, a little darker, most of all where its edge dried."""
    x, y = _turned_about(size, centre, 0.0)
    radius = (5.0 + 6.0 * severity) * rng.uniform(0.85, 1.15)
    theta = np.arctan2(y, x)
    lobes = sum(rng.normal(0.0, 0.11) * np.cos(k * theta + rng.uniform(0.0, 2.0 * math.pi)) for k in (1, 2, 3, 4))
    distance = np.hypot(x, y) / (radius * (1.0 + lobes))
    film = 1.0 / (1.0 + np.exp((distance - 1.0) * 14.0))
    dried_edge = np.exp(-(((distance - 0.92) / 0.1) ** 2))
    return np.asarray(-(0.05 + 0.22 * severity) * (film + 0.5 * dried_edge))


Defect = Callable[[int, Centre, float, np.random.Generator], Map]
DEFECTS: dict[str, Defect] = {"scratch": scratch, "pit": pit, "stain": stain}


def damage(
    light: Map, face: Map, defect: str, severity: float, rng: np.random.Generator
) -> tuple[Map, Bool[np.ndarray, "H W"]]:
    """Put a defect somewhere on the part's face.

    Args:
        light, face: As `surfaces.surface` returns them.
        defect: A key of `DEFECTS`.
        severity: 0..1.

    Returns:
        The light with the defect, and the mask of its pixels, one unit wider than what it covers, since optics blur.
    """
    size = len(light)
    x, y = grid(size)
    inner = np.maximum(np.abs(x - FIELD / 2), np.abs(y - FIELD / 2)) < FIELD / 2 - MARGIN
    pixels = np.flatnonzero(inner & (face > 0.5))
    pixel = pixels[rng.integers(len(pixels))]
    change = DEFECTS[defect](size, (float(x.flat[pixel]), float(y.flat[pixel])), severity, rng) * face
    covered = np.abs(change) > 0.1 * np.abs(change).max()
    return light * (1.0 + change), ndimage.binary_dilation(covered, iterations=max(1, round(size / FIELD)))


def _turned_about(size: int, centre: Centre, angle: float) -> tuple[Map, Map]:
    """Coordinates with their origin at the centre and their first axis at the angle."""
    x, y = grid(size)
    return rotated(x - centre[0], y - centre[1], angle)
