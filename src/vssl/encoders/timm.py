"""Backbones of the library `timm`, such as `--encoder timm/resnet50`. Needs the extra `vssl[timm]`."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.errors import ConfigError
from vssl.types import Images


@dataclass(frozen=True)
class Config:
    """A backbone of `timm`.

    Attributes:
        variant: Name of the model in timm, for example resnet50 or vit_small_patch16_224.
        pretrained: Initial weights: none (random), hub (downloaded by timm), or a local .safetensors file.
    """

    variant: str = "resnet50"
    pretrained: str = "none"


def build(config: Config, shape: tuple[int, int, int]) -> Encoder:
    """The backbone for images of `shape` (channels, height, width), without its classifier.

    Raises:
        ConfigError: timm is not installed, has no such model, or the weights cannot be loaded.
    """
    try:
        import timm
    except ImportError as error:
        raise ConfigError(
            "The encoder timm/... needs the extra: pip install '.[timm]' in the folder of vssl."
        ) from error
    if not timm.is_model(config.variant):
        close = difflib.get_close_matches(config.variant, timm.list_models(), n=5)
        raise ConfigError(f"timm has no model {config.variant!r}. Similar names: {', '.join(close) or 'none'}.")
    sized = any(part in config.variant for part in ("vit_", "deit", "beit", "eva", "mixer", "swin"))
    options: Any = {"img_size": shape[1:]} if sized else {}
    try:
        backbone = timm.create_model(
            config.variant, pretrained=config.pretrained == "hub", num_classes=0, in_chans=shape[0], **options
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise ConfigError(f"timm/{config.variant} for images of {shape} cannot be built: {error}") from error
    if config.pretrained not in ("none", "hub"):
        _load_weights(backbone, Path(config.pretrained))
    encoder = TimmEncoder(backbone)
    encoder.pretrained = config.pretrained != "none"
    return encoder


def _load_weights(backbone: nn.Module, path: Path) -> None:
    """Load a local file of weights; weights of the classifier, which the backbone lacks, are ignored."""
    if path.suffix != ".safetensors" or not path.is_file():
        raise ConfigError(f"--pretrained {path}: not a .safetensors file; give none, hub or such a file.")
    try:
        missing, _ = backbone.load_state_dict(load_file(path), strict=False)
    except (SafetensorError, RuntimeError) as error:
        raise ConfigError(f"--pretrained {path}: {str(error).splitlines()[-1].strip()}") from error
    if missing:
        raise ConfigError(f"--pretrained {path} has no weights for {missing[0]!r} and {len(missing) - 1} others.")


class TimmEncoder(Encoder):
    """A timm model whose pooled output is the feature vector."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.backbone = backbone
        self.features = backbone.num_features

    def forward(self, view: Images) -> Float[Tensor, "B F"]:  # type: ignore[override]
        features: Tensor = self.backbone(view.pixels)
        return features

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer as timm groups them for layer-wise rates: the stem, each stage or block."""
        from timm.models import group_parameters

        layers = group_parameters(self.backbone, self.backbone.group_matcher(coarse=True))
        parameters = dict(self.backbone.named_parameters())
        return [[parameters[name] for name in layers[layer]] for layer in sorted(layers)]
