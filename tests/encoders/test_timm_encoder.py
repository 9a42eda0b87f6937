"""Networks of timm: names, weights, normalisation, sizes and patch maps. No test needs a network connection."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vssl.encoders import timm as encoder
from vssl.encoders.timm import TimmEncoder
from vssl.errors import ConfigError
from vssl.exporting.encoded import OnnxEncoder
from vssl.exporting.graphs import to_onnx
from vssl.stats.blocks import by_blocks
from vssl.types import Images

timm = pytest.importorskip("timm")

SHAPE = (3, 32, 32)
MEAN, STD = (0.3, 0.4, 0.5), (0.2, 0.25, 0.1)

WEIGHTS = "VSSL_TEST_WEIGHTS"
"""Environment variable with a file of ImageNet weights of tf_efficientnet_lite0, for the tests that need real ones."""


@pytest.fixture
def imagenet() -> Path:
    path = Path(os.environ.get(WEIGHTS, ""))
    if path.suffix != ".safetensors" or not path.is_file():
        pytest.skip(f"needs ImageNet weights of tf_efficientnet_lite0: name their file in ${WEIGHTS}")
    return path


@pytest.fixture
def pretrained(tmp_path: Path) -> str:
    """A file with random weights of a small network: pretrained ones, as far as the code goes."""
    torch.manual_seed(1)
    save_file(timm.create_model("resnet10t").state_dict(), tmp_path / "weights.safetensors")
    return str(tmp_path / "weights.safetensors")


def built(variant: str, shape: tuple[int, int, int], pretrained: str = "none") -> TimmEncoder:
    torch.manual_seed(0)
    made = encoder.build(encoder.Config(variant, pretrained), shape)
    assert isinstance(made, TimmEncoder)
    made.set_normalisation(MEAN[: shape[0]], STD[: shape[0]])
    if Path(pretrained).is_file():
        made.load_pretrained()
    return made.eval()


def normalised(pixels: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def test_an_unknown_model_is_refused_with_names_near_it():
    with pytest.raises(ConfigError, match=r"no model 'efficientformer_l'.*efficientformer_l1"):
        encoder.build(encoder.Config("efficientformer_l"), SHAPE)


@pytest.mark.parametrize(("wrong", "right"), [("resent50", "resnet50"), ("resnet10", "resnet10t")])
def test_a_mistyped_model_is_refused_with_the_nearest_names(wrong: str, right: str):
    with pytest.raises(ConfigError, match=rf"no model '{wrong}'.*\b{right}\b"):
        encoder.build(encoder.Config(wrong), SHAPE)


def test_weights_of_a_local_file_are_really_loaded(pretrained: str):
    expected = encoder.load_file(pretrained)
    loaded = built("resnet10t", SHAPE, pretrained).backbone.state_dict()
    assert loaded
    assert all(torch.equal(value, expected[name]) for name, value in loaded.items())


def test_a_network_is_built_without_its_weights_until_they_are_asked_for(tmp_path: Path):
    made = encoder.build(encoder.Config("resnet10t", str(tmp_path / "moved.safetensors")), SHAPE)
    assert made.weights is None
    with pytest.raises(ConfigError, match=r"moved\.safetensors: there is no such file"):
        made.load_pretrained()


def test_a_file_of_another_kind_is_refused_with_the_command_that_converts_it(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"weights\.pth: convert this file once with: vssl weights add"):
        encoder.build(encoder.Config("resnet10t", str(tmp_path / "weights.pth")), SHAPE).load_pretrained()


def test_a_damaged_file_is_refused(tmp_path: Path):
    (tmp_path / "weights.safetensors").write_bytes(b"not a header")
    with pytest.raises(ConfigError, match=r"weights\.safetensors is damaged"):
        built("resnet10t", SHAPE, str(tmp_path / "weights.safetensors"))


def test_weights_of_another_model_are_refused(pretrained: str):
    with pytest.raises(ConfigError, match=r"weights\.safetensors does not fit timm/resnet18"):
        built("resnet18", SHAPE, pretrained)


def test_the_record_of_a_plain_file_names_it_and_its_hash(pretrained: str):
    about = built("resnet10t", SHAPE, pretrained).weights
    assert about is not None
    assert (about.name, about.architecture, len(about.sha256)) == ("weights", "resnet10t", 64)
    assert "non-commercial" in about.note


def test_pretrained_weights_see_the_pixels_as_they_expect_them(pretrained: str):
    made = built("resnet10t", (3, 128, 128), pretrained)
    pixels = torch.rand(2, 3, 128, 128)
    expected = made.backbone.pretrained_cfg
    with torch.inference_mode():
        theirs = made.backbone(normalised(pixels, expected["mean"], expected["std"]))
        ours = made(Images(normalised(pixels, MEAN, STD)))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_a_grey_picture_has_the_features_of_the_same_picture_in_three_channels(pretrained: str):
    grey, colour = (built("resnet10t", (channels, 128, 128), pretrained) for channels in (1, 3))
    pixels = torch.rand(2, 1, 128, 128)
    with torch.inference_mode():
        one = grey(Images(normalised(pixels, MEAN[:1], STD[:1])))
        three = colour(Images(normalised(pixels.expand(-1, 3, -1, -1), MEAN, STD)))
    torch.testing.assert_close(one, three, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("variant", "shape", "grid"),
    [
        ("resnet10t", (1, 24, 40), (12, 20)),  # 2 pixels a patch: enlarged fourfold
        ("resnet10t", (3, 64, 64), (12, 12)),
        ("resnet10t", (3, 128, 200), (16, 25)),  # large enough: not enlarged
        ("vit_tiny_patch16_224", (1, 24, 40), (12, 20)),
        ("vit_tiny_patch16_224", (3, 200, 250), (13, 16)),  # to whole patches
    ],
)
def test_small_pictures_are_enlarged_for_pretrained_weights(
    variant: str, shape: tuple[int, int, int], grid: tuple[int, int]
):
    made = built(variant, shape, "weights")
    with torch.inference_mode():
        _, maps = made.forward_with_patches(Images(torch.zeros(1, *shape)))
    assert maps is not None
    assert maps.shape == (1, made.patch_channels, *grid)


@pytest.mark.parametrize("variant", ["mobilenetv3_small_050", "convnext_atto", "swin_tiny_patch4_window7_224", "vgg11"])
def test_any_network_takes_pictures_of_an_odd_size_and_has_maps_of_two_levels(variant: str):
    made = built(variant, (3, 24, 41))
    view = Images(torch.randn(2, 3, 24, 41))
    with torch.inference_mode():
        features, maps = made.forward_with_patches(view)
        assert torch.equal(features, made(view))
    assert maps is not None
    assert maps.shape[1] == made.patch_channels > 0


def test_lite0_gives_the_levels_of_strides_8_and_16():
    made = built("tf_efficientnet_lite0", (3, 96, 160))
    with torch.inference_mode():
        _, maps = made.forward_with_patches(Images(torch.zeros(1, 3, 96, 160)))
    assert maps is not None
    assert maps.shape == (1, 40 + 112, 12, 20)


def test_the_maps_of_pretrained_weights_are_local_means(pretrained: str):
    made = built("resnet10t", (3, 128, 128), pretrained)
    plain = built("resnet10t", (3, 128, 128))
    plain.backbone.load_state_dict(made.backbone.state_dict())
    pixels = torch.rand(1, 3, 128, 128)
    expected = made.backbone.pretrained_cfg
    with torch.inference_mode():
        _, means = made.forward_with_patches(Images(normalised(pixels, MEAN, STD)))
        _, maps = plain.forward_with_patches(Images(normalised(pixels, expected["mean"], expected["std"])))
    assert means is not None
    assert maps is not None
    first = slice(0, 64)
    torch.testing.assert_close(means[:, first, 3, 3], maps[:, first, 2:5, 2:5].mean((2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(means[:, first, 0, 0], maps[:, first, :2, :2].sum((2, 3)) / 9, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("variant", ["resnet10t", "vit_tiny_patch16_224"])
def test_a_sample_has_the_same_maps_alone_and_among_others(variant: str):
    made = built(variant, (1, 24, 40), "weights")
    pixels = torch.randn(7, 1, 24, 40)

    def work(block: Tensor) -> dict[str, Tensor]:
        features, maps = made.forward_with_patches(Images(block))
        assert maps is not None
        return {"features": features, "maps": maps}

    together, alone = by_blocks(work, [pixels], 4), by_blocks(work, [pixels[5:6]], 4)
    assert all(torch.equal(together[name][5:6], alone[name]) for name in alone)


class Both(torch.nn.Module):
    """Features and maps from pixels, for an export."""

    def __init__(self, made: TimmEncoder) -> None:
        super().__init__()
        self.made = made

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        features, maps = self.made.forward_with_patches(Images(pixels))
        assert maps is not None
        return features, maps


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["resnet10t", "vit_tiny_patch16_224"])
def test_features_and_maps_are_exported_for_any_batch(variant: str):
    pytest.importorskip("onnxruntime")
    module = Both(built(variant, (1, 24, 40), "weights"))
    export = OnnxEncoder(to_onnx(module, [torch.randn(2, 1, 24, 40)], ["pixels"], ["features", "maps"]))
    for batch in (1, 5):
        pixels = torch.randn(batch, 1, 24, 40)
        with torch.inference_mode():
            expected = dict(zip(("features", "maps"), module(pixels), strict=True))
        for name, values in export(pixels.numpy()).items():
            torch.testing.assert_close(torch.from_numpy(values), expected[name], atol=1e-4, rtol=1e-3)


def test_imagenet_weights_tell_a_scratch_from_a_plain_surface(imagenet: Path):
    made = built("tf_efficientnet_lite0", (1, 96, 96), str(imagenet))
    generator = torch.Generator().manual_seed(0)
    surfaces = 0.5 + 0.05 * torch.randn(9, 1, 96, 96, generator=generator)
    surfaces[8, 0, 40:42, 30:60] = 1.0
    with torch.inference_mode():
        _, maps = made.forward_with_patches(Images(normalised(surfaces, MEAN[:1], STD[:1])))
    assert maps is not None
    distances = (maps - maps[:8].mean(0)).square().sum(1)
    row, column = divmod(int(distances[8].argmax()), maps.shape[3])
    assert distances[8].max() > 2 * distances[:8].max()
    assert (row, column) in {(row, column) for row in (4, 5) for column in range(3, 9)}
