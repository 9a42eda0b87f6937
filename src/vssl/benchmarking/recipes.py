"""Recipes: settings that are worth keeping, each with its claim. The results of each seed: benchmarks/results/."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from vssl.benchmarking.methods import method
from vssl.config import find, member
from vssl.objectives import simclr
from vssl.training.settings import Budget, Optimiser, Settings

images = find("modalities", "images")


@dataclass(frozen=True)
class Recipe:
    """How to train and how to evaluate.

    Attributes:
        settings: Training settings.
        train: Path of the training data below the data folder.
        test: Path of the test data; None evaluates the training data, each sample among the others.
        labels_from: folder, or the name of a file in the archive that the script reads the labels from.
    """

    settings: Settings
    train: str
    test: str | None
    labels_from: str


def _tuned(objective: str) -> Any:
    """The method's configuration; a rival gets the temperature that did best in short trials on CIFAR-10."""
    return simclr.Config(temperature=0.05) if objective == "simclr" else method(objective)


def cifar10_cpu10(seed: int = 0, objective: str = "vssl", minutes: float = 10) -> Recipe:
    """CIFAR-10 in ten minutes on two cores, without labels; in thirty as cifar10_cpu30.

    vssl bench DATA/cifar10-jpeg.tar.xz/train --test DATA/cifar10-jpeg.tar.xz/test --out compare --label-from folder \\
        --encoder convnet/small --batches 256 --minutes 10 --methods vssl simclr:temperature=0.05

    Linear accuracy 68.1 % (67.6 to 69.0), kNN 66.7 % (66.2 to 67.4), R-AUROC 0.642 (0.639 to 0.646), with the distances
    0.689 (0.680 to 0.696): mean and range of three seeds, as many steps as two cores make in that time (2,100).
    `--methods vssl/contrast`: linear accuracy 68.3 % (67.6 to 68.6), kNN 66.1 % (66.1 to 66.2), R-AUROC 0.606 (0.604
    to 0.609), with the distances 0.679 (0.679 to 0.680). The batch is that of the measurement.

    cifar10_cpu30, one seed, three times the steps (6,300): linear accuracy 71.1 %, kNN 69.9 %, R-AUROC 0.660, with the
    distances 0.697.
    """
    return Recipe(
        settings=Settings(
            modality=images.Config(views="natural"),
            encoder=member("encoders", "convnet/small"),
            objective=_tuned(objective),
            budget=Budget(minutes=minutes),
            optimiser=Optimiser(),
            batch=256,
            seed=seed,
        ),
        train="cifar10-jpeg.tar.xz/train",
        test="cifar10-jpeg.tar.xz/test",
        labels_from="folder",
    )


def infrared_cpu5(seed: int = 0, objective: str = "vssl") -> Recipe:
    """Infrared photographs of solar modules in five minutes on two cores, without labels.

    python -m benchmarks.data.infrared DATA/infrared-solar-modules.tar.xz infrared
    vssl bench infrared/infrared.csv --out compare --views inspection --encoder convnet/small --minutes 5 \\
        --methods vssl simclr:temperature=0.05

    12 classes by 20 neighbours 75.3 % (75.1 to 75.4), linear 73.1 % (72.9 to 73.4): mean and range of three seeds, as
    many steps as two cores make in that time (2,100). `--methods vssl/contrast`, two seeds: 75.2 % (75.0 and 75.3)
    and 73.7 % (73.6 and 73.8).
    With two views of each image, `--methods vssl/contrast:views=2 --batches 256`: 12 classes by 20 neighbours 74.5 %
    (74.1 to 74.9), linear 73.2 % (73.1 to 73.4): mean and range of three seeds.
    """
    return Recipe(
        settings=Settings(
            modality=images.Config(views="inspection"),
            encoder=member("encoders", "convnet/small"),
            objective=_tuned(objective),
            budget=Budget(minutes=5),
            optimiser=Optimiser(),
            seed=seed,
        ),
        train="infrared-solar-modules.tar.xz",
        test=None,
        labels_from="InfraredSolarModules/module_metadata.json",
    )


def cifar10_resnet18(seed: int = 0, objective: str = "vssl", epochs: float = 200) -> Recipe:
    """CIFAR-10 with a ResNet-18 on a GPU: the views of 200 epochs of two, and of 1,000 as cifar10_resnet18_long.

    vssl bench DATA/cifar10-jpeg.tar.xz/train --test DATA/cifar10-jpeg.tar.xz/test --out compare \\
        --label-from folder --encoder convnet/resnet18 --batches 512 --epochs 100 --seeds 0

    Not measured: no GPU was at hand.
    """
    return _on_a_gpu("cifar10-jpeg.tar.xz", "test", images.Config(views="natural"), epochs, seed, objective)


def cifar100_resnet18(seed: int = 0, objective: str = "vssl", epochs: float = 200) -> Recipe:
    """CIFAR-100 with a ResNet-18 on a GPU: 200 epochs, and 1,000 as cifar100_resnet18_long.

    vssl bench DATA/cifar100/train --test DATA/cifar100/test --out compare \\
        --label-from folder --encoder convnet/resnet18 --batches 512 --epochs 100 --seeds 0

    DATA/cifar100/ holds train/CLASS/ and test/CLASS/. Not measured: neither data nor GPU were at hand.
    """
    return _on_a_gpu("cifar100", "test", images.Config(views="natural"), epochs, seed, objective)


def imagenet100_resnet18(seed: int = 0, objective: str = "vssl", epochs: float = 200) -> Recipe:
    """ImageNet-100 with a ResNet-18 at 224 pixels on a GPU: 200 epochs, and 400 as imagenet100_resnet18_long.

    vssl bench DATA/imagenet100/train --test DATA/imagenet100/val --out compare \\
        --label-from folder --encoder timm/resnet18 --batches 512 --epochs 100 --seeds 0 --size 224

    DATA/imagenet100/ holds train/CLASS/ and val/CLASS/. Not measured: neither data nor GPU were at hand.
    """
    modality = images.Config(views="natural", size=224)
    return _on_a_gpu("imagenet100", "val", modality, epochs, seed, objective, encoder="timm/resnet18")


def _on_a_gpu(
    data: str,
    test: str,
    modality: Any,
    epochs: float,
    seed: int,
    objective: str,
    encoder: str = "convnet/resnet18",
) -> Recipe:
    """As many views as `epochs` passes with two of each image: a method that takes four makes half as many passes."""
    tuned = _tuned(objective)
    return Recipe(
        settings=Settings(
            modality=modality,
            encoder=member("encoders", encoder),
            objective=tuned,
            budget=Budget(epochs=epochs * 2 / getattr(tuned, "views", 2)),
            optimiser=Optimiser(),
            batch=512,
            seed=seed,
        ),
        train=f"{data}/train",
        test=f"{data}/{test}",
        labels_from="folder",
    )


RECIPES: dict[str, Callable[..., Recipe]] = {
    "cifar10_cpu10": cifar10_cpu10,
    "cifar10_cpu30": partial(cifar10_cpu10, minutes=30),
    "infrared_cpu5": infrared_cpu5,
    "cifar10_resnet18": cifar10_resnet18,
    "cifar10_resnet18_long": partial(cifar10_resnet18, epochs=1000),
    "cifar100_resnet18": cifar100_resnet18,
    "cifar100_resnet18_long": partial(cifar100_resnet18, epochs=1000),
    "imagenet100_resnet18": imagenet100_resnet18,
    "imagenet100_resnet18_long": partial(imagenet100_resnet18, epochs=400),
}
