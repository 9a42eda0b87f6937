"""Defects: how a scratch, a pit, a stain, a dent or a missing piece changes the light that comes back from the metal.

Each kind is a function (size, centre, severity, generator) -> relative change of the light [size, size]; 0 is no
change, -0.3 is 30 % darker. A newcomer adds a function and its line in `DEFECTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool
from scipy import ndimage, special

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
    return np.asarray(1.1 * severity * pressure * profile)


def pit(size: int, centre: Centre, severity: float, rng: np.random.Generator) -> Map:
    """A dark hollow of 1 to 3 units radius; the rim that faces the lamp is bright."""
    along, across = _turned_about(size, centre, rng.uniform(0.0, math.pi))
    x, y = _turned_about(size, centre, 0.0)
    radius = (1.0 + 2.0 * severity) * rng.uniform(0.7, 1.4)
    distance = np.hypot(along, across * rng.uniform(1.0, 1.4)) / radius
    facing = 0.6 - 0.4 * np.cos(np.arctan2(y, x) - LAMP)
    rim, hollow = facing * np.exp(-(((distance - 1.35) / 0.3) ** 2)), 1.0 / (1.0 + distance**6)
    return np.asarray((0.15 + 0.75 * severity) * (rim - hollow))


def stain(size: int, centre: Centre, severity: float, rng: np.random.Generator) -> Map:
    """A dried drop: an uneven blob of 2 to 7 units radius, darker, most of all where its edge dried."""
    x, y = _turned_about(size, centre, 0.0)
    radius = (2.0 + 3.5 * severity) * rng.uniform(0.7, 1.3)
    theta = np.arctan2(y, x)
    lobes = sum(rng.normal(0.0, 0.11) * np.cos(k * theta + rng.uniform(0.0, 2.0 * math.pi)) for k in (1, 2, 3, 4))
    distance = np.hypot(x, y) / (radius * (1.0 + lobes))
    film = special.expit((1.0 - distance) * 14.0)
    dried_edge = np.exp(-(((distance - 0.92) / 0.1) ** 2))
    return np.asarray(-(0.05 + 0.45 * severity) * (film + 0.5 * dried_edge))


def dent(size: int, centre: Centre, severity: float, rng: np.random.Generator) -> Map:
    """A shallow hollow of 2 to 5 units radius: dark where its wall turns from the lamp, bright on the other side."""
    towards_lamp, across = _turned_about(size, centre, LAMP)
    radius = (1.5 + 2.5 * severity) * rng.uniform(0.7, 1.3)
    distance = np.hypot(towards_lamp, across * rng.uniform(0.8, 1.2)) / radius
    return np.asarray(-1.6 * severity * towards_lamp / radius * np.exp(-(distance**2)))


def chip(size: int, centre: Centre, severity: float, rng: np.random.Generator) -> Map:
    """A piece that broke out of an edge, 1 to 5 units wide: straight facets, dark but towards the lamp."""
    radius, turn, corners = (1.0 + 2.5 * severity) * rng.uniform(0.7, 1.3), rng.uniform(0.0, math.pi), 5
    angles = turn + 2.0 * math.pi * (np.arange(corners) + rng.uniform(-0.2, 0.2, corners)) / corners
    sides = np.stack([_turned_about(size, centre, angle)[0] for angle in angles])
    facing = 0.25 - 0.25 * np.cos(angles - LAMP)[sides.argmax(axis=0)]
    inside = np.clip((radius - sides.max(axis=0)) * size / FIELD + 0.5, 0.0, 1.0)
    return np.asarray((facing - 0.4 - 0.5 * severity) * inside)


Defect = Callable[[int, Centre, float, np.random.Generator], Map]
DEFECTS: dict[str, Defect] = {"scratch": scratch, "pit": pit, "stain": stain, "dent": dent, "chip": chip}
AT_EDGES = (chip,)


def damage(
    light: Map, face: Map, defect: str, severity: float, rng: np.random.Generator
) -> tuple[Map, Bool[np.ndarray, "H W"]]:
    """Put a defect somewhere on the part's face, or at an edge of it.

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
    place = inner & (face > 0.5)
    if DEFECTS[defect] in AT_EDGES:
        place &= ~ndimage.binary_erosion(face > 0.5, iterations=max(1, round(size / FIELD)))
    pixels = np.flatnonzero(place)
    pixel = pixels[rng.integers(len(pixels))]
    change = DEFECTS[defect](size, (float(x.flat[pixel]), float(y.flat[pixel])), severity, rng) * face
    covered = np.abs(change) > 0.1 * np.abs(change).max()
    return light * np.maximum(1.0 + change, 0.02), ndimage.binary_dilation(
        covered, iterations=max(1, round(size / FIELD))
    )


def _turned_about(size: int, centre: Centre, angle: float) -> tuple[Map, Map]:
    """Coordinates with their origin at the centre and their first axis at the angle."""
    x, y = grid(size)
    return rotated(x - centre[0], y - centre[1], angle)
