"""The settings of training, `vssl train`: their defaults, what each means, and their form in run.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from vssl.config import MEMBER_FOLDERS, FollowsEncoder, find, from_dict, name_of
from vssl.errors import ConfigError


@dataclass(frozen=True)
class Budget:
    """Length of the training, given in exactly one of three units. The learning rate's schedule ends with it.

    Attributes:
        epochs: Passes over the data; at most one of minutes, epochs and steps may be given.
        steps: Optimiser steps; at most one of minutes, epochs and steps may be given.
        minutes: Minutes of training, reading the data not counted.
    """

    epochs: float | None = None
    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if len(given) != 1:
            stated = ", ".join(f"{name}={value}" for name, value in given.items()) or "none"
            raise ConfigError(f"Give exactly one of --epochs, --steps and --minutes; given: {stated}.")
        ((name, value),) = given.items()
        if not 0 < value < math.inf:
            raise ConfigError(f"--{name} is {value}; it must be above 0 and finite.")


@dataclass(frozen=True)
class Optimiser:
    """The optimiser and its learning-rate schedule: a linear warm-up, then half a cosine down to zero.

    Attributes:
        algorithm: Optimiser: adamw, sgd (Nesterov, momentum 0.9) or lars (You et al. 2017, arXiv 1708.03888).
        learning_rate: Peak learning rate; it is not scaled with the batch size.
        weight_decay: Weight decay, applied to weight matrices and convolution kernels only.
        warmup: Length of the warm-up as a share of the training, in 0..1.
    """

    algorithm: Literal["adamw", "sgd", "lars"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.05

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ConfigError(f"learning_rate is {self.learning_rate}; it must be above 0.")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup is {self.warmup}; it is a share of the run, 0 to below 1.")


TrainMode = Literal["auto", "all", "adapt", "none"]


@dataclass(frozen=True)
class Settings:
    """All settings of a run.

    Attributes:
        modality, encoder, objective: Configuration of the modality, the encoder and the objective.
        budget: Length of the training.
        optimiser: Optimiser and learning-rate schedule.
        train: Which weights are trained: all; adapt (the head and, at a low rate, the last third of the encoder's
            stages, with its normalisation statistics held); none (the encoder keeps its initial weights, and no step
            is made); or auto for none where the encoder starts from pretrained weights and all otherwise.
        batch: Global batch size over all processes, counted in view pairs per optimiser step; a four-view objective
            such as vssl uses batch / 2 samples.
        seed: Random seed.
        device: Device to compute on: auto, cpu, cuda, or one GPU such as cuda:1.
        precision: Numeric precision: bf16, float32, or auto for bf16 on hardware that is fast at it.
        checkpoint_minutes: Minutes between checkpoints.
    """

    modality: Any
    encoder: Any
    objective: Any
    budget: Budget
    optimiser: Optimiser = field(default_factory=Optimiser)
    train: TrainMode = "auto"
    batch: int = 128
    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "bf16", "float32"] = "auto"
    checkpoint_minutes: float = 2.0

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise ConfigError(f"batch is {self.batch}; it must be at least 2.")
        if isinstance(self.modality, FollowsEncoder):  # here, so that the run stores the values and not their rule
            object.__setattr__(self, "modality", self.modality.for_encoder(self.encoder))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, in which each member carries its name."""
        data = asdict(self)
        for kind in MEMBER_FOLDERS:
            data[kind] = {"name": name_of(getattr(self, kind)), **data[kind]}
        # Lists where the settings have tuples, so that it equals what a file gives back.
        return cast(dict[str, Any], json.loads(json.dumps(data)))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settings:
        """The settings that `to_dict` wrote.

        Raises:
            ConfigError: A member or a setting that this version does not have.
        """
        values = dict(data)
        for kind, folder in MEMBER_FOLDERS.items():
            member = dict(values[kind])
            module = find(folder, member.pop("name"))
            values[kind] = from_dict(module.Config, member, kind)
        return from_dict(cls, values, "settings")
