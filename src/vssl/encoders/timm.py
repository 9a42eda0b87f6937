"""Networks of the library `timm`, such as `--encoder timm/resnet50`, with random or pretrained weights.

Pretrained weights expect pictures as they were trained on. The encoder therefore converts the normalisation of the
modality to that of the weights, gives a grey picture to all three colour channels, and enlarges a picture that is too
small for a useful grid of patches. Needs the extra `vssl[timm]`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vssl.encoders import weights
from vssl.encoders.base import Encoder
from vssl.errors import ConfigError
from vssl.types import Images

STRIDES = (8, 16)
"""Strides in pixels of the two levels of the patch maps, where the resolution of a network falls with its depth."""

MIN_PATCHES, MIN_PATCH_PX = 12, 2.0
"""Pretrained networks: a picture with fewer patches along its shorter side is enlarged, but a patch never shows less
than 2 pixels of the original, as interpolation adds no detail."""

TRIAL_SIDE = 256
"""Longest side in pixels of the trial picture of a network that takes all sizes."""

ARCHITECTURE_ERRORS = (RuntimeError, AssertionError, ValueError)
"""What networks of timm raise for a picture of a size that they cannot take."""


@dataclass(frozen=True)
class Config:
    """A network of `timm`.

    Attributes:
        variant: Name of the network in timm, for example tf_efficientnet_lite0, resnet50 or vit_small_patch16_224.
        pretrained: Initial weights: none (random), hub (downloaded by timm), a local .safetensors file, or the name of
            weights that were added with `vssl weights add`.
    """

    variant: str = "resnet50"
    pretrained: str = "none"


def build(config: Config, shape: tuple[int, int, int]) -> Encoder:
    """The network for images of `shape` (channels, height, width), without its classifier, with random weights.

    Raises:
        ConfigError: timm is not installed, has no such network, or the network cannot take images of this size.
    """
    channels = shape[0] if config.pretrained == "none" else 3
    backbone = create_backbone(config.variant, in_chans=channels)
    try:
        return TimmEncoder(backbone, config, shape)
    except ARCHITECTURE_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"timm/{config.variant} cannot take images of {shape[2]} x {shape[1]} pixels (width x height): {reason}. "
            "Change --size, or take another network."
        ) from error


def create_backbone(name: str, **options: Any) -> Any:
    """A network of timm without its classifier.

    Raises:
        ConfigError: timm is not installed, has no such network, or its weights cannot be downloaded.
    """
    try:
        import timm
    except ImportError as error:
        raise ConfigError(
            "The encoder timm/... needs the extra: pip install '.[timm]' in the folder of vssl."
        ) from error
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=5)
        raise ConfigError(f"timm has no model {name!r}. Similar names: {', '.join(close) or 'none'}.")
    try:
        return timm.create_model(name, num_classes=0, **options)
    except Exception as error:  # a download raises whatever its library does, and the network whatever it stumbles over
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if options.get("pretrained"):
            raise ConfigError(
                f"The weights of timm/{name} cannot be downloaded: {reason}. Without a network, get their file on "
                "another computer, and here: vssl weights add FILE."
            ) from error
        raise ConfigError(f"timm/{name} cannot be built: {reason}") from error


class TimmEncoder(Encoder):
    """A timm network; its pooled output is the feature vector, two of its levels are the patch maps.

    Args:
        backbone: The network without its classifier.
        config: Its settings.
        shape: Channels, height and width of the images. A transformer is adapted to the size and takes no others.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, backbone: Any, config: Config, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.backbone = backbone
        self.config = config
        self.image_size = shape[1:]
        self.pretrained = config.pretrained != "none"
        reductions = [int(level["reduction"]) for level in _levels(backbone)]
        self.indices = _patch_levels(reductions)
        self.stride = min((reductions[index] for index in self.indices), default=1)
        self.resizable = getattr(backbone, "set_input_size", None) is not None
        # They follow from the settings: they are not part of the weights.
        self.register_buffer("scale", torch.ones(3, 1, 1), persistent=False)
        self.register_buffer("shift", torch.zeros(3, 1, 1), persistent=False)
        largest = max(reductions, default=1)
        self.multiple = largest if self.resizable else 1
        self._fit(backbone)
        try:
            self.features, self.patch_channels = self._trial(shape[0])
        except ARCHITECTURE_ERRORS:  # a few convolutional networks need whole multiples of their largest stride too
            self.multiple = largest
            self.features, self.patch_channels = self._trial(shape[0])

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer as timm groups them for layer-wise rates: the stem, each stage or block."""
        from timm.models import group_parameters

        layers = group_parameters(self.backbone, self.backbone.group_matcher(coarse=True))
        parameters = dict(self.backbone.named_parameters())
        return [[parameters[name] for name in layers[layer]] for layer in sorted(layers)]

    def set_normalisation(self, mean: Sequence[float], std: Sequence[float]) -> None:
        if not self.pretrained:
            return
        given_mean, given_std = (torch.tensor(values, dtype=torch.float64) for values in (mean, std))
        expected = self.backbone.pretrained_cfg
        mean_64, std_64 = (torch.tensor(expected[name], dtype=torch.float64) for name in ("mean", "std"))
        self.scale = (given_std / std_64).float()[:, None, None].to(self.scale.device)
        self.shift = ((given_mean - mean_64) / std_64).float()[:, None, None].to(self.shift.device)

    def load_pretrained(self) -> None:
        if not self.pretrained:
            return
        if self.config.pretrained == "hub":
            backbone = create_backbone(self.config.variant, pretrained=True)
            self.weights = weights.of_hub(self.config.variant, backbone.pretrained_cfg, backbone.state_dict())
        else:
            backbone = create_backbone(self.config.variant)
            self.weights = _load_weights(backbone, self.config)
        self._fit(backbone)
        self.backbone.load_state_dict(backbone.state_dict())

    def forward(self, view: Images) -> Float[Tensor, "B F"]:  # type: ignore[override]
        features: Tensor = self.backbone(self._prepared(view.pixels))
        return features

    def forward_with_patches(self, view: Images) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B C h w"] | None]:  # type: ignore[override]
        """The features, and the maps of two levels at the resolution of the finer one.

        The maps of pretrained networks are local means of 3 x 3 patches (Roth et al. 2022, arXiv 2106.08265).
        """
        if not self.indices:
            return self(view), None
        last, levels = self.backbone.forward_intermediates(
            self._prepared(view.pixels), indices=self.indices, norm=False, output_fmt="NCHW"
        )
        features: Tensor = self.backbone.forward_head(last)
        if self.pretrained:
            levels = [F.avg_pool2d(maps, 3, 1, 1) for maps in levels]
        finest = max((maps.shape[2], maps.shape[3]) for maps in levels)
        return features, torch.cat([resized(maps, finest) for maps in levels], 1)

    def _prepared(self, pixels: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """The pixels in the size and the normalisation that the network expects."""
        pixels = resized(pixels, self._network_size(pixels.shape[2], pixels.shape[3]))
        if not self.pretrained:
            return pixels
        return torch.addcmul(self.shift, pixels.expand(-1, 3, -1, -1), self.scale)

    def _network_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in pixels that the network is given for a picture of this size."""
        expected = self.backbone.pretrained_cfg
        if expected.get("fixed_input_size") and not self.resizable:
            return expected["input_size"][1], expected["input_size"][2]
        factor = 1.0
        if self.pretrained:
            shorter = min(height, width)
            factor = max(1.0, min(MIN_PATCHES * self.stride / shorter, self.stride / MIN_PATCH_PX))
        sides = [-(-round(side * factor) // self.multiple) * self.multiple for side in (height, width)]
        return sides[0], sides[1]

    def _fit(self, backbone: Any) -> None:
        """Adapt the position embeddings and windows of a transformer to the size of the images."""
        if self.resizable:
            backbone.set_input_size(img_size=self._network_size(*self.image_size))

    @torch.no_grad()
    def _trial(self, channels: int) -> tuple[int, int]:
        """The numbers of features and of channels of the maps, from a trial with an empty picture."""
        height, width = self.image_size
        if not self.resizable:  # then any size will do, and a small one is quick
            height, width = min(height, TRIAL_SIDE), min(width, TRIAL_SIDE)
        self.eval()
        features, maps = self.forward_with_patches(Images(torch.zeros(1, channels, height, width)))
        self.train()
        return features.shape[1], 0 if maps is None else maps.shape[1]


def resized(maps: Float[Tensor, "B C H W"], size: tuple[int, int]) -> Float[Tensor, "B C h w"]:
    """The maps at another height and width, by bilinear interpolation."""
    if tuple(maps.shape[2:]) == size:
        return maps
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def _levels(backbone: Any) -> list[dict[str, Any]]:
    """What timm says of the levels whose maps can be taken: channels and stride in pixels; [] where none can."""
    if getattr(backbone, "forward_intermediates", None) is None:
        return []
    info = getattr(backbone, "feature_info", [])
    return list(getattr(info, "info", info))


def _patch_levels(reductions: Sequence[int]) -> list[int]:
    """The levels with the strides of `STRIDES`; of networks with one stride, those at two thirds and at the end."""
    if len(set(reductions)) == 1 and len(reductions) > 1:
        return [len(reductions) * 2 // 3 - 1, len(reductions) - 1]
    chosen = [
        max(index for index, r in enumerate(reductions) if r == stride) for stride in STRIDES if stride in reductions
    ]
    return chosen or list(range(len(reductions)))[-2:]


def _load_weights(backbone: nn.Module, config: Config) -> weights.Weights:
    """Load the weights that the settings name; those of a classifier, which the network lacks, are ignored."""
    path, about = weights.locate(config.pretrained, config.variant)
    try:
        missing, _ = backbone.load_state_dict(load_file(path), strict=False)
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ConfigError(f"--pretrained {config.pretrained} does not fit timm/{config.variant}: {reason}") from error
    if missing:
        raise ConfigError(
            f"--pretrained {config.pretrained} does not fit timm/{config.variant}: it has no weights for "
            f"{missing[0]!r} and {len(missing) - 1} others. vssl weights add {path} finds the network of the file."
        )
    return about
