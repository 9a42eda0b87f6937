"""A trained model: from views to features and latents; and how its parts are built from settings.

`load` reads a run folder; a `Model` is called with a view.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vssl.config import find, from_dict, name_of
from vssl.encoders.base import Encoder
from vssl.errors import DataError, EmptyDataError
from vssl.modalities import detect_modality
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective
from vssl.run import Run
from vssl.training import checkpoint, devices, modes
from vssl.training.environment import versions
from vssl.training.settings import Settings
from vssl.types import Latent, View


def build_modality(config: Any, spec: Any) -> Modality:
    """The modality of a configuration and of the spec that was measured on the training data."""
    modality: Modality = find("modalities", name_of(config)).build(config, spec)
    return modality


def measure_spec(source: str | Path, config: Any) -> Any:
    """The spec of a modality, measured on training data; see `vssl.modalities.base`.

    Raises:
        DataError: The data cannot be used; if they look like another kind of data, the message names its `--modality`.
    """
    with suggest_modality(source, config):
        return find("modalities", name_of(config)).measure(source, config)


@contextmanager
def suggest_modality(source: str | Path, config: Any) -> Iterator[None]:
    """Add to a `DataError` which modality suits the data, if they look like another kind than `config` reads."""
    try:
        yield
    except DataError as error:
        if not (advice := detect_modality.advice(source, name_of(config))):
            raise
        error_class = EmptyDataError if isinstance(error, EmptyDataError) else DataError
        raise error_class(f"{error} {advice}") from error


def build_objective(
    settings: Settings, modality: Modality, run: Run | None = None, pretrained: bool = True
) -> Objective:
    """The untrained objective with its encoder; its random weights follow from the seed of the settings.

    Args:
        run: The run that is resumed: pretrained weights are taken from it.
        pretrained: Whether to load the pretrained weights that the settings may name; a trained run needs none.
    """
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        encoder: Encoder = find("encoders", name_of(settings.encoder)).build(settings.encoder, modality.shape)
        if modality.normalisation is not None:
            encoder.set_normalisation(*modality.normalisation)
        if pretrained and not (run and checkpoint.load_initial(run, encoder)):
            with torch.random.fork_rng():  # so that the random weights of the head are the same without the file
                encoder.load_pretrained()
        if modes.mode_of(settings.train, encoder) == "none":
            return modes.FrozenEncoder(encoder)
        module = find("objectives", name_of(settings.objective))
        objective: Objective = module.build(settings.objective, encoder, modality)
    return objective


@dataclass(frozen=True)
class Model:
    """A trained encoder with its head.

    Attributes:
        run: The run folder it was loaded from.
        settings: The settings it was trained with.
        modality: Reads and prepares samples as in training.
        objective: Holds the encoder and the head; in evaluation mode.
        device: The device it computes on.
    """

    run: Run
    settings: Settings
    modality: Modality
    objective: Objective
    device: torch.device

    @property
    def preprocessing(self) -> str:
        """SHA-256 of the modality and its spec, which determine what the encoder is given of a sample."""
        spec = {"modality": name_of(self.modality.config), "spec": asdict(self.modality.spec)}
        return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()

    @property
    def backend(self) -> str:
        """Software, device type and precision that compute the numbers; others compute slightly different ones."""
        torch_version, vssl_version = (".".join(versions()[name].split(".")[:2]) for name in ("torch", "vssl"))
        precision = "bfloat16" if devices.in_bf16(self.device, self.settings.precision) else "float32"
        return f"vssl {vssl_version}, torch {torch_version}, {self.device.type}, {precision}"

    def __call__(self, view: View) -> tuple[Float[Tensor, "B F"], Latent]:
        """Features and latent of a batch, in float32."""
        return self.forward_with_patches(view)[:2]

    @torch.inference_mode()
    def forward_with_patches(self, view: View) -> tuple[Float[Tensor, "B F"], Latent, Float[Tensor, "B C h w"] | None]:
        """Features, latent and early feature maps of a batch, in float32; None for the maps if the encoder has none."""
        with devices.autocast(self.device, self.settings.precision):
            features, maps = self.objective.encoder.forward_with_patches(view.to(self.device))
            latent = self.objective.latent(features)
        return features.float(), latent, None if maps is None else maps.float()


def load(run: Run | str, device: str = "auto") -> Model:
    """Load a trained run.

    Raises:
        RunNotFoundError, RunVersionError: The folder holds no model that this version can read.
        ConfigError: The device does not exist, or the run has settings that this version does not know.
    """
    run = Run(run) if isinstance(run, str) else run
    settings = Settings.from_dict(run.info["settings"])
    module = find("modalities", name_of(settings.modality))
    modality = build_modality(settings.modality, from_dict(module.Spec, run.info["spec"], "spec"))
    objective = build_objective(settings, modality, pretrained=False)
    checkpoint.load_model(run, objective)
    chosen = devices.choose(device)
    objective.to(chosen, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    return Model(run, settings, modality, objective, chosen)
