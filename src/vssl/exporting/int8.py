"""An 8-bit encoder: weights and activations of its convolutions and matrix products, calibrated on the user's data."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

BATCH = 16
SAMPLES = 256
"""Enough to see the range of every activation."""


def quantised(encoding: onnx.ModelProto, raw: np.ndarray) -> onnx.ModelProto:
    """The graph with 8-bit convolutions and matrix products (QDQ, weights by channel).

    Args:
        raw: Samples as the graph takes them; the ranges of the activations are measured on the first `SAMPLES`.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, found = (Path(folder) / f"{name}.onnx" for name in ("plain", "prepared", "found"))
        onnx.save(encoding, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            found,
            _Samples(encoding.graph.input[0].name, raw[:SAMPLES]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # Weights of 7 bits: processors without 8-bit dot products (VNNI) add two products in 16 bits, where those
            # of 8 bits overflow, and the numbers, and with them the guarantee, would hang on the processor.
            reduce_range=True,
        )
        return onnx.load(found)


class _Samples(CalibrationDataReader):
    def __init__(self, name: str, raw: np.ndarray) -> None:
        self._batches: Iterator[dict[str, np.ndarray]] = iter(
            [{name: raw[at : at + BATCH]} for at in range(0, len(raw), BATCH)]
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)
