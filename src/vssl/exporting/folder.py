"""`vssl export`: a folder that `vssl.runtime` decides with."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import torch

from vssl.config import name_of, to_dict
from vssl.decisions import policy_file as policies
from vssl.decisions.core import BANK
from vssl.decisions.policy import Binding, Policy
from vssl.decisions.policy_file import Reference
from vssl.exporting.encoded import Encoded
from vssl.exporting.graphs import Encoding, Scoring, joined, to_onnx
from vssl.exporting.parity import Decided, Parity, compare, differences, milliseconds
from vssl.exporting.pictures import zipped
from vssl.exporting.plane import Plane, plane_of
from vssl.exporting.recalibrate import Calibration, gather, recalibrate
from vssl.files import atomic, write_json
from vssl.run import Run
from vssl.runtime.folder import FORMAT, GOLDEN, KNOWN, MANIFEST, MODEL, PICTURES, POLICY
from vssl.runtime.sessions import VERSION
from vssl.scores import patches
from vssl.training.describe import versions
from vssl.training.model import Model
from vssl.types import Embeddings

Precision = Literal["float32", "int8"]

GOLDEN_SAMPLES = 32
SUFFIXES = {MODEL: "onnx", POLICY: "json", KNOWN: "json", GOLDEN: "npz", PICTURES: "zip"}
OURS = re.compile("|".join(rf"{role}-[0-9a-f]{{12}}\.{suffix}" for role, suffix in SUFFIXES.items()))


def export(model: Model, out: Path, precision: Precision) -> Parity:
    """Write the export folder of a run, with a policy of its own if the run has one; see `vssl.api.export`."""
    before = _calibration(model)
    raw = _some_raw(model, before)
    encoding = Encoding(model, raw[:2]).eval()
    encoder = to_onnx(encoding, [raw[:2]], ["raw"], encoding.columns)
    if precision == "int8":
        # Imported late: the quantiser is needed for nothing else, and takes long to import.
        from vssl.exporting.int8 import quantised

        encoder = quantised(encoder, raw.numpy())
    whole, files, decided = encoder, {}, Decided(0, 0, 0.0)
    if before is not None:
        binding = Binding(_hash(encoder.SerializeToString()), model.preprocessing, backend(precision))
        bank = Encoded(encoder).embeddings(before.raw[BANK])
        plane = plane_of(bank)
        whole = joined(encoder, _scoring(before.policy, bank, plane, Encoded(encoder)(raw[:2].numpy())))
        after = recalibrate(Encoded(whole), bank, before, binding)
        files = {POLICY: _json(policies.sealed(after[0])), KNOWN: _json(_known(*after, plane))}
        files[PICTURES] = zipped(model.modality, before.reference.bank, after[1].bank.ids)
        decided = compare((before.policy, before.reference), after)
    files |= {MODEL: whole.SerializeToString(), GOLDEN: _golden(Encoded(whole), raw[:GOLDEN_SAMPLES].numpy())}
    parity = Parity(
        relative_difference=differences(encoding, Encoded(encoder), raw[:GOLDEN_SAMPLES]),
        decided=decided,
        milliseconds=milliseconds(encoding, Encoded(encoder, threads=1), raw.numpy()),
        megabytes=round(len(files[MODEL]) / 1e6, 2),
    )
    _write(out, _about(model, precision, parity) | {"made_from": origin(model.run)}, files)
    return parity


def backend(precision: Precision) -> str:
    """What computes the numbers, as a policy remembers it."""
    return f"onnxruntime {VERSION}, cpu, {precision}"


def origin(run: Run) -> str:
    """SHA-256 of the run's model and policy: an export of something else is out of date."""
    found = hashlib.sha256()
    for path in (run.path / "model.safetensors", run.path / "policy.json"):
        found.update(_hash(path.read_bytes()).encode() if path.exists() else b"-")
    return found.hexdigest()


def _calibration(model: Model) -> Calibration | None:
    if not (model.run.path / "policy.json").exists():
        return None
    return gather(model.modality, *policies.read(model.run))


def _some_raw(model: Model, calibration: Calibration | None) -> torch.Tensor:
    """Real samples: those of the bank, or of the training data where there is no policy."""
    if calibration is not None:
        return torch.stack([raw for _, raw, _ in calibration.raw[BANK][:256]])
    return model.modality.sample(model.run.info["source"], 256, seed=0).raw


def _scoring(policy: Policy, bank: Embeddings, plane: Plane, example: dict[str, np.ndarray]) -> onnx.ModelProto:
    module = Scoring(policy.score.fit(bank), bank, plane)
    examples = [torch.from_numpy(example[name]) for name in module.columns]
    return to_onnx(module, examples, module.columns, module.outputs)


def _golden(encoded: Encoded, raw: np.ndarray) -> bytes:
    """Samples and what the export makes of them here, to be compared on the other computer."""
    file = BytesIO()
    arrays: dict[str, Any] = {"raw": raw} | encoded(raw)
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _about(model: Model, precision: Precision, parity: Parity) -> dict[str, Any]:
    return {
        "modality": name_of(model.modality.config),
        "spec": to_dict(model.modality.spec),
        "preprocessing": model.preprocessing,
        "precision": precision,
        "backend": backend(precision),
        "versions": versions() | {"onnxruntime": onnxruntime.__version__},
        "parity": asdict(parity),
    }


def _known(policy: Policy, reference: Reference, plane: Plane) -> dict[str, Any]:
    """Scores of the calibration samples by group, the bank's names and places on the plane, and which heat is usual."""
    normal = {group: reference.normal_scores(group).tolist() for group in policy.thresholds}
    defect = {group: reference.defect_scores(group).tolist() for group in policy.thresholds}
    known = {"normal": normal, "defect": defect, "bank": reference.bank.ids, "map": plane.known.round(3).tolist()}
    if "patch_features" in reference.bank:
        known["heat"] = patches.fit(patches.Config(), reference.bank).usual(reference.normal)
    return known


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(out: Path, about: dict[str, Any], files: dict[str, bytes]) -> None:
    """Write the files under names of their own, the manifest last: until then an export that was there is whole."""
    entries = {}
    for role, data in files.items():
        name = f"{role}-{_hash(data)[:12]}.{SUFFIXES[role]}"
        entries[role] = {"name": name, "sha256": _hash(data)}
        with atomic(out / name) as file:
            file.write(data)
    write_json(out / MANIFEST, {"format": FORMAT, "files": entries} | about)
    kept = {entry["name"] for entry in entries.values()}
    for path in out.iterdir():
        if path.name not in kept and OURS.fullmatch(path.name):
            path.unlink()
