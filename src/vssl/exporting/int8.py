"""An 8-bit encoder: quantised weights and activations of its convolutions and matrix products."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

BATCH = 16
SAMPLES = 256
"""Samples on which the ranges of the activations are measured."""


def quantise(encoder: onnx.ModelProto, raw: np.ndarray) -> onnx.ModelProto:
    """The graph with 8-bit convolutions and matrix products (QDQ format, one scale per channel of the weights).

    Args:
        raw: Samples as the graph takes them; the first `SAMPLES` are used.
    """
    with tempfile.TemporaryDirectory() as folder:
        original, prepared, quantised = (Path(folder) / f"{step}.onnx" for step in range(3))
        onnx.save(encoder, original)
        quant_pre_process(original, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            _Samples(encoder.graph.input[0].name, raw[:SAMPLES]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # Weights of 7 bits: processors without 8-bit dot products (VNNI) add two products in 16 bits, where 8-bit
            # weights overflow; the scores, and with them the guarantee, would depend on the processor.
            reduce_range=True,
        )
        return onnx.load(quantised)


class _Samples:
    """Batches for the calibration, as `onnxruntime.quantization.CalibrationDataReader` gives them."""

    def __init__(self, name: str, raw: np.ndarray) -> None:
        self._batches: Iterator[dict[str, np.ndarray]] = iter(
            [{name: raw[start : start + BATCH]} for start in range(0, len(raw), BATCH)]
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)
