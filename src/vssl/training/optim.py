"""Optimisers: AdamW, SGD and LARS, and the parameters to which weight decay applies."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from vssl.training.settings import Optimiser

NO_RATES: Mapping[nn.Parameter, float] = MappingProxyType({})


def build(config: Optimiser, module: nn.Module, rates: Mapping[nn.Parameter, float] = NO_RATES) -> Optimizer:
    """The optimiser of all trainable parameters; biases, normalisation parameters and scalars get no weight decay.

    Args:
        rates: Learning rates as fractions of the one of all other parameters.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    keys = {parameter: (rates.get(parameter, 1.0), parameter.ndim > 1) for parameter in trained}
    groups = [
        {
            "params": [parameter for parameter in trained if keys[parameter] == (rate, decays)],
            "weight_decay": config.weight_decay if decays else 0.0,
            "rate": rate,
        }
        for rate, decays in sorted(set(keys.values()), reverse=True)
    ]
    if config.algorithm == "adamw":
        return AdamW(groups, lr=config.learning_rate, fused=True)
    if config.algorithm == "sgd":
        return SGD(groups, lr=config.learning_rate, momentum=0.9, nesterov=True)
    return LARS(groups, lr=config.learning_rate)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Set the learning rate of all parameters, and that of those with a rate of their own to a fraction of it."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("rate", 1.0)


class LARS(Optimizer):
    """Layer-wise adaptive rate scaling (You et al. 2017, arXiv 1708.03888).

    The step of a weight is scaled by trust * |weight| / |gradient|; parameters of one axis take plain momentum steps.
    """

    def __init__(self, params: Iterable[dict[str, Any]], lr: float, momentum: float = 0.9, trust: float = 0.02) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "trust": trust, "weight_decay": 0.0})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        assert closure is None, "LARS takes no closure"
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step_one(weight, weight.grad, group)
        return None

    def _step_one(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        if weight.ndim > 1:
            gradient = gradient.add(weight, alpha=group["weight_decay"])
            norm, gradient_norm = weight.norm(), gradient.norm()
            scaled = (norm > 0) & (gradient_norm > 0)
            gradient = gradient * torch.where(scaled, group["trust"] * norm / gradient_norm, 1.0)
        state = self.state[weight]
        velocity = state.setdefault("momentum_buffer", torch.zeros_like(weight))
        velocity.mul_(group["momentum"]).add_(gradient)
        weight.add_(velocity, alpha=-group["lr"])
