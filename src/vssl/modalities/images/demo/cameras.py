"""Cameras: from the light of a scene to the grey levels of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

from vssl.modalities.images.demo.surfaces import FIELD, grid


@dataclass(frozen=True)
class Camera:
    """What makes one camera's pictures differ from another's.

    Attributes:
        gain: Factor from light to signal; a signal of 1 is full scale.
        gamma: Exponent of the tone curve; below 1 lifts the shadows.
        black: Grey level of no light, as a share of full scale.
        vignetting: Share of the light that is lost in the corners.
        blur: Standard deviation of the point spread, in units (64 units span the picture).
        shot_noise: Standard deviation at full scale, growing with the root of the signal.
        read_noise: Standard deviation without light.
    """

    gain: float
    gamma: float
    black: float
    vignetting: float
    blur: float
    shot_noise: float
    read_noise: float


CAMERAS = {
    "cam-1": Camera(1.25, gamma=0.80, black=0.01, vignetting=0.10, blur=0.35, shot_noise=0.010, read_noise=0.004),
    "cam-2": Camera(1.20, gamma=0.95, black=0.04, vignetting=0.25, blur=0.50, shot_noise=0.014, read_noise=0.006),
    "cam-3": Camera(1.45, gamma=0.65, black=0.08, vignetting=0.22, blur=0.55, shot_noise=0.045, read_noise=0.020),
}


def expose(
    light: Float[np.ndarray, "H W"], camera: Camera, illumination: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W"]:
    """Take a picture.

    Args:
        illumination: Brightness of the lamp; 1 is its nominal value. It flickers by 2 % from part to part.
    """
    size, lamp = len(light), illumination * rng.normal(1.0, 0.02)
    x, y = grid(size)
    corner = ((x - FIELD / 2) ** 2 + (y - FIELD / 2) ** 2) / (FIELD**2 / 2)
    signal = ndimage.gaussian_filter(light, camera.blur * size / FIELD, mode="nearest")
    signal = signal * camera.gain * lamp * (1.0 - camera.vignetting * corner)
    noise = np.hypot(camera.shot_noise * np.sqrt(signal), camera.read_noise)
    signal = signal + rng.standard_normal(light.shape) * noise
    grey = camera.black + (1.0 - camera.black) * np.clip(signal, 0.0, 1.0) ** camera.gamma
    return np.asarray(np.round(grey * 255.0).astype(np.uint8))
