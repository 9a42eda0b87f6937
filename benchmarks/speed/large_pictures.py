"""A large picture in tiles: seconds and memory of a fresh process that embeds it, with a small and a large network.

    python -m benchmarks.speed.large_pictures --pretrained lite0.safetensors

Makes a texture of 5,000 x 4,000 pixels and trains a run on pieces of it for one step: time and memory do not depend on
the weights. Memory is the peak of the process, its libraries included.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from PIL import Image

from vssl import api
from vssl.modalities import images

HEIGHT, WIDTH, PIECE = 4000, 5000, 512

EMBED = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(int(sys.argv[3]))
from vssl import api
from vssl.embedding import embed_raw
model = api.load(sys.argv[1], "cpu")
raw = next(iter(model.modality.stream(sys.argv[2]))).raw
wall, cores = time.perf_counter(), time.process_time()
embed_raw(model, raw)
wall, cores = time.perf_counter() - wall, time.process_time() - cores
# Not `ru_maxrss`, which a process takes over from the one that starts it.
(peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(f"{wall:.1f} s, {cores:.1f} s of cores, {int(peak) * 1024 / 1e9:.2f} GB")
"""


@dataclass
class Options:
    """Options of the command line.

    Attributes:
        pretrained: Weights of tf_efficientnet_lite0; without them they are random, which takes as long.
        tile: Side of the tiles in pixels.
        threads: Cores to use.
    """

    pretrained: str = "none"
    tile: int = 256
    threads: int = 2


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        picture = texture(seed=0)
        Image.fromarray(picture).convert("RGB").save(root / "large.jpg", quality=92)
        (root / "pieces").mkdir()
        for number in range(16):
            row, column = (600 * place for place in divmod(number, 4))
            piece = Image.fromarray(picture[row : row + PIECE, column : column + PIECE])
            piece.convert("RGB").save(root / "pieces" / f"{number}.png")
        for name in ("convnet/tiny", "timm/tf_efficientnet_lite0"):
            run = _run(root, name, options)
            command = [sys.executable, "-c", EMBED, str(run), str(root / "large.jpg"), str(options.threads)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"{name}, tiles of {options.tile}: {done.stdout.strip()}", flush=True)


def texture(seed: int) -> np.ndarray:
    """Grey noise at several scales, uint8 [HEIGHT, WIDTH]."""
    generator, values = np.random.default_rng(seed), np.full((HEIGHT, WIDTH), 0.5, np.float32)
    for scale, strength in ((1, 0.015), (3, 0.015), (9, 0.02), (33, 0.03)):
        coarse = generator.normal(size=(HEIGHT // scale + 2, WIDTH // scale + 2)).astype(np.float32)
        values += strength * np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))
    return np.asarray((values.clip(0, 1) * 255).astype(np.uint8))


def _run(root: Path, encoder: str, options: Options) -> Path:
    """A run on the pieces, whose canvas is then that of the large picture."""
    from vssl.config import member

    config: Any = member("encoders", encoder)
    if encoder.startswith("timm"):
        config = type(config)(variant=config.variant, pretrained=options.pretrained)
    folder = root / encoder.replace("/", "-")
    modality = images.Config(views="texture", tile=options.tile)
    api.train(root / "pieces", folder, modality=modality, encoder=config, steps=1, batch=4, device="cpu")
    about = json.loads((folder / "run.json").read_text())
    about["spec"]["canvas"] |= {"height": HEIGHT, "width": WIDTH}
    (folder / "run.json").write_text(json.dumps(about))
    return folder


if __name__ == "__main__":
    main(tyro.cli(Options))
