"""A trained run as something to call: raw samples in, features and latents out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from vssl.config import find, from_dict, name_of, to_dict
from vssl.errors import DataError, EmptyDataError
from vssl.modalities import detect_modality
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective
from vssl.run import Run
from vssl.training import checkpoint, devices
from vssl.training.describe import versions
from vssl.training.settings import Settings
from vssl.types import Latent, View


def build_modality(config: Any, spec: Any) -> Modality:
    """The modality of a configuration and of what was measured on the training data."""
    return find("modalities", name_of(config)).build(config, spec)


def measure(source: str | Path, config: Any) -> Any:
    """The spec of training data; see `vssl.modalities.base`.

    Raises:
        DataError: They cannot be used; where they look like another kind of data, it says which `--modality` to give.
    """
    with advised(source, config):
        return find("modalities", name_of(config)).measure(source, config)


@contextmanager
def advised(source: str | Path, config: Any) -> Iterator[None]:
    """Errors of data that look like another kind than `config` reads say so."""
    try:
        yield
    except DataError as error:
        if not (advice := detect_modality.advice(source, name_of(config))):
            raise
        kind = EmptyDataError if isinstance(error, EmptyDataError) else DataError
        raise kind(f"{error} {advice}") from error


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

    @property
    def preprocessing(self) -> str:
        """SHA-256 of everything that says what becomes of a sample before the encoder sees it."""
        spec = {"modality": name_of(self.modality.config), "spec": to_dict(self.modality.spec)}
        return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()

    @property
    def backend(self) -> str:
        """What computes the numbers, in words: versions, kind of device, precision. Another one computes others."""
        torch_version, vssl_version = (".".join(versions()[name].split(".")[:2]) for name in ("torch", "vssl"))
        precision = "bfloat16" if devices.in_bf16(self.device, self.settings.precision) else "float32"
        return f"vssl {vssl_version}, torch {torch_version}, {self.device.type}, {precision}"

    def __call__(self, view: View) -> tuple[Float[Tensor, "B F"], Latent]:
        """Features and latent of a batch, in float32."""
        return self.forward_with_patches(view)[:2]

    @torch.inference_mode()
    def forward_with_patches(self, view: View) -> tuple[Float[Tensor, "B F"], Latent, Float[Tensor, "B C h w"] | None]:
        """Features, latent and early feature maps of a batch, in float32; no maps where the encoder has none."""
        with devices.autocast(self.device, self.settings.precision):
            features, places = self.objective.encoder.forward_with_patches(view.to(self.device))
            latent = self.objective.latent(features)
        return features.float(), latent, None if places is None else places.float()


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
