"""A trained run as ONNX graphs: from a raw batch to the columns of the embeddings, and from these to a score."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import onnx
import onnx.compose
import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from vssl.embedding import columns_of
from vssl.errors import ExportError
from vssl.exporting.plane import Plane
from vssl.scores.base import Score
from vssl.training.model import Model
from vssl.types import Embeddings

NEIGHBOURS = 3
"""Nearest samples of the bank that are named for each sample."""


class EncoderGraph(nn.Module):
    """From a raw batch, prepared inside, to the columns that `vssl embed` computes from one view, in float32.

    Attributes:
        columns: Names of the outputs.
    """

    def __init__(self, model: Model, example: Shaped[Tensor, "B ..."]) -> None:
        super().__init__()
        self.modality, self.objective = model.modality, model.objective
        self.columns = list(self._columns(example))

    def forward(self, raw: Shaped[Tensor, "B ..."]) -> tuple[Shaped[Tensor, "B ..."], ...]:
        return tuple(self._columns(raw).values())

    def _columns(self, raw: Tensor) -> dict[str, Tensor]:
        view = self.modality.eval_view(raw)
        encoder = self.objective.encoder
        features, maps = encoder.forward_with_patches(view)
        return columns_of(self.modality, encoder, view, features, self.objective.latent(features), maps)


class ScoreGraph(nn.Module):
    """From columns of the embeddings, features and mean first, to what a decision needs of each sample.

    Attributes:
        columns: Names of the inputs.
        outputs: Names of the outputs: `score`; `nearest`, rows of the most similar samples of the bank; `map`, the
            sample's coordinates on the plane; and `heat`, the anomaly map, where the score has one.
    """

    def __init__(self, score: Score, bank: Embeddings, plane: Plane) -> None:
        super().__init__()
        of_map = () if score.anomaly_map is None else score.anomaly_map.columns
        self.columns = list(dict.fromkeys(["features", "mean", *score.columns, *of_map]))
        self.inputs_of_score = [self.columns.index(name) for name in score.columns]
        self.inputs_of_map = [self.columns.index(name) for name in of_map]
        self.score = score.module
        self.anomaly_map = None if score.anomaly_map is None else score.anomaly_map.module
        self.bank = nn.Buffer(F.normalize(bank.torch("features").float()))
        self.centre, self.axes = (nn.Buffer(torch.from_numpy(part)) for part in (plane.centre, plane.axes))
        self.outputs = ["score", "nearest", "map"] + ["heat"] * (self.anomaly_map is not None)

    def forward(self, *columns: Shaped[Tensor, "B ..."]) -> tuple[Shaped[Tensor, "B ..."], ...]:
        cosine: Float[Tensor, "B N"] = F.normalize(columns[0].float()) @ self.bank.T
        nearest = cosine.topk(min(NEIGHBOURS, len(self.bank))).indices
        coordinates = (columns[1].float() - self.centre) @ self.axes
        score = self.score(*(columns[column] for column in self.inputs_of_score)).double()
        if self.anomaly_map is None:
            return score, nearest, coordinates
        return score, nearest, coordinates, self.anomaly_map(*(columns[column] for column in self.inputs_of_map))


def to_onnx(
    module: nn.Module, examples: Sequence[Tensor], inputs: Sequence[str], outputs: Sequence[str]
) -> onnx.ModelProto:
    """The graph of a module for batches of any size; the names inside it begin with that of its class.

    Raises:
        ExportError: It has an operation that ONNX has not, or is tied to one size of batch.
    """
    batch = torch.export.Dim("batch", min=1, max=4096)
    shapes = tuple({0: batch} for _ in examples)
    # The graph may use names such as `mean` inside as well: the interface gets a prefix, which is removed afterwards.
    input_names, output_names = [f"input_{name}" for name in inputs], [f"output_{name}" for name in outputs]
    try:
        with quiet_exporter(), torch.no_grad():
            program = torch.onnx.export(
                module.eval(),
                tuple(examples),
                dynamo=True,
                dynamic_shapes=shapes if len(examples) == 1 else (shapes,),
                input_names=input_names,
                output_names=output_names,
                verbose=False,
            )
    except Exception as error:  # the exporter's own errors have no public class
        raise ExportError(f"The model cannot be exported to ONNX: {str(error).splitlines()[0]}") from error
    assert program is not None
    if not program.model_proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        # Python's len() of a tensor, or its values in an `if`, tie a graph to the batch that it was made from.
        raise ExportError(f"{type(module).__name__} cannot be exported for batches of any size: ask for x.shape[0].")
    prefix = f"{type(module).__name__}/"
    graph = onnx.compose.add_prefix(program.model_proto, prefix)
    names = zip([*input_names, *output_names], [*inputs, *outputs], strict=True)
    return _rename(graph, {prefix + inner: outer for inner, outer in names})


def merge(encoder: onnx.ModelProto, score: onnx.ModelProto) -> onnx.ModelProto:
    """One graph that computes the outputs of the encoder's graph and those of the score's from them."""
    links = [(item.name, item.name) for item in score.graph.input]
    outputs = [item.name for model in (encoder, score) for item in model.graph.output]
    return onnx.compose.merge_models(encoder, score, io_map=links, outputs=outputs)


def _rename(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return model


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silences what torch's exporter logs about its inner steps: a user can do nothing about it."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
