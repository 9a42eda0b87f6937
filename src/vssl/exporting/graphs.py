"""A trained run as graphs: from a raw batch to the columns of the embeddings, and from these to a score."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import onnx
import onnx.compose
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssl.embedding import columns_of
from vssl.errors import ExportError
from vssl.exporting.plane import Plane
from vssl.scores.base import Score
from vssl.training.model import Model
from vssl.types import Embeddings

NEAREST = 3


class Encoding(nn.Module):
    """From a raw batch, prepared inside, to the columns that `vssl embed` gives, in float32."""

    def __init__(self, model: Model, example: Tensor) -> None:
        super().__init__()
        self.modality, self.objective = model.modality, model.objective
        self.columns = list(self._columns(example))

    def forward(self, raw: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._columns(raw).values())

    def _columns(self, raw: Tensor) -> dict[str, Tensor]:
        view = self.modality.eval_view(raw)
        features, maps = self.objective.encoder.forward_with_patches(view)
        return columns_of(self.modality, view, features, self.objective.latent(features), maps)


class Scoring(nn.Module):
    """From columns of the embeddings, features and mean first, to what is said of each sample.

    Attributes:
        columns: Those that it takes, in their order.
        outputs: score; nearest, the rows of the nearest known samples; map, its place on a plane, x and y; and, where
            the encoder has places, heat, how unlike known ones each of them is.
    """

    def __init__(self, score: Score, bank: Embeddings, plane: Plane) -> None:
        super().__init__()
        self.columns = list(dict.fromkeys(["features", "mean", *score.columns]))
        self.takes = [self.columns.index(name) for name in score.columns]
        self.score = score.module
        self.known = nn.Buffer(F.normalize(bank.torch("features").float()))
        self.centre, self.axes = (nn.Buffer(torch.from_numpy(part)) for part in (plane.centre, plane.axes))
        self.nearby = None if score.anomaly_map is None else score.anomaly_map.module
        self.outputs = ["score", "nearest", "map"] + ["heat"] * (self.nearby is not None)

    def forward(self, *columns: Tensor) -> tuple[Tensor, ...]:
        cosine = F.normalize(columns[0].float()) @ self.known.T
        nearest = cosine.topk(min(NEAREST, len(self.known))).indices
        place = (columns[1].float() - self.centre) @ self.axes
        found = (self.score(*(columns[at] for at in self.takes)).double(), nearest, place)
        if self.nearby is None:
            return found
        return (*found, self.nearby(columns[0], columns[self.columns.index("patch_features")]))


def to_onnx(
    module: nn.Module, examples: Sequence[Tensor], inputs: Sequence[str], outputs: Sequence[str]
) -> onnx.ModelProto:
    """The graph of a module, for batches of any size; all names within start with that of its class.

    Raises:
        ExportError: It has an operation that ONNX has not.
    """
    batch = torch.export.Dim("batch", min=1, max=4096)
    shapes = tuple({0: batch} for _ in examples)
    # Names such as `mean` may stand within the graph too: they are given behind a prefix, and changed afterwards.
    given, found = [f"given_{name}" for name in inputs], [f"found_{name}" for name in outputs]
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                module.eval(),
                tuple(examples),
                dynamo=True,
                dynamic_shapes=shapes if len(examples) == 1 else (shapes,),
                input_names=given,
                output_names=found,
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
    names = zip([*given, *found], [*inputs, *outputs], strict=True)
    return _renamed(graph, {prefix + inner: outer for inner, outer in names})


def joined(encoding: onnx.ModelProto, scoring: onnx.ModelProto) -> onnx.ModelProto:
    """One graph of the two: the outputs of the first and of the second."""
    links = [(item.name, item.name) for item in scoring.graph.input]
    outputs = [item.name for model in (encoding, scoring) for item in model.graph.output]
    return onnx.compose.merge_models(encoding, scoring, io_map=links, outputs=outputs)


def _renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """The exporter tells the programmer about its inner steps; a user can do nothing about them."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    try:
        log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
