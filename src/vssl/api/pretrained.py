"""The verb that keeps pretrained weights on this computer: `weights`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vssl.api.arguments import PathLike
from vssl.errors import ConfigError

if TYPE_CHECKING:
    from vssl.encoders.weights import Weights

__all__ = ["weights"]


def weights(
    action: Literal["list", "add"] = "list",
    file: PathLike | None = None,
    *,
    name: str = "",
    architecture: str = "",
    licence: str = "",
    source: str = "",
) -> list[Weights]:
    """Convert a downloaded file of pretrained weights once, and keep it on this computer; or list those that are kept.

    Examples:
        vssl weights add resnet18.pth --licence LICENSE --source https://example.org/resnet18.pth
        vssl weights list
        vssl train photos --out RUN --encoder timm/resnet18 --pretrained resnet18

    They are kept in the folder that the environment variable VSSL_WEIGHTS names, by default
    ~/.local/share/vssl/weights. Pickled files are read with torch's loader for tensors alone, which runs no code.

    Args:
        action: "add" converts a file, "list" shows the weights that were added.
        file: The file to add: .pth, .pt, .bin, .ckpt or .safetensors.
        name: Name for `--pretrained`; by default that of the file, without its ending.
        architecture: Name of the network in timm; by default it is found from names, order and shapes of the tensors.
        licence: The licence of the weights, or a file with its text; it is kept with every run and export.
        source: Where the weights come from, such as an address; it is kept with every run and export.

    Returns:
        The weights that were added now, or all of them.

    Raises:
        ConfigError: The file cannot be read as weights, or its network cannot be recognised.
    """
    if action == "list":
        if given := [f"{value}" for value in (file, name, architecture, licence, source) if value]:
            raise ConfigError(f"vssl weights list takes no {given[0]}. To add a file: vssl weights add FILE.")
        from vssl.encoders.weights import added_weights

        return added_weights()
    if file is None:
        raise ConfigError("Give the file of the weights: vssl weights add FILE.")
    from vssl.encoders.weights_import import add

    return [add(Path(file), name, architecture, licence, source)]
