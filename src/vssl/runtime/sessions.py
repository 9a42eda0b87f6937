"""The one place where sessions of onnxruntime are made; they tell nobody what they do."""

from __future__ import annotations

import numpy as np
import onnxruntime

# It reports to its maker where it is not told otherwise: on Windows by this call, elsewhere (from 1.29 on) by a
# variable that must be set before it is imported, which `vssl/__init__.py` does.
onnxruntime.disable_telemetry_events()

VERSION = ".".join(onnxruntime.__version__.split(".")[:2])  # what a policy remembers of it


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session on the processor, of a model that stands in these bytes alone.

    Args:
        model: A serialised ONNX file; not a path, as the file could be exchanged between a check and its use.
        threads: To use; 0 for one a core.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def outputs(model: onnxruntime.InferenceSession, raw: np.ndarray) -> dict[str, np.ndarray]:
    """All outputs by name for a raw batch of 1 or more; the same to the last bit for a sample alone and among others.

    Each sample is computed alone: with the size of a batch the order of sums changes, and a sample near a threshold
    could be decided otherwise.
    """
    names = [output.name for output in model.get_outputs()]
    given = model.get_inputs()[0].name
    found = [model.run(names, {given: raw[row : row + 1]}) for row in range(len(raw))]
    return {name: np.concatenate(values) for name, values in zip(names, zip(*found, strict=True), strict=True)}
