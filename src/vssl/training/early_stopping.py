"""Early stopping without labels, for adapting pretrained weights: the best weights are kept, by samples held out.

Where a modality makes synthetic anomalies, the statistic is how well copies with such an anomaly are distinguished from
samples that no step is made on, by the distance to the nearest training sample. Elsewhere it is that of
`training_gain`, the accuracy of pairs, on the held-out samples; it cannot tell that features are damaged, because
instance discrimination rises all the same. The initial weights of the encoder are the first candidate, after the steps
in which the head alone is trained. Later weights replace the best ones if they are better by more than a standard error
of the samples' differences (the one-standard-error rule, Breiman et al. 1984, section 3.4.3), so that chance changes
nothing.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vssl.modalities.base import Dataset, Modality
from vssl.objectives.base import Objective
from vssl.training.modes import HEAD_ALONE, set_training
from vssl.training.settings import Settings
from vssl.training.training_gain import BATCH, TrainingGain, features_of, pair_accuracies

CHECKS = 8
PATIENCE = 3  # checks in a row without better weights, after which training stops
HELD_OUT_SHARE, MIN_HELD_OUT, MAX_HELD_OUT = 0.2, 4, 64
MAX_KNOWN = 128  # training samples that distances are measured to


def split_held_out(samples: int, seed: int) -> tuple[Int[np.ndarray, " T"], Int[np.ndarray, " H"]]:
    """The rows to train on and the rows that are held out."""
    count = min(MAX_HELD_OUT, max(MIN_HELD_OUT, round(HELD_OUT_SHARE * samples)))
    rows = np.random.default_rng(seed).permutation(samples)
    return np.sort(rows[count:]), np.sort(rows[:count])


class EarlyStopping:
    """The best weights so far, and whether it is time to stop.

    Args:
        trained, held_out: Rows of the samples, as `split_held_out` gives them.

    Attributes:
        steps: Step of each check.
        accuracies: Of each held-out sample at each check, the share of comparisons that come out right, 0..1.
        best: Index of the check with the best weights.
        weights: The best weights; empty before the first check.
    """

    def __init__(
        self,
        settings: Settings,
        modality: Modality,
        dataset: Dataset,
        trained: Int[np.ndarray, " T"],
        held_out: Int[np.ndarray, " H"],
        device: torch.device,
    ) -> None:
        self.settings, self.modality = settings, modality
        generator = torch.Generator(device).manual_seed(settings.seed)
        self.normal = dataset.batch(held_out).to(device)
        self.anomalous = modality.synthetic_anomalies(self.normal, generator)
        self.known = dataset.batch(trained[:: -(-len(trained) // MAX_KNOWN)]).to(device)
        self.views = modality.views(self.normal, generator)[:2]
        self.steps: list[int] = []
        self.accuracies: list[Float[Tensor, " H"]] = []
        self.best = 0
        self.weights: dict[str, Tensor] = {}

    def is_due(self, progress: float) -> bool:
        """Whether the next check is due at this fraction of the run, 0..1: `CHECKS` of them once the head is ready."""
        due = HEAD_ALONE + (1 - HEAD_ALONE) * len(self.steps) / CHECKS
        return progress >= min(due, 1.0) - 1e-9

    def check(self, objective: Objective, step: int) -> None:
        """Compare the weights with the best ones, and leave the objective in training mode."""
        accuracies = self._accuracies(objective)
        set_training(objective, "adapt")
        self.steps.append(step)
        self.accuracies.append(accuracies)
        if not self.weights or _is_better(accuracies, self.accuracies[self.best]):
            self.best = len(self.steps) - 1
            self.weights = {name: value.detach().clone() for name, value in objective.state_dict().items()}

    def _accuracies(self, objective: Objective) -> Float[Tensor, " H"]:
        if self.anomalous is None:
            return pair_accuracies(objective, self.settings, *self.views).cpu()
        objective.eval()
        known, normal, anomalous = (self._features(objective, raw) for raw in (self.known, self.normal, self.anomalous))
        usual, unusual = (1 - (features @ known.T).amax(1) for features in (normal, anomalous))
        right = (unusual[:, None] > usual).double() + (unusual[:, None] == usual).double() / 2
        return right.mean(1)

    @torch.inference_mode()
    def _features(self, objective: Objective, raw: Tensor) -> Float[Tensor, "N F"]:
        """The features at length 1."""
        views = (self.modality.eval_view(part) for part in raw.split(BATCH))
        return F.normalize(torch.cat([features_of(objective, self.settings, view).cpu() for view in views]), dim=1)

    @property
    def should_stop(self) -> bool:
        """Whether the last `PATIENCE` checks have found no better weights."""
        return len(self.steps) - 1 - self.best >= PATIENCE

    def gain(self) -> TrainingGain:
        """The accuracy of the best weights beside that of the initial ones."""
        before, after = (float(self.accuracies[index].mean()) for index in (0, self.best))
        return TrainingGain(after, before, len(self.accuracies[0]), self.best > 0)

    def summary(self) -> dict[str, Any]:
        """The step and the mean accuracy of each check, and the step of the best weights, for run.json."""
        accuracies = [float(each.mean()) for each in self.accuracies]
        criterion = "pairs of views" if self.anomalous is None else "synthetic anomalies"
        best = self.steps[self.best] if self.steps else None
        return {"criterion": criterion, "steps": self.steps, "accuracies": accuracies, "best": best}

    def state(self) -> dict[str, Tensor]:
        """All that a checkpoint must hold; nothing before the first check."""
        if not self.steps:
            return {}
        own = {"steps": torch.tensor(self.steps), "accuracies": torch.stack(self.accuracies)}
        own["best"] = torch.tensor(self.best)
        return own | {f"weights.{name}": value for name, value in self.weights.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        if not state:
            return
        self.steps, self.best = state["steps"].tolist(), int(state["best"])
        self.accuracies = list(state["accuracies"])
        self.weights = {name[8:]: value for name, value in state.items() if name.startswith("weights.")}


def _is_better(accuracies: Float[Tensor, " H"], best: Float[Tensor, " H"]) -> bool:
    difference = accuracies - best
    standard_error = difference.std() / math.sqrt(len(difference))
    return bool(difference.mean() > standard_error)
