"""The one place where sessions of onnxruntime are made; they tell nobody what they do."""

from __future__ import annotations

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
