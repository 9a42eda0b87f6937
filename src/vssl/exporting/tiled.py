"""The encoder of a run with tiles as one ONNX graph in constant memory: a loop over the tiles inside the graph.

The graph of a tile is the body of ONNX's `Scan`; another graph makes the columns of the sample of what all tiles gave.
So the graph has the interface of any other: raw samples to columns.
"""

import numpy as np
import onnx
import onnx.compose
import torch
from jaxtyping import Shaped
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array
from torch import Tensor, nn

from vssl.embedding.tiles import encode_tiles, stitched_columns
from vssl.exporting.graphs import chain, to_onnx
from vssl.modalities.tiling import Tiling
from vssl.training.model import Model


class TileGraph(nn.Module):
    """From raw tiles to their features and, where the encoder has them, their patches.

    Attributes:
        outputs: Names of the outputs.
    """

    def __init__(self, model: Model, example: Shaped[Tensor, "B ..."]) -> None:
        super().__init__()
        self.modality, self.objective = model.modality, model.objective
        self.outputs = ["tile_features", "tile_patches"][: len(self(example))]

    def forward(self, tiles: Shaped[Tensor, "B ..."]) -> tuple[Tensor, ...]:
        features, patches = encode_tiles(self.modality, self.objective, tiles)
        return (features,) if patches is None else (features, patches)


class StitchGraph(nn.Module):
    """From raw samples and what all their tiles gave, [B, n, ...], to the columns of the samples."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.modality, self.objective = model.modality, model.objective

    def forward(self, *inputs: Shaped[Tensor, "..."]) -> tuple[Tensor, ...]:
        raw, features, patches = (*inputs, None)[:3]
        assert raw is not None
        assert features is not None
        moved = None if patches is None else patches.movedim(1, 0)
        return tuple(stitched_columns(self.modality, self.objective, raw, features.movedim(1, 0), moved).values())


class TiledEncoderGraph(nn.Module):
    """The whole in torch: from raw samples to the columns that `vssl embed` computes, in float32.

    Attributes:
        columns: Names of the outputs.
    """

    def __init__(self, model: Model, example: Shaped[Tensor, "B ..."]) -> None:
        super().__init__()
        assert model.modality.tiling is not None
        self.model, self.tiling = model, model.modality.tiling
        self.columns = list(self._columns(example))

    def forward(self, raw: Shaped[Tensor, "B ..."]) -> tuple[Tensor, ...]:
        return tuple(self._columns(raw).values())

    def _columns(self, raw: Tensor) -> dict[str, Tensor]:
        modality, objective = self.model.modality, self.model.objective
        tiles = range(len(self.tiling))
        found = [
            encode_tiles(modality, objective, torch.cat([self.tiling.cut(sample, [tile]) for sample in raw]))
            for tile in tiles
        ]
        features, patches = zip(*found, strict=True)
        stacked = None if patches[0] is None else torch.stack([each for each in patches if each is not None])
        return stitched_columns(modality, objective, raw, torch.stack(features), stacked)


def over_tiles(
    tile: onnx.ModelProto, whole: TiledEncoderGraph, tiling: Tiling, example: Shaped[Tensor, "B ..."]
) -> onnx.ModelProto:
    """The graph of a tile, run over all tiles of each sample, with the columns that follow.

    Args:
        tile: The graph of `TileGraph`.
        whole: The same in torch, for the names of the columns.
        example: Some raw samples.
    """
    scan = _scan(tile, tiling, tuple(example.shape[1:]))
    stitch = StitchGraph(whole.model)
    examples = [example]
    for output in tile.graph.output:
        shape = [dimension.dim_value for dimension in output.type.tensor_type.shape.dim[1:]]
        kind = torch.int8 if output.type.tensor_type.elem_type == TensorProto.INT8 else torch.float32
        examples.append(torch.zeros(len(example), len(tiling), *shape, dtype=kind))
    names = [output.name for output in scan.graph.output]
    return chain(scan, to_onnx(stitch, examples, names, whole.columns), whole.columns)


def _scan(tile: onnx.ModelProto, tiling: Tiling, shape: tuple[int, ...]) -> onnx.ModelProto:
    """From raw samples to the outputs of the tile's graph, [B, n, ...], and the raw samples again."""
    (taken,) = tile.graph.input
    axes, size = from_array(np.array([2, 3]), "tile_axes"), from_array(np.array(tiling.tile), "tile_size")
    corner = helper.make_tensor_value_info("tile_corner", TensorProto.INT64, [2])
    body = helper.make_graph(
        [
            helper.make_node("Add", ["tile_corner", "tile_size"], ["tile_end"]),
            helper.make_node("Slice", ["raw", "tile_corner", "tile_end", "tile_axes"], [taken.name]),
            *tile.graph.node,
        ],
        "over_tiles",
        [corner],
        tile.graph.output,
        [axes, size, *tile.graph.initializer],
        value_info=tile.graph.value_info,
    )
    found = [output.name for output in tile.graph.output]
    nodes = [
        helper.make_node(
            "Scan",
            ["tile_corners"],
            [f"all_{name}" for name in found],
            body=body,
            num_scan_inputs=1,
            scan_output_axes=[1] * len(found),
        ),
        helper.make_node("Identity", ["raw"], ["raw_again"]),
    ]
    elements = TensorProto.UINT8
    outputs = [helper.make_tensor_value_info("raw_again", elements, ["batch", *shape])]
    for output in tile.graph.output:
        kind = output.type.tensor_type
        dimensions = [dimension.dim_value for dimension in kind.shape.dim[1:]]
        outputs.append(
            helper.make_tensor_value_info(f"all_{output.name}", kind.elem_type, ["batch", len(tiling), *dimensions])
        )
    graph = helper.make_graph(
        nodes,
        "tiles",
        [helper.make_tensor_value_info("raw", elements, ["batch", *shape])],
        outputs,
        [from_array(tiling.corners, "tile_corners")],
    )
    model = helper.make_model(graph, opset_imports=tile.opset_import, functions=tile.functions)
    model.ir_version = tile.ir_version
    return model
