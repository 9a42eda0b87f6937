"""MoCo v3 against Algorithm 1 of its paper, written as loops."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.objectives import mocov3
from vssl.objectives.base import Objective
from vssl.types import Images


def contrastive(queries: Tensor, keys: Tensor, temperature: float) -> float:
    """2 T times the mean of -log exp(q.k+ / T) / sum exp(q.k / T), all of length 1."""
    total = 0.0
    for i, q in enumerate(queries):
        scores = [math.exp(float(q @ k / (q.norm() * k.norm())) / temperature) for k in keys]
        total += -math.log(scores[i] / sum(scores))
    return 2 * temperature * total / len(queries)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_info_nce_is_the_paper_s(temperature: float):
    queries, keys = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = contrastive(queries, keys, temperature)
    assert float(mocov3.info_nce(queries, keys, temperature)) == pytest.approx(expected, rel=1e-5)


def test_each_view_s_keys_come_from_the_teacher_of_the_other(
    make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]
):
    objective = make_objective(mocov3.Config(latent=16, hidden=32))
    both = Images.cat(two_views())
    loss = objective(two_views())
    queries = objective.predictor(objective.head(objective.encoder(both))).detach().double()
    keys = objective.teacher(both).double()
    expected = contrastive(queries[:16], keys[16:], 0.2) + contrastive(queries[16:], keys[:16], 0.2)
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-4)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ConfigError, match=r"mocov3\.temperature is 0\.0"):
        mocov3.Config(temperature=0.0)
