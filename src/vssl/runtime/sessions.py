"""Makes all sessions of onnxruntime, with its telemetry turned off."""

import numpy as np
import onnxruntime

# Telemetry is on by default: this call turns it off on Windows; elsewhere (from 1.29 on) an environment variable does,
# which `vssl/__init__.py` sets before the import.
onnxruntime.disable_telemetry_events()

VERSION = ".".join(onnxruntime.__version__.split(".")[:2])  # what a policy is bound to


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session on the CPU, of a model that is contained in these bytes.

    Args:
        model: A serialised ONNX file; not a path, as the file could be replaced between the check and its use.
        threads: Number of threads; 0 for one per core.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def relative_difference(values: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of an output, as a share of its largest absolute value, in float64."""
    expected = expected.astype(np.float64)
    return float(np.abs(values - expected).max() / max(np.abs(expected).max(), 1e-12))


def outputs(model: onnxruntime.InferenceSession, raw: np.ndarray) -> dict[str, np.ndarray]:
    """All outputs by name for a raw batch of 1 or more; bit-identical whatever the batch that a sample is in.

    Each sample is computed alone: the order of sums depends on the batch size, and a sample near a threshold could be
    decided differently.
    """
    names = [output.name for output in model.get_outputs()]
    input_name = model.get_inputs()[0].name
    rows = [model.run(names, {input_name: raw[row : row + 1]}) for row in range(len(raw))]
    return {name: np.concatenate(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
