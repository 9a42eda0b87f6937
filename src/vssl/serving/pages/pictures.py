"""Pictures and lines of samples for a person, decoded and encoded again: nothing but pixels and text is shown."""

import io
from zipfile import ZipFile

import numpy as np
from jaxtyping import Float
from PIL import Image

from vssl.errors import BrokenFileError
from vssl.reporting.overlay import overlay
from vssl.runtime import folder
from vssl.serving.answers import StoredDecision
from vssl.serving.service import Service


class Pictures:
    """Pictures of samples that were sent and of the reference samples of an export, as WebP."""

    def __init__(self, service: Service) -> None:
        decider = service.decider
        self._samples, self._wire = service.samples, decider.wire
        self._low, self._high = decider.known.get("heat", (0.0, 1.0))
        archive = folder.pictures(decider.path, decider.about)
        self._archive = None if archive is None else ZipFile(io.BytesIO(archive))
        self._rows = {name: row for row, name in enumerate(decider.known["bank"])}

    def sample(self, decision: StoredDecision, heat: bool) -> bytes | None:
        """A picture of a sample that was sent; None if there is none.

        Args:
            heat: Whether to colour what is unlike the reference.
        """
        content = self._samples.get(decision.content)
        try:
            picture = None if content is None else self._wire.picture(content)
        except BrokenFileError:
            return None
        if picture is None:
            return None
        strength = self.strength(decision) if heat else None
        return _webp(picture if strength is None else overlay(picture, strength))

    def closeup(self, decision: StoredDecision) -> bytes | None:
        """The most unusual place of a sample at full resolution; None without patches, or where all is seen anyway."""
        content, strength = self._samples.get(decision.content), decision.heat
        if content is None or strength is None:
            return None
        heat = np.array(strength)
        place = np.unravel_index(heat.argmax(), heat.shape)
        row, column = ((float(at) + 0.5) / side for at, side in zip(place, heat.shape, strict=True))
        try:
            picture = self._wire.closeup(content, (row, column))
        except BrokenFileError:
            return None
        return None if picture is None else _webp(picture)

    def lines(self, decision: StoredDecision) -> list[tuple[str, bool]] | None:
        """The lines of a sample, each with whether the training data had its kind; None if there are none."""
        content = self._samples.get(decision.content)
        return None if content is None else self._wire.lines(content)

    def strength(self, decision: StoredDecision) -> Float[np.ndarray, "rows columns"] | None:
        """How unusual each patch is: 0 as in 95 % of the normal samples' patches, 1 as in one of a thousand."""
        if decision.heat is None:
            return None
        strength: Float[np.ndarray, "rows columns"] = (np.array(decision.heat) - self._low) / (self._high - self._low)
        return strength.clip(0, 1)

    def reference(self, name: str) -> bytes | None:
        """A picture of a reference sample; None if there is none."""
        entry = f"{self._rows.get(name)}.webp"
        return self._archive.read(entry) if self._archive is not None and entry in self._archive.namelist() else None


def _webp(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.convert("RGB").save(data, "WEBP", quality=90)
    return data.getvalue()
