"""What the views of images cost: milliseconds per batch, the share of every effect, and torchvision beside it.

    python benchmarks/views_images.py --data cifar10-jpeg.tar.xz
    python benchmarks/views_images.py --device cuda

Without `--data` the images are generated textures; the time does not depend on what they show.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.benchmark import Timer

from vssl.modalities.images.presets import PRESETS, preset
from vssl.modalities.images.views import ViewConfig, draw, make_view

ONE_BY_ONE = {
    "warp": ViewConfig(crop_area=(0.08, 1.0), crop_aspect=(0.75, 4 / 3), flip_horizontal=0.5),
    "colour": ViewConfig(jitter=1.0, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1),
    "illumination": ViewConfig(illumination=0.2),
    "blur": ViewConfig(blur=1.0),
    "solarise": ViewConfig(solarise=1.0),
    "noise": ViewConfig(noise_sigma=(0.02, 0.02)),
    "cut-out": ViewConfig(cutout=1.0),
}


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.device}, {arguments.threads} threads, batch {arguments.batch}")
    for side in (32, 64):
        source = read(arguments.data, arguments.batch) if arguments.data else textures(arguments.batch, side)
        pixels = resized(source, side)
        print(f"\n{side} x {side} RGB, {'real' if arguments.data else 'generated'} images")
        report(pixels.to(arguments.device), torch.Generator(arguments.device).manual_seed(0))
        torchvision_per_image(pixels)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a tar archive of images (.tar, .tar.gz, .tar.xz)")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def report(pixels: Tensor, generator: torch.Generator) -> None:
    for name in PRESETS:
        first, second = preset(name, 3)
        show(f"{name}, two views", partial(both_views, pixels, first, second, generator))
    nothing = show("one view that changes nothing", lambda: make_view(pixels, ViewConfig(), generator))
    show("  of which drawing", lambda: draw(ViewConfig(), len(pixels), generator))
    for name, config in ONE_BY_ONE.items():
        show(f"  {name} adds", partial(make_view, pixels, config, generator), less=nothing)


def both_views(pixels: Tensor, first: ViewConfig, second: ViewConfig, generator: torch.Generator) -> None:
    make_view(pixels, first, generator)
    make_view(pixels, second, generator)


def show(name: str, function: Callable[[], object], less: float = 0.0) -> float:
    """Print and return the fastest of half a second of runs in milliseconds: other work on the machine only adds."""
    timer = Timer("function()", globals={"function": function}, num_threads=torch.get_num_threads())
    milliseconds = min(timer.blocked_autorange(min_run_time=0.5).times) * 1e3
    print(f"  {name:34s} {milliseconds - less:8.2f} ms")
    return milliseconds


def torchvision_per_image(pixels: Tensor) -> None:
    """The natural recipe as data loaders usually run it: image by image, on the CPU, here in one process."""
    try:
        from torchvision.transforms import v2
    except ImportError:
        print("  torchvision is not installed: no comparison")
        return
    steps = [
        v2.RandomResizedCrop(pixels.shape[2:], scale=(0.08, 1.0), antialias=True),
        v2.RandomHorizontalFlip(),
        v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8),
        v2.RandomGrayscale(0.2),
    ]
    one = v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True)])
    two = v2.Compose([*steps, v2.RandomSolarize(128, p=0.2), v2.ToDtype(torch.float32, scale=True)])
    show("torchvision per image, two views", lambda: [(one(image), two(image)) for image in pixels])


def textures(count: int, side: int) -> Tensor:
    """Smooth random fields: coarse noise, enlarged."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 3, side // 4, side // 4), dtype=np.uint8)
    return torch.from_numpy(coarse)


def read(path: Path, count: int) -> Tensor:
    """The first images of an archive, in RGB, in the size of the first one."""
    images: list[Image.Image] = []
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            if len(images) < count and member.name.lower().endswith((".jpg", ".jpeg", ".png")):
                file = archive.extractfile(member)
                assert file is not None
                images.append(Image.open(io.BytesIO(file.read())).convert("RGB"))
            elif len(images) == count:
                break
    if len(images) < count:
        raise SystemExit(f"{path} holds {len(images)} JPEG or PNG images; --batch needs {count}.")
    size = images[0].size
    stacked = np.stack([np.asarray(image.resize(size)) for image in images])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2)


def resized(pixels: Tensor, side: int) -> Tensor:
    smooth = torch.nn.functional.interpolate(pixels.float(), size=(side, side), mode="bilinear")
    return smooth.round().byte()


if __name__ == "__main__":
    main()
