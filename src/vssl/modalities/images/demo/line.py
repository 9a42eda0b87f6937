"""The settings of an inspection line, checked when they are made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from vssl.errors import ConfigError
from vssl.modalities.images.demo.cameras import CAMERAS
from vssl.modalities.images.demo.surfaces import SUPPLIERS


@dataclass(frozen=True)
class Line:
    """An inspection line: who delivers, which cameras look, how often something is wrong, and how far things drifted.

    Attributes:
        seed: Everything random follows from it, part by part.
        suppliers: Names of `surfaces.SUPPLIERS`: north, east, west, and south, which the default line never sees.
        cameras: Names of `cameras.CAMERAS`: cam-1, cam-2, and cam-3, which the default line never sees.
        defect_rate: Share of parts with a clear defect, 0..1.
        borderline_rate: Share of parts whose defect is so near the limit that two inspectors may disagree, 0..1.
        size: Height and width of the pictures in pixels, from 32.
        supplier_shares: Share of each supplier, summing to 1; equal if none are given.
        camera_shares: Share of each camera, summing to 1; equal if none are given.
        wear: Drift: wear of the cutting tool, 0 (fresh) to 1 (blunt).
        illumination: Drift: brightness of the lamp, above 0; 1 is nominal.

    Raises:
        ConfigError: A name is not known, or a value is out of its range.
    """

    seed: int = 0
    suppliers: tuple[str, ...] = ("north", "east", "west")
    cameras: tuple[str, ...] = ("cam-1", "cam-2")
    defect_rate: float = 0.15
    borderline_rate: float = 0.08
    size: int = 64
    supplier_shares: tuple[float, ...] | None = None
    camera_shares: tuple[float, ...] | None = None
    wear: float = 0.0
    illumination: float = 1.0

    def __post_init__(self) -> None:
        _check_names("suppliers", self.suppliers, SUPPLIERS)
        _check_names("cameras", self.cameras, CAMERAS)
        _check_shares("supplier_shares", self.supplier_shares, self.suppliers)
        _check_shares("camera_shares", self.camera_shares, self.cameras)
        for name in ("defect_rate", "borderline_rate", "wear"):
            _check_share(name, getattr(self, name))
        _check_share("defect_rate + borderline_rate", self.defect_rate + self.borderline_rate)
        if not self.illumination > 0.0:
            raise ConfigError(f"illumination is {self.illumination}; it must be above 0 (1 is nominal).")
        if self.size < 32:
            raise ConfigError(f"size is {self.size} pixels; below 32 the defects cannot be seen.")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; it must be 0 or more.")


def _check_names(setting: str, names: tuple[str, ...], known: Collection[str]) -> None:
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"{setting} is {names}; give at least one name, each only once, of: {', '.join(known)}.")
    for name in names:
        if name not in known:
            raise ConfigError(f"There is no {name!r} among the {setting}; known are: {', '.join(known)}.")


def _check_shares(setting: str, shares: tuple[float, ...] | None, names: tuple[str, ...]) -> None:
    if shares is None:
        return
    for share in shares:
        _check_share(setting, share)
    if len(shares) != len(names) or abs(sum(shares) - 1.0) > 1e-6:
        raise ConfigError(f"{setting} is {shares}; it needs {len(names)} shares ({', '.join(names)}) that sum to 1.")


def _check_share(setting: str, share: float) -> None:
    if not 0.0 <= share <= 1.0:
        raise ConfigError(f"{setting} has the value {share}; it must lie between 0 and 1.")
