"""Started by torchrun: two processes with half a batch each have what one has with the whole."""

import os

import torch
from torch import Tensor, nn

from vssl.stats.gather import gather, rank, world_size
from vssl.training import distributed

ROWS = 12
MINE = ROWS // 2


def whole(*shape: int) -> Tensor:
    return torch.randn(ROWS, *shape, generator=torch.Generator().manual_seed(0))


def own(batch: Tensor) -> Tensor:
    return batch[rank() * MINE : (rank() + 1) * MINE]


def check_gather() -> None:
    """Each process's loss is a function of all rows; the gradients of both losses add up in each row."""
    rows = whole(3)
    local = own(rows).clone().requires_grad_()
    assert torch.equal(gather(local), rows)
    weights = [torch.arange(1.0, 1 + ROWS)[:, None] * (1 + process) for process in range(2)]
    (gather(local).square() * weights[rank()]).sum().backward()
    torch.testing.assert_close(local.grad, own(2 * rows * sum(weights)))


def check_batch_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, *shape: int) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        norm.weight.normal_()
    synchronised = type(norm)(norm.num_features)
    synchronised.load_state_dict(norm.state_dict())
    distributed.synchronise_batch_norms(synchronised)
    expected_input, target = (3 + 2 * whole(*shape)).requires_grad_(), whole(*shape).roll(1, 0)
    local = own(expected_input).detach().clone().requires_grad_()
    expected, result = norm(expected_input), synchronised(local)
    torch.testing.assert_close(result, own(expected), atol=1e-5, rtol=1e-4)
    (expected - target).pow(3).sum().backward()
    (result - own(target)).pow(3).sum().backward()
    torch.testing.assert_close(local.grad, own(expected_input.grad), atol=1e-3, rtol=1e-3)
    for name, value in norm.state_dict().items():
        torch.testing.assert_close(synchronised.state_dict()[name], value, msg=name, atol=1e-5, rtol=1e-4)
    evaluated = synchronised.eval()(local)
    torch.testing.assert_close(evaluated, own(norm.eval()(expected_input)), atol=1e-5, rtol=1e-4)


def check_agreement() -> None:
    assert distributed.broadcast_scalar(float(rank() + 7)) == 7
    assert distributed.mean_over_processes(torch.tensor(float(rank()))) == 0.5


if __name__ == "__main__":
    torch.set_num_threads(1)
    with distributed.processes(torch.device("cpu")):
        assert world_size() == int(os.environ["WORLD_SIZE"]) == 2
        check_gather()
        check_batch_norm(nn.BatchNorm1d(4), 4)
        check_batch_norm(nn.BatchNorm2d(4), 4, 5, 3)
        check_agreement()
