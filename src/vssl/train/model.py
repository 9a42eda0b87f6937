"""A trained run as something to call: raw samples in, features and latents out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from vssl.config import find, from_dict, name_of
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective
from vssl.run import Run
from vssl.train import checkpoint, devices
from vssl.train.settings import Settings
from vssl.types import Latent, View


def build_modality(config: Any, spec: Any) -> Modality:
    """The modality of a configuration and of what was measured on the training data."""
    return find("modalities", name_of(config)).build(config, spec)


def build_objective(settings: Settings, modality: Modality) -> Objective:
    """The untrained objective with its encoder; the weights come from the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        encoder = find("encoders", name_of(settings.encoder)).build(settings.encoder, modality.shape)
        return find("objectives", name_of(settings.objective)).build(settings.objective, encoder, modality)


@dataclass(frozen=True)
class Model:
    """A trained encoder with its head.

    Attributes:
        run: Where it comes from.
        settings: How it was trained.
        modality: Reads and prepares samples as in training.
        objective: Holds `encoder` and `latent`.
        device: Where it computes.
    """

    run: Run
    settings: Settings
    modality: Modality
    objective: Objective
    device: torch.device

    @torch.inference_mode()
    def __call__(self, view: View) -> tuple[Float[Tensor, "B F"], Latent]:
        """Features and latent of a batch, in float32."""
        with devices.autocast(self.device, self.settings.precision):
            features = self.objective.encoder(view.to(self.device))
            latent = self.objective.latent(features)
        return features.float(), latent


def load(run: Run | str, device: str = "auto") -> Model:
    """Load a trained run.

    Raises:
        RunNotFoundError, RunVersionError: There is no usable model.
        ConfigError: The device does not exist, or the run has settings this version does not know.
    """
    run = Run(run) if isinstance(run, str) else run
    settings = Settings.from_dict(run.info["settings"])
    module = find("modalities", name_of(settings.modality))
    modality = cast(Modality, module.build(settings.modality, from_dict(module.Spec, run.info["spec"], "spec")))
    objective = build_objective(settings, modality)
    checkpoint.load_model(run, objective)
    where = devices.choose(device)
    objective.to(where, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    return Model(run, settings, modality, objective, where)
