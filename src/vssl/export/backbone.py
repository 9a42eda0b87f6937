"""The encoder's weights alone, for people who go on with them in their own training code."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save

from vssl.config import name_of, to_dict
from vssl.files import atomic, write_json
from vssl.train.model import Model

TIMM = "backbone."
"""timm's models stand under this name in our encoder; their own names are those of timm."""


def export_backbone(model: Model, out: Path) -> None:
    """Write backbone.safetensors, and backbone.json: the encoder, the shape of samples, how they are prepared."""
    weights = {name: value.contiguous() for name, value in model.objective.encoder.state_dict().items()}
    if all(name.startswith(TIMM) for name in weights):
        weights = {name.removeprefix(TIMM): value for name, value in weights.items()}
    encoder = {"name": name_of(model.settings.encoder), **to_dict(model.settings.encoder)}
    with atomic(out / "backbone.safetensors") as file:
        file.write(save(weights))
    about = {"encoder": encoder, "features": model.objective.encoder.features, "shape": list(model.modality.shape)}
    write_json(out / "backbone.json", about | {"spec": to_dict(model.modality.spec)})
