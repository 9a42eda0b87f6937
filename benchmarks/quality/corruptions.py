"""Whether corrupted samples are rejected, and more of them the more they are corrupted.

    make demo
    python -m benchmarks.quality.corruptions vssl-demo/run vssl-demo/hold-out/parts.csv

Corrupts samples in every way and at every level that their modality knows, and applies the policy of the run. For
images it adds pure noise, black and white pictures, and images of another data set when `--ood` names one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from benchmarks.common.record import RESULTS, Record
from vssl import Embeddings, api
from vssl.decisions import policy_file as policies
from vssl.decisions.core import UNGROUPED
from vssl.embedding import embed_view
from vssl.modalities.base import CORRUPTION_LEVELS
from vssl.scores import Score
from vssl.training.model import Model


@dataclass(frozen=True)
class Options:
    """Corrupted samples.

    Attributes:
        run: A run with a policy.
        data: The samples that are corrupted.
        ood: Samples of another data set (out of distribution).
        samples: Number of samples drawn.
        out: File of the record.
    """

    run: tyro.conf.Positional[Path]
    data: tyro.conf.Positional[Path]
    ood: Path | None = None
    samples: int = 1_000
    out: Path = RESULTS / "corruptions.json"


def main(options: Options) -> None:
    record = Record.create(options.out, seeds=(0,), samples=options.samples)
    model = api.load(options.run, "cpu")
    policy, reference = policies.read(model.run)
    score = policy.score.fit(reference.bank)
    threshold = policy.thresholds[UNGROUPED].reject_above
    record.add({"rejected": rejected(model, score, threshold, options.data, options.ood, options.samples)})
    for name, share in record.rows[-1]["rejected"].items():
        print(f"{name:18} {share:6.1%}")


def rejected(
    model: Model, score: Score, threshold: float, data: Path, ood: Path | None, samples: int = 1_000
) -> dict[str, float]:
    """The share of samples above the threshold, 0..1, by corruption and level."""
    raw = model.modality.sample(data, samples, seed=0).raw
    generator = torch.Generator().manual_seed(0)
    sets = {"unchanged": raw}
    if raw.dtype == torch.uint8:
        noise = torch.randint(0, 256, raw.shape, generator=generator, dtype=torch.uint8)
        sets |= {"pure noise": noise, "all black": torch.zeros_like(raw), "all white": torch.full_like(raw, 255)}
    for kind in model.modality.corruptions:
        sets |= {f"{kind} {n}": model.modality.corrupt(raw, kind, n, generator) for n in CORRUPTION_LEVELS}
    if ood is not None:
        sets["another data set"] = model.modality.sample(ood, samples, seed=0).raw
    return {name: float((score(_embedded(model, each)) > threshold).mean()) for name, each in sets.items()}


def _embedded(model: Model, raw: torch.Tensor) -> Embeddings:
    columns = embed_view(model, model.modality.eval_view(raw))
    return Embeddings.from_columns([str(row) for row in range(len(raw))], columns)


if __name__ == "__main__":
    main(tyro.cli(Options))
