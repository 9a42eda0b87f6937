"""Checkpoints: the model that users keep, and the training state that resuming needs, both as safetensors."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from vssl.errors import RunNotFoundError
from vssl.files import atomic
from vssl.run import Run

STATE = "state/latest.safetensors"
MODEL = "model.safetensors"
INITIAL = "state/initial.safetensors"
NOTHING: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class RunProgress:
    """How far a run has come.

    Attributes:
        step: Optimiser steps done.
        seconds: Time spent in training, all sessions of the run together.
        samples: Samples processed, repetitions included; the views of a sample count once.
    """

    step: int = 0
    seconds: float = 0.0
    samples: int = 0


def save_checkpoint(
    run: Run,
    objective: nn.Module,
    optimizer: Optimizer,
    progress: RunProgress,
    stopping: Mapping[str, Tensor] = NOTHING,
    best: Mapping[str, Tensor] = NOTHING,
) -> None:
    """Write the training state, then the model. Each file is written atomically; the state alone suffices to resume.

    Args:
        stopping: The state of early stopping.
        best: Weights that become the model, where they are not those of the objective.

    Raises:
        StorageError: The disk is full or the folder is read-only; the previous checkpoint is unchanged.
    """
    model = {f"model.{name}": tensor.contiguous() for name, tensor in objective.state_dict().items()}
    state = {f"optimiser.{name}": tensor for name, tensor in _flatten(optimizer).items()}
    state |= {f"stopping.{name}": tensor.contiguous() for name, tensor in stopping.items()}
    header = {"progress": json.dumps(asdict(progress))}
    with atomic(run.path / STATE) as file:
        file.write(save({**model, **state}, header))
    save_model(run, best or objective.state_dict())


def save_model(run: Run, weights: Mapping[str, Tensor]) -> None:
    """Write the weights that users keep."""
    with atomic(run.path / MODEL) as file:
        file.write(save({name: tensor.contiguous() for name, tensor in weights.items()}))


def save_initial(run: Run, encoder: nn.Module) -> None:
    """Write the pretrained weights that training starts from: to resume, their file is not needed again."""
    with atomic(run.path / INITIAL) as file:
        file.write(save({name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}))


def load_initial(run: Run, encoder: nn.Module) -> bool:
    """Load the weights that training started from; False where the run keeps none, as it began with random ones.

    Raises:
        RunNotFoundError: The file is damaged.
    """
    path = run.path / INITIAL
    if not path.is_file():
        return False
    encoder.load_state_dict(_read(path)[0])
    return True


def load_checkpoint(run: Run, objective: nn.Module, optimizer: Optimizer) -> RunProgress:
    """Restore the last checkpoint into objective and optimiser; without one, the progress returned is zero.

    Raises:
        RunNotFoundError: The state is damaged.
    """
    path = run.path / STATE
    if not path.is_file():
        return RunProgress()
    tensors, header = _read(path)
    objective.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("model.")})
    _restore(optimizer, {name[10:]: value for name, value in tensors.items() if name.startswith("optimiser.")})
    return RunProgress(**json.loads(header["progress"]))


def load_stopping(run: Run) -> dict[str, Tensor]:
    """The state of early stopping at the last checkpoint; empty without one.

    Raises:
        RunNotFoundError: The state is damaged.
    """
    path = run.path / STATE
    tensors = _read(path)[0] if path.is_file() else {}
    return {name[9:]: value for name, value in tensors.items() if name.startswith("stopping.")}


def load_model(run: Run, objective: nn.Module) -> None:
    """Load the trained weights into the objective.

    Raises:
        RunNotFoundError: There is no model yet, it is damaged, or it was trained with other settings.
    """
    path = run.path / MODEL
    if not path.is_file():
        raise RunNotFoundError(
            f"{run.path} holds no model yet: the run was stopped before its first checkpoint. Train again."
        )
    tensors, _ = _read(path)
    try:
        objective.load_state_dict(tensors)
    except RuntimeError as error:
        raise RunNotFoundError(
            f"{path} does not fit the settings in run.json: {str(error).splitlines()[-1]}"
        ) from error


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise RunNotFoundError(f"{path} is damaged ({error}). Restore it from a backup, or train again.") from error


def _flatten(optimizer: Optimizer) -> dict[str, Tensor]:
    return {
        f"{index}.{key}": torch.as_tensor(value).contiguous()
        for index, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
        if value is not None
    }


def _restore(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    # Fused optimisers match elements by their position in memory: the moments need the memory layout of the weights.
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if value.shape == parameter.shape:
                values[key] = torch.empty_like(parameter).copy_(value)
