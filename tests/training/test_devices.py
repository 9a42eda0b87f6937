"""Devices, precision, rows of the batch, in one process; several processes: test_distributed.py."""

import pytest
import torch
from torch import nn

from vssl.errors import ConfigError
from vssl.training import devices, distributed

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_named(name: str):
    with pytest.raises(ConfigError, match=f"no device '{name}'"):
        devices.choose(name)


def test_auto_takes_a_gpu_where_there_is_one():
    assert devices.choose("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("float32", torch.float32)])
def test_the_precision_is_that_of_the_matrix_products(precision: str, dtype: torch.dtype):
    layer = nn.Linear(4, 4)
    with devices.autocast(CPU, precision):
        assert layer(torch.randn(2, 4)).dtype == dtype


@pytest.mark.parametrize(("fast", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_bfloat16_only_where_it_pays(monkeypatch: pytest.MonkeyPatch, fast: bool, dtype: torch.dtype):
    monkeypatch.setattr(devices, "has_fast_bf16", lambda device: fast)
    with devices.autocast(CPU, "auto"):
        assert nn.Linear(4, 4)(torch.randn(2, 4)).dtype == dtype


def test_the_rows_of_all_processes_are_the_batch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 3)
    rows = []
    for number in range(3):
        monkeypatch.setattr(distributed, "rank", lambda number=number: number)
        rows += range(12)[distributed.local_rows(12)]
    assert rows == list(range(12))


def test_one_process_agrees_with_itself_and_is_left_as_it_is():
    module = nn.BatchNorm1d(3)
    with distributed.processes(CPU), distributed.main_process_first():
        assert distributed.broadcast_scalar(0.25) == 0.25
        assert distributed.mean_over_processes(torch.tensor(1.5)) == 1.5
        assert distributed.distribute(module, CPU) is module
