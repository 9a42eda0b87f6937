"""How far an export is from the model that it was made of: numbers, decisions, time, size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from time import perf_counter

import numpy as np
import torch

from vssl.decisions.core import decide_by_group
from vssl.decisions.policy import Policy
from vssl.decisions.policy_file import Reference
from vssl.exporting.encoded import Encoded
from vssl.exporting.graphs import Encoding

TURNS = 20


@dataclass(frozen=True)
class Decided:
    """How the known samples are decided on by the export's policy and by the run's.

    Attributes:
        samples: How many there were; 0 without a policy.
        flips: How many are decided otherwise.
        score_difference: The largest difference of the scores, as a share of their standard deviation.
    """

    samples: int
    flips: int
    score_difference: float


@dataclass(frozen=True)
class Parity:
    """What the other computer will see, beside the run on this one.

    Attributes:
        relative_difference: Of each output: the largest difference to the float32 model in torch, as a share of its
            largest value.
        decided: How decisions compare with those of the run's policy.
        milliseconds: By what computes and the size of the batch: the median time of the encoder, on one core.
        megabytes: Size of the model's file, with the bank that the score compares with.
    """

    relative_difference: Mapping[str, float]
    decided: Decided
    milliseconds: Mapping[str, float]
    megabytes: float


def differences(encoding: Encoding, encoded: Encoded, raw: torch.Tensor) -> dict[str, float]:
    """The largest difference of each output, as a share of the largest value."""
    with torch.inference_mode():
        expected = dict(zip(encoding.columns, encoding(raw), strict=True))
    found = encoded(raw.numpy())
    return {name: _relative(found[name].astype(np.float64), value.double().numpy()) for name, value in expected.items()}


def _relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))


def compare(before: tuple[Policy, Reference], after: tuple[Policy, Reference]) -> Decided:
    """The decisions of two policies on the same known samples."""
    (made, scores), (made_after, scores_after) = _decided(*before), _decided(*after)
    moved = float(np.abs(scores - scores_after).max() / scores.std())
    return Decided(len(made), int((made != made_after).sum()), moved)


def _decided(policy: Policy, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Decisions and scores of the normals and the defects, in the order of their ids."""
    decisions, scores = [], []
    for samples in (reference.normal, reference.defects):
        order = np.argsort(np.array(samples.ids, dtype=object), kind="stable")
        scores.append(samples.numpy("score")[order])
        decisions.append(decide_by_group(policy.thresholds, samples.numpy("group")[order], scores[-1]))
    return np.concatenate(decisions), np.concatenate(scores)


def milliseconds(encoding: Encoding, encoded: Encoded, raw: np.ndarray) -> dict[str, float]:
    """The median time of a batch of 1 and of 64, in turns, so that a disturbance hits both alike."""
    runs: dict[str, Callable[[np.ndarray], object]] = {
        "torch float32": lambda batch: encoding(torch.from_numpy(batch)),
        "export": encoded,
    }
    times: dict[str, list[float]] = {}
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        for _, (name, run), size in product(range(TURNS), runs.items(), (1, 64)):
            batch = np.resize(raw, (size, *raw.shape[1:]))
            start = perf_counter()
            with torch.inference_mode():
                run(batch)
            times.setdefault(f"{name}, batch {size}", []).append(1e3 * (perf_counter() - start))
    finally:
        torch.set_num_threads(threads)
    return {name: round(float(np.median(found)), 3) for name, found in times.items()}
