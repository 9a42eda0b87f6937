"""Everything that decides how a run is trained, as one frozen, JSON-able value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from vssl.config import MEMBER_FOLDERS, find, from_dict, name_of
from vssl.errors import ConfigError


@dataclass(frozen=True)
class Budget:
    """How long to train: exactly one of the three. The learning rate's schedule ends with the budget.

    Attributes:
        epochs: Passes over the data.
        steps: Steps of the optimiser.
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
    """The optimiser and its schedule: a linear warm-up, then half a cosine down to zero.

    Attributes:
        algorithm: adamw, sgd (Nesterov, momentum 0.9) or lars (You et al. 2017, arXiv 1708.03888).
        learning_rate: Peak learning rate at the batch size in use.
        weight_decay: Applied to weight matrices and kernels only.
        warmup: Share of the run, 0..1.
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


@dataclass(frozen=True)
class Settings:
    """All settings of a run.

    Attributes:
        modality, encoder, objective: Configurations of one member each; their modules' names are their names.
        budget: How long to train.
        optimiser: How to step.
        batch: Pairs of views a step, over all processes together: as many samples, or half as many where a method
            takes four views of each.
        seed: Of weights, order, views and everything else random.
        device: auto, cpu, cuda, or one GPU such as cuda:1.
        precision: auto (bfloat16 where the hardware has it), bf16 or float32.
        checkpoint_minutes: Time between checkpoints.
    """

    modality: Any
    encoder: Any
    objective: Any
    budget: Budget
    optimiser: Optimiser = field(default_factory=Optimiser)
    batch: int = 128
    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "bf16", "float32"] = "auto"
    checkpoint_minutes: float = 2.0

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise ConfigError(f"batch is {self.batch}; it must be at least 2.")

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
