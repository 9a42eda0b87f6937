"""`vssl export`: from a trained run to the folder that `vssl.runtime` decides with.

The folder holds the ONNX model, its policy, reference data, golden samples with their outputs, and small pictures.
"""

import hashlib
import json
import re
from dataclasses import asdict
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import torch

from vssl.config import name_of
from vssl.decisions import policy_file as policies
from vssl.decisions.core import BANK, DEFECT, NORMAL
from vssl.decisions.policy import Binding, Policy
from vssl.decisions.policy_file import Reference
from vssl.exporting.encoded import OnnxEncoder
from vssl.exporting.graphs import EncoderGraph, ScoreGraph, merge, to_onnx
from vssl.exporting.parity import DecisionParity, Parity, compare_policies, milliseconds, relative_differences
from vssl.exporting.pictures import zip_pictures
from vssl.exporting.plane import Plane, fit_plane
from vssl.exporting.recalibrate import Calibration, read_calibration, recalibrate
from vssl.exporting.tiled import TiledEncoderGraph, TileGraph, over_tiles
from vssl.files import atomic, write_json
from vssl.run import Run
from vssl.runtime.folder import FORMAT, GOLDEN, KNOWN, MANIFEST, MODEL, PICTURES, POLICY
from vssl.runtime.sessions import VERSION
from vssl.stats.blocks import at_most
from vssl.training.environment import versions
from vssl.training.model import Model
from vssl.types import Embeddings

Precision = Literal["float32", "int8"]

MAX_EXAMPLES, EXAMPLE_BYTES = 256, 128 * 2**20
"""Samples by which a graph is traced, quantised and timed."""
GOLDEN_SAMPLES, GOLDEN_BYTES = 32, 16 * 2**20
SUFFIXES = {MODEL: "onnx", POLICY: "json", KNOWN: "json", GOLDEN: "npz", PICTURES: "zip"}
EXPORTED_FILE = re.compile("|".join(rf"{role}-[0-9a-f]{{12}}\.{suffix}" for role, suffix in SUFFIXES.items()))


def export(model: Model, out: Path, precision: Precision) -> Parity:
    """Write the export folder of a run, with a policy of its own if the run has one; see `vssl.api.export`."""
    has_policy = (model.run.path / "policy.json").exists()
    calibration = read_calibration(model.modality, *policies.read(model.run)) if has_policy else None
    raw = _example_samples(model, calibration)
    graph, encoder = _encoder(model, raw, precision)
    whole, decisions = encoder, DecisionParity(0, 0, 0.0)
    files: dict[str, bytes] = {}
    if calibration is not None:
        whole, files, decisions = _with_policy(model, calibration, encoder, raw, precision)
    golden = raw[: at_most(GOLDEN_SAMPLES, raw[0].nbytes, GOLDEN_BYTES)]
    files |= {MODEL: whole.SerializeToString(), GOLDEN: _golden(OnnxEncoder(whole), golden.numpy())}
    parity = Parity(
        relative_difference=relative_differences(graph, OnnxEncoder(encoder), golden),
        decided=decisions,
        milliseconds=milliseconds(graph, OnnxEncoder(encoder, threads=1), raw.numpy()),
        megabytes=round(len(files[MODEL]) / 1e6, 2),
    )
    _write(out, _manifest(model, precision, parity), files)
    return parity


def _encoder(
    model: Model, raw: torch.Tensor, precision: Precision
) -> tuple[EncoderGraph | TiledEncoderGraph, onnx.ModelProto]:
    """The encoder, in torch and in ONNX."""
    tiling = model.modality.tiling
    if tiling is not None:
        tiles = torch.cat([tiling.cut(sample, range(len(tiling))) for sample in raw])[:MAX_EXAMPLES]
        tile = TileGraph(model, tiles[:2]).eval()
        one = _quantised(to_onnx(tile, [tiles[:2]], ["tile"], tile.outputs), tiles, precision)
        whole = TiledEncoderGraph(model, raw[:1]).eval()
        return whole, over_tiles(one, whole, tiling, raw[:1])
    graph = EncoderGraph(model, raw[:2]).eval()
    return graph, _quantised(to_onnx(graph, [raw[:2]], ["raw"], graph.columns), raw, precision)


def _quantised(graph: onnx.ModelProto, raw: torch.Tensor, precision: Precision) -> onnx.ModelProto:
    if precision != "int8":
        return graph
    # Imported late: the quantiser is needed for nothing else, and takes long to import.
    from vssl.exporting.int8 import quantise

    return quantise(graph, raw.numpy())


def _with_policy(
    model: Model, calibration: Calibration, encoder: onnx.ModelProto, raw: torch.Tensor, precision: Precision
) -> tuple[onnx.ModelProto, dict[str, bytes], DecisionParity]:
    """The graph with the score, the files that decisions need, and how they compare with those of the run."""
    binding = Binding(_hash(encoder.SerializeToString()), model.preprocessing, backend(precision))
    embed = OnnxEncoder(encoder)
    bank, _ = embed.embeddings(calibration.raw[BANK])
    plane = fit_plane(bank)
    whole = merge(encoder, _score_graph(calibration.policy, bank, plane, embed(raw[:2].numpy())))
    policy, reference = recalibrate(OnnxEncoder(whole), bank, calibration, binding)
    files = {
        POLICY: _json(policies.sealed(policy)),
        KNOWN: _json(_reference_data(policy, reference, plane)),
        PICTURES: zip_pictures(model.modality, calibration.reference.bank, reference.bank.ids),
    }
    return whole, files, compare_policies((calibration.policy, calibration.reference), (policy, reference))


def backend(precision: Precision) -> str:
    """The software and precision that compute the scores, as in a policy's binding."""
    return f"onnxruntime {VERSION}, cpu, {precision}"


def run_hash(run: Run) -> str:
    """SHA-256 of the run's model and policy; an export with another one is out of date."""
    digest = hashlib.sha256()
    for path in (run.path / "model.safetensors", run.path / "policy.json"):
        digest.update(_hash(path.read_bytes()).encode() if path.exists() else b"-")
    return digest.hexdigest()


def _example_samples(model: Model, calibration: Calibration | None) -> torch.Tensor:
    """Up to 256 samples of the bank, or of the training data where there is no policy; fewer where they are large."""
    if calibration is None:
        raw = model.modality.sample(model.run.info["source"], MAX_EXAMPLES, seed=0).raw
        return raw[: at_most(MAX_EXAMPLES, raw[0].nbytes, EXAMPLE_BYTES)]
    samples = (raw for _, raw, _ in calibration.raw[BANK])
    first = next(samples)
    return torch.stack([first, *islice(samples, at_most(MAX_EXAMPLES, first.nbytes, EXAMPLE_BYTES) - 1)])


def _score_graph(policy: Policy, bank: Embeddings, plane: Plane, example: dict[str, np.ndarray]) -> onnx.ModelProto:
    module = ScoreGraph(policy.score.fit(bank), bank, plane)
    examples = [torch.from_numpy(example[name]) for name in module.columns]
    return to_onnx(module, examples, module.columns, module.outputs)


def _golden(encoder: OnnxEncoder, raw: np.ndarray) -> bytes:
    """Samples and the outputs of the export on this computer, to be compared on the other one."""
    file = BytesIO()
    arrays: dict[str, Any] = {"raw": raw} | encoder(raw)
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _manifest(model: Model, precision: Precision, parity: Parity) -> dict[str, Any]:
    return {
        "modality": name_of(model.modality.config),
        "spec": asdict(model.modality.spec),
        "preprocessing": model.preprocessing,
        "precision": precision,
        "backend": backend(precision),
        "versions": versions() | {"onnxruntime": onnxruntime.__version__},
        "parity": asdict(parity),
        "made_from": run_hash(model.run),
        "pretrained": model.run.info.get("pretrained"),
    }


def _reference_data(policy: Policy, reference: Reference, plane: Plane) -> dict[str, Any]:
    """Scores of the calibration samples by group, ids and coordinates of the bank, and the colours of a heat map."""
    data: dict[str, Any] = {
        role: {group: reference.scores(role, group).tolist() for group in policy.thresholds}
        for role in (NORMAL, DEFECT)
    }
    data |= {"bank": reference.bank.ids, "map": plane.bank.round(3).tolist()}
    if (anomaly_map := policy.score.fit(reference.bank).anomaly_map) is not None:
        data["heat"] = anomaly_map.colour_range(reference.normal)
    return data


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(out: Path, manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    """Write the files under names with their hash, the manifest last: until then the export before it stays intact."""
    entries = {}
    for role, data in files.items():
        name = f"{role}-{_hash(data)[:12]}.{SUFFIXES[role]}"
        entries[role] = {"name": name, "sha256": _hash(data)}
        with atomic(out / name) as file:
            file.write(data)
    write_json(out / MANIFEST, {"format": FORMAT, "files": entries} | manifest)
    current = {entry["name"] for entry in entries.values()}
    for path in out.iterdir():
        if path.name not in current and EXPORTED_FILE.fullmatch(path.name):
            path.unlink()
