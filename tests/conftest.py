"""What many tests share: small pictures, a cache of their own, tiny objectives, a tiny trained run, embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

import shape_checks  # noqa: F401
from vssl.config import find, member, name_of
from vssl.modalities import images
from vssl.modalities.images.decode import Canvas
from vssl.objectives.base import Objective
from vssl.run import Run
from vssl.training import loop, patch_discriminator
from vssl.training.settings import Budget, Optimiser, Settings
from vssl.types import Embeddings, Images

# Tiny networks are quicker without threads, and sums come out the same on every machine.
torch.set_num_threads(1)

SIDE = 16
KINDS = 4
MODALITY = images.build(images.Config(), images.Spec(Canvas(SIDE, SIDE, 3), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or fills the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("VSSL_CACHE", str(folder))
        yield folder


def gratings(count: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Stripes of four directions with any phase and tint, and noise: uint8 [count, channels, 16, 16]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    angle = (np.arange(count) % KINDS * np.pi / KINDS)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    stripes = np.sin(6 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    tint = rng.uniform(0.5, 1.0, (count, channels, 1, 1))
    values = 0.5 + 0.35 * tint * stripes[:, None] + 0.05 * rng.normal(size=(count, channels, SIDE, SIDE))
    return (values.clip(0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def draw_pictures() -> Callable[..., Path]:
    """`draw_pictures(folder, count=64, channels=3, seed=0)`: PNG files of 16 x 16 pixels, one subfolder a kind."""

    def draw(folder: Path, count: int = 64, channels: int = 3, seed: int = 0) -> Path:
        for row, pixels in enumerate(gratings(count, channels, seed)):
            path = folder / f"kind-{row % KINDS}" / f"{row:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[0] if channels == 1 else pixels.transpose(1, 2, 0)).save(path)
        return folder

    return draw


@pytest.fixture
def pictures(tmp_path: Path, draw_pictures: Callable[..., Path]) -> Path:
    """A folder of 64 small colour pictures."""
    return draw_pictures(tmp_path / "pictures")


def some_views(count: int, batch: int, seed: int) -> list[Images]:
    """Structured images with as many kinds of noise and brightness, float32."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.from_numpy(gratings(batch, seed=seed)).float() / 128 - 1
    brightness = torch.randn(count, batch, 1, 1, 1, generator=generator) * 0.2
    noise = torch.randn(count, *pixels.shape, generator=generator) * 0.1
    return [Images(pixels + brightness[view] + noise[view]) for view in range(count)]


@pytest.fixture(scope="session")
def two_views() -> Callable[..., list[Images]]:
    """`two_views(batch=16, seed=0)`: the same images twice, a little different."""
    return lambda batch=16, seed=0: some_views(2, batch, seed)


@pytest.fixture(scope="session")
def views_of() -> Callable[[Objective], list[Images]]:
    """`views_of(objective)`: 16 images, each as often as the objective wants to see it."""
    return lambda objective: some_views(objective.views, batch=16, seed=0)


@pytest.fixture(scope="session")
def make_objective() -> Callable[..., Objective]:
    """`make_objective(config, seed=0)`: the objective on the smallest convnet, training, at the end of its run."""

    def make(config: Any, seed: int = 0) -> Objective:
        torch.manual_seed(seed)
        encoder = find("encoders", "convnet").build(member("encoders", "convnet/tiny"), (3, SIDE, SIDE))
        objective = find("objectives", name_of(config)).build(config, encoder, MODALITY).train()
        objective.progress.fill_(1)
        return objective

    return make


@pytest.fixture(scope="session")
def tiny_settings() -> Callable[..., Settings]:
    """`tiny_settings(**changes)`: a run of 12 steps in float32 that takes about a second."""
    objective = replace(member("objectives", "vssl"), latent=16, hidden=32)
    settings = Settings(
        modality=member("modalities", "images"),
        encoder=member("encoders", "convnet/tiny"),
        objective=objective,
        budget=Budget(steps=12),
        optimiser=Optimiser(),
        batch=16,
        device="cpu",
        precision="float32",
    )
    return lambda **changes: replace(settings, **changes)


@pytest.fixture(scope="session")
def tiny_run(
    tmp_path_factory: pytest.TempPathFactory,
    draw_pictures: Callable[..., Path],
    tiny_settings: Callable[..., Settings],
) -> Run:
    """A finished run, trained on 64 pictures; a test that changes it works on a copy of its folder."""
    folder = tmp_path_factory.mktemp("tiny")
    return loop.train(draw_pictures(folder / "pictures"), folder / "run", tiny_settings())


@pytest.fixture
def embeddings_from() -> Callable[..., Embeddings]:
    """`embeddings_from(ids, features, log_variance=None, **metadata)`; ids may be a prefix."""

    def build(ids, features, log_variance=None, **metadata) -> Embeddings:
        features = np.asarray(features, dtype=np.float32)
        names = [f"{ids}{row:05d}" for row in range(len(features))] if isinstance(ids, str) else list(ids)
        columns = {"id": pa.array(names, pa.string()), "features": _vectors(features)}
        if log_variance is not None:
            log_variance = np.asarray(log_variance, dtype=np.float32)
            columns["mean"] = _vectors(features)
            columns |= {"log_variance": _vectors(log_variance), "ambiguity": pa.array(log_variance.mean(axis=1))}
        return Embeddings(pa.table(columns | metadata))

    return build


def _vectors(values: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])


@pytest.fixture(scope="session", autouse=True)
def _short_training_of_the_discriminator() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patch_discriminator, "STEPS", 60)
        yield
