"""Are spoilt samples rejected, and more of them the more they are spoilt?

    make demo
    python benchmarks/spoilt.py vssl-demo/run vssl-demo/hold-out/parts.csv

Spoils samples in every way and at every level that their modality knows, and decides on them by the policy of the run.
Images: pure noise, all black and all white beside them, and images of another data set if it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch
import tyro

from vssl import Embeddings, api
from vssl.config import find, name_of
from vssl.decisions import policy_file as policies
from vssl.decisions.core import UNGROUPED
from vssl.embedding.embed import embed_view
from vssl.modalities.base import CORRUPTION_LEVELS
from vssl.scores import Score
from vssl.training.model import Model
from vssl.types import to_arrow

SAMPLES = 1_000


@dataclass(frozen=True)
class Options:
    """Spoilt samples.

    Attributes:
        run: A run with a policy.
        data: What is spoilt.
        other: Samples of another kind.
    """

    run: tyro.conf.Positional[Path]
    data: tyro.conf.Positional[Path]
    other: Path | None = None


def main(options: Options) -> None:
    model = api.load(options.run, "cpu")
    policy, reference = policies.read(model.run)
    score = find("scores", name_of(policy.score)).fit(policy.score, reference.bank)
    limit = policy.thresholds[UNGROUPED].reject_above
    for name, share in rejected(model, score, limit, options.data, options.other).items():
        print(f"{name:18} {share:6.1%}")


def rejected(model: Model, score: Score, limit: float, data: Path, other: Path | None) -> dict[str, float]:
    """The share of spoilt samples whose score is above the limit, in 0..1."""
    raw = model.modality.sample(data, SAMPLES, seed=0).raw
    generator = torch.Generator().manual_seed(0)
    sets = {"as they are": raw}
    if raw.dtype == torch.uint8:
        noise = torch.randint(0, 256, raw.shape, generator=generator, dtype=torch.uint8)
        sets |= {"pure noise": noise, "all black": torch.zeros_like(raw), "all white": torch.full_like(raw, 255)}
    for kind in model.modality.corruptions:
        sets |= {f"{kind} {n}": model.modality.corrupt(raw, kind, n, generator) for n in CORRUPTION_LEVELS}
    if other is not None:
        sets["another data set"] = model.modality.sample(other, SAMPLES, seed=0).raw
    return {name: float((score(_embedded(model, samples)) > limit).mean()) for name, samples in sets.items()}


def _embedded(model: Model, raw: torch.Tensor) -> Embeddings:
    columns = embed_view(model, model.modality.eval_view(raw))
    ids = pa.array([str(row) for row in range(len(raw))])
    return Embeddings(pa.table({"id": ids} | {name: to_arrow(values) for name, values in columns.items()}))


if __name__ == "__main__":
    main(tyro.cli(Options))
