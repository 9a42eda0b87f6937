"""Parity of an export with its run: numbers, decisions, time per batch, size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from time import perf_counter

import numpy as np
import torch

from vssl.decisions.core import decide_by_group
from vssl.decisions.policy import Policy
from vssl.decisions.policy_file import Reference
from vssl.exporting.encoded import OnnxEncoder
from vssl.exporting.graphs import EncoderGraph
from vssl.exporting.tiled import TiledEncoderGraph
from vssl.runtime.sessions import relative_difference

REPETITIONS, REPETITIONS_OF_LARGE = 20, 3
BATCH_BYTES = 16 * 2**20
"""A batch of 64 with more bytes is not timed."""


@dataclass(frozen=True)
class DecisionParity:
    """How the export's policy decides on the calibration samples, compared with the run's policy.

    Attributes:
        samples: Number of samples; 0 without a policy.
        flips: Number of samples that are decided differently.
        score_difference: Largest difference of the scores, in standard deviations of the run's scores.
    """

    samples: int
    flips: int
    score_difference: float


@dataclass(frozen=True)
class Parity:
    """How the export compares with the run on this computer.

    Attributes:
        relative_difference: For each output its largest difference to the float32 model in torch, as a share of its
            largest absolute value.
        decided: The decisions.
        milliseconds: Median time of the encoder on one core, by program and size of the batch.
        megabytes: Size of the model's file, which includes the bank.
    """

    relative_difference: Mapping[str, float]
    decided: DecisionParity
    milliseconds: Mapping[str, float]
    megabytes: float


def relative_differences(
    graph: EncoderGraph | TiledEncoderGraph, encoder: OnnxEncoder, raw: torch.Tensor
) -> dict[str, float]:
    """The largest difference of each output, as a share of its largest absolute value."""
    with torch.inference_mode():
        expected = dict(zip(graph.columns, graph(raw), strict=True))
    outputs = encoder(raw.numpy())
    return {name: relative_difference(outputs[name], each.numpy()) for name, each in expected.items()}


def compare_policies(run: tuple[Policy, Reference], export: tuple[Policy, Reference]) -> DecisionParity:
    """The decisions of two policies on the same calibration samples."""
    (decisions, scores), (decisions_of_export, scores_of_export) = _decisions(*run), _decisions(*export)
    difference = float(np.abs(scores - scores_of_export).max() / scores.std())
    return DecisionParity(len(decisions), int((decisions != decisions_of_export).sum()), difference)


def _decisions(policy: Policy, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Decisions and scores of the normal samples and the defects, in the order of their ids."""
    decisions, scores = [], []
    for samples in (reference.normal, reference.defects):
        order = np.argsort(np.array(samples.ids, dtype=object), kind="stable")
        scores.append(samples.numpy("score")[order])
        decisions.append(decide_by_group(policy.thresholds, samples.numpy("group")[order], scores[-1]))
    return np.concatenate(decisions), np.concatenate(scores)


def milliseconds(graph: EncoderGraph | TiledEncoderGraph, encoder: OnnxEncoder, raw: np.ndarray) -> dict[str, float]:
    """The median time of a batch of 1 and of 64; the programs alternate, so that a disturbance affects both alike.

    Of large samples, single ones only.
    """
    runs: dict[str, Callable[[np.ndarray], object]] = {
        "torch float32": lambda batch: graph(torch.from_numpy(batch)),
        "export": encoder,
    }
    times: dict[str, list[float]] = {}
    large = 64 * raw[0].nbytes > BATCH_BYTES
    sizes, repetitions = ((1,), REPETITIONS_OF_LARGE) if large else ((1, 64), REPETITIONS)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        for _, (name, run), size in product(range(repetitions), runs.items(), sizes):
            batch = np.resize(raw, (size, *raw.shape[1:]))
            start = perf_counter()
            with torch.inference_mode():
                run(batch)
            times.setdefault(f"{name}, batch {size}", []).append(1e3 * (perf_counter() - start))
    finally:
        torch.set_num_threads(threads)
    return {name: round(float(np.median(each)), 3) for name, each in times.items()}
