"""The encoder alone, for people who go on with it in their own code: its weights, and a program of torch."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from safetensors.torch import save

from vssl.config import name_of, to_dict
from vssl.exporting.graphs import Encoding, quiet
from vssl.files import atomic, write_json
from vssl.training.model import Model

TIMM = "backbone."
"""timm's models stand under this name in our encoder; their own names are those of timm."""


def export_backbone(model: Model, out: Path) -> None:
    """Write the encoder; see `vssl.api.export`.

    backbone.safetensors has the weights, backbone.json the encoder, the shape of samples and how they are prepared, and
    backbone.pt2 is what `torch.export.load` reads: from a raw batch to the columns of the embeddings, without vssl.
    """
    weights = {name: value.contiguous() for name, value in model.objective.encoder.state_dict().items()}
    if all(name.startswith(TIMM) for name in weights):
        weights = {name.removeprefix(TIMM): value for name, value in weights.items()}
    encoder = {"name": name_of(model.settings.encoder), **to_dict(model.settings.encoder)}
    with atomic(out / "backbone.safetensors") as file:
        file.write(save(weights))
    with atomic(out / "backbone.pt2") as file:
        file.write(_program(model))
    about = {"encoder": encoder, "features": model.objective.encoder.features, "shape": list(model.modality.shape)}
    columns = Encoding(model, _raw(model)).columns
    write_json(out / "backbone.json", about | {"spec": to_dict(model.modality.spec), "columns": columns})


def _program(model: Model) -> bytes:
    raw, file = _raw(model), io.BytesIO()
    batch = torch.export.Dim("batch", min=1, max=4096)
    with quiet(), torch.no_grad():
        program = torch.export.export(Encoding(model, raw).eval(), (raw,), dynamic_shapes=({0: batch},))
        # They would be the only part of the file that is pickled.
        program.example_inputs = None
        torch.export.save(program, file)
    return file.getvalue()


def _raw(model: Model) -> torch.Tensor:
    return model.modality.sample(model.run.info["source"], 2, seed=0).raw
