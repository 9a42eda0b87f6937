"""The encoder alone, for use in one's own code: its weights, and a torch program that runs without vssl."""

import io
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save

from vssl.config import name_of
from vssl.exporting.graphs import EncoderGraph, quiet_exporter
from vssl.files import atomic, write_json
from vssl.training.model import Model

TIMM_PREFIX = "backbone."
"""Prefix of timm's weights in our encoder; without it their names are those of timm, and nothing else is written."""


def export_backbone(model: Model, out: Path) -> None:
    """Write the encoder; see `vssl.api.export`.

    backbone.safetensors holds the weights; backbone.json the encoder, the shape of samples and how they are prepared;
    backbone.pt2 is for `torch.export.load`: from a raw batch to the columns of the embeddings.
    """
    encoder = model.objective.encoder
    weights = {name: value.contiguous() for name, value in encoder.state_dict().items()}
    if of_timm := {name for name in weights if name.startswith(TIMM_PREFIX)}:
        weights = {name.removeprefix(TIMM_PREFIX): weights[name] for name in of_timm}
    raw = model.modality.sample(model.run.info["source"], 2, seed=0).raw
    graph = EncoderGraph(model, raw).eval()
    about = {
        "encoder": {"name": name_of(model.settings.encoder), **asdict(model.settings.encoder)},
        "features": encoder.features,
        "shape": list(model.modality.shape),
        "spec": asdict(model.modality.spec),
        "columns": graph.columns,
        "pretrained": model.run.info.get("pretrained"),
    }
    with atomic(out / "backbone.safetensors") as file:
        file.write(save(weights))
    with atomic(out / "backbone.pt2") as file:
        file.write(_torch_program(graph, raw))
    write_json(out / "backbone.json", about)


def _torch_program(graph: EncoderGraph, raw: torch.Tensor) -> bytes:
    file = io.BytesIO()
    batch = torch.export.Dim("batch", min=1, max=4096)
    with quiet_exporter(), torch.no_grad():
        program = torch.export.export(graph, (raw,), dynamic_shapes=({0: batch},))
        # They would be the only part of the file that is pickled.
        program.example_inputs = None
        torch.export.save(program, file)
    return file.getvalue()
