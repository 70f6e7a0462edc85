"""Transfer learning: a medical classifier from a pre-trained (or random) timm backbone."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from straylight.classifier import (
    Classifier,
    ModelCard,
    build_network,
    head_prefixes,
    load_weights,
    save_classifier,
)
from straylight.cohort import Cohort
from straylight.errors import InputError
from straylight.progress import Silent, Tracker
from straylight.tensors import Images, Labels

CHECKPOINT = "checkpoint.safetensors"
PRETRAINED, RANDOM = "pretrained", "none"

Flips = Literal["none", "horizontal", "both"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier is trained: all layers, SGD with one cycle of the learning rate.

    Attributes:
        backbone: A timm model name.
        backbone_args: Keyword arguments for `timm.create_model`.
        weights: A safetensors file, ``pretrained`` (timm downloads them), or ``none`` (random).
        epochs: Passes over the training part.
        learning_rate: Peak of the cycle.
        batch_size: Images in a step.
        weight_decay: L2 penalty.
        validation: Share of each class held out to choose the checkpoint.
        flips: ``none``, ``horizontal`` or ``both``: each half of the time.
        rotation, shift: Largest angle in degrees, and largest share of the side (the paper: 5 and
            0.05). They resample the images, which blurs them a little in training only.
        mean, std: Normalisation of images in [0, 1] (the paper: 0.5, 0.5).
        seed: Of the split, the order, the augmentation and the new head.
    """

    backbone: str
    backbone_args: dict[str, Any] = field(default_factory=dict)
    weights: str = PRETRAINED
    epochs: int = 8
    learning_rate: float = 0.02
    batch_size: int = 32
    weight_decay: float = 1e-4
    validation: float = 0.1
    flips: Flips = "horizontal"
    rotation: float = 0.0
    shift: float = 0.0
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2:
            raise InputError(
                "epochs must be at least 1 and batch_size at least 2, "
                f"not {self.epochs} and {self.batch_size}."
            )
        if not 0 < self.validation < 1:
            raise InputError(f"validation must lie between 0 and 1, not {self.validation}.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"learning_rate must be positive, not {self.learning_rate}.")


def finetune(data: Cohort, recipe: Recipe, out: Path, tracker: Tracker | None = None) -> Classifier:
    """Train, keep the best epoch on the validation part, and write the classifier to `out`.

    Interrupted training goes on after its last finished epoch, to the same result.

    Args:
        data: Labelled training images; test images have no business here.
        recipe: The settings.
        out: Folder for `model.safetensors` and `model.json`.
        tracker: Is told the progress.

    Raises:
        InputError: If a class has fewer than two images, the weights do not fit, or `out` holds a
            finished model or a checkpoint of other settings.
    """
    tracker = tracker or Silent()
    if (out / "model.json").exists():
        raise InputError(f"{out} already holds a model: give another folder, or delete it first.")
    train, validation = split(data.labels, recipe.validation, recipe.seed)
    torch.manual_seed(recipe.seed)
    network = initial_network(recipe, len(data.class_names)).to(memory_format=torch.channels_last)
    run = Training(data, recipe, train=train, validation=validation, network=network, out=out)
    run.resume()
    tracker.start(f"training {recipe.backbone}", recipe.epochs * run.steps_per_epoch)
    tracker.advance(run.epoch * run.steps_per_epoch)
    while run.epoch < recipe.epochs:
        for loss in run.train_epoch():
            tracker.advance(1, f"epoch {run.epoch + 1}/{recipe.epochs}, loss {loss:.3f}")
        run.finish_epoch()
    return run.save()


def initial_network(recipe: Recipe, n_classes: int) -> nn.Module:
    """Build the backbone, filled as the recipe says.

    On transferred features the new head starts at zero: a random one would begin with large errors,
    whose gradients spoil the features.
    """
    if recipe.weights == RANDOM:
        return build_network(recipe.backbone, recipe.backbone_args, n_classes)
    if recipe.weights == PRETRAINED:
        network = pretrained_network(recipe, n_classes)
    else:
        network = build_network(recipe.backbone, recipe.backbone_args, n_classes)
        load_weights(network, Path(recipe.weights), new_head=True)
    for name, parameter in network.named_parameters():
        if name.startswith(head_prefixes(network)):
            nn.init.zeros_(parameter)
    return network


def pretrained_network(recipe: Recipe, n_classes: int) -> nn.Module:
    """Build the backbone with the public weights that timm knows."""
    try:
        network: nn.Module = timm.create_model(
            recipe.backbone, pretrained=True, num_classes=n_classes, **recipe.backbone_args
        )
    except Exception as error:
        # The hub, the network and timm each raise their own kinds.
        raise InputError(
            f"the public weights of {recipe.backbone} cannot be loaded ({type(error).__name__}): "
            "check the name and the connection, or give --weights FILE.safetensors."
        ) from error
    return network


def split(labels: Labels, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split indices into training and validation, with the same share (at least one) of each class."""
    generator = torch.Generator().manual_seed(seed)
    train, validation = [], []
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        if len(members) == 1:
            raise InputError(
                f"class number {label} has one image: at least two are needed to train."
            )
        if len(members) == 0:
            continue
        members = members[torch.randperm(len(members), generator=generator)]
        cut = max(1, round(share * len(members)))
        validation.append(members[:cut])
        train.append(members[cut:])
    return torch.cat(train), torch.cat(validation)


def augment(images: Images, recipe: Recipe, generator: torch.Generator) -> Images:
    """Flip each image at random, and rotate and shift it in one resampling if the recipe says so."""
    uniform = torch.rand(5, len(images), 1, 1, 1, generator=generator)
    if recipe.flips != "none":
        images = torch.where(uniform[0] < 0.5, images.flip(3), images)
    if recipe.flips == "both":
        images = torch.where(uniform[1] < 0.5, images.flip(2), images)
    if recipe.rotation == 0 and recipe.shift == 0:
        return images
    angle, across, down = (uniform[2:, :, 0, 0, 0] * 2 - 1).unbind()
    angle = angle * math.radians(recipe.rotation)
    rows = [
        torch.stack([angle.cos(), -angle.sin(), across * 2 * recipe.shift], 1),
        torch.stack([angle.sin(), angle.cos(), down * 2 * recipe.shift], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Learning rate at `step`: a linear rise over the first 15 %, then half a cosine to zero."""
    rise = 0.15 * steps
    if step < rise:
        return peak * (step + 1) / (rise + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))


class Training:
    """The state of one training run: everything a checkpoint must hold."""

    def __init__(
        self,
        data: Cohort,
        recipe: Recipe,
        *,
        train: Tensor,
        validation: Tensor,
        network: nn.Module,
        out: Path,
    ) -> None:
        self.data, self.train, self.validation = data, train, validation
        self.recipe, self.network, self.out = recipe, network, out
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}
        self.losses: list[float] = []
        self.optimiser = torch.optim.SGD(
            network.parameters(), momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
        )
        self.steps_per_epoch = max(1, len(train) // recipe.batch_size)
        self.settings = json.dumps(asdict(replace(recipe, weights=Path(recipe.weights).name)))

    def classifier(self) -> Classifier:
        """Wrap the network as it stands (this freezes it and puts it in evaluation mode)."""
        return self.card().classifier(self.network, str(self.out))

    def card(self) -> ModelCard:
        training = json.loads(self.settings) | {
            "images": len(self.train),
            "validation_images": len(self.validation),
            "data_sha256": self.data.images.sha256,
            "history": self.history,
        }
        return ModelCard(
            architecture=self.recipe.backbone,
            arguments=self.recipe.backbone_args,
            shape=self.data.images.shape,
            class_names=self.data.class_names,
            mean=self.recipe.mean,
            std=self.recipe.std,
            training=training,
        )

    def train_epoch(self) -> Iterator[float]:
        """Take the steps of one epoch; yield the loss of each."""
        # Every epoch has its own seed, so that a resumed run repeats the undisturbed one.
        torch.manual_seed(self.recipe.seed * 100_003 + self.epoch + 1)
        generator = torch.Generator().manual_seed(self.recipe.seed * 100_003 + self.epoch + 1)
        classifier = self.classifier()
        self.network.requires_grad_(True).train()
        labels = self.data.labels[self.train]
        weights = 1.0 / labels.bincount()[labels]
        order = torch.multinomial(
            weights.double(),
            self.steps_per_epoch * self.recipe.batch_size,
            True,
            generator=generator,
        )
        total = self.recipe.epochs * self.steps_per_epoch
        for step, batch in enumerate(torch.split(self.train[order], self.recipe.batch_size)):
            done = self.epoch * self.steps_per_epoch + step
            self.optimiser.param_groups[0]["lr"] = one_cycle(done, total, self.recipe.learning_rate)
            images = augment(self.data.images.images(batch), self.recipe, generator)
            loss = F.cross_entropy(classifier(images), self.data.labels[batch])
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            self.losses.append(loss.item())
            yield loss.item()

    def finish_epoch(self) -> None:
        """Measure on the validation part, keep the best weights, and write a checkpoint."""
        classifier = self.classifier()
        hits = sum(
            int(
                (
                    classifier.predict(self.data.images.images(batch)) == self.data.labels[batch]
                ).sum()
            )
            for batch in torch.split(self.validation, 64)
        )
        accuracy = hits / len(self.validation)
        if accuracy >= max((entry["validation_accuracy"] for entry in self.history), default=0.0):
            self.best = {name: t.detach().clone() for name, t in self.network.state_dict().items()}
        loss = sum(self.losses) / len(self.losses)
        self.history.append({"loss": round(loss, 4), "validation_accuracy": round(accuracy, 4)})
        self.losses.clear()
        self.epoch += 1
        self.write_checkpoint()

    def write_checkpoint(self) -> None:
        """Write weights, best weights and momentum as safetensors, whole or not at all."""
        self.out.mkdir(parents=True, exist_ok=True)
        tensors = {f"network.{name}": t for name, t in self.network.state_dict().items()}
        tensors |= {f"best.{name}": t for name, t in self.best.items()}
        for name, parameter in self.network.named_parameters():
            momentum = self.optimiser.state.get(parameter, {}).get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum.{name}"] = momentum
        metadata = {"settings": self.settings, "history": json.dumps(self.history)}
        partial = self.out / (CHECKPOINT + ".partial")
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, partial, metadata | {"data": self.data.images.sha256})
        partial.replace(self.out / CHECKPOINT)

    def resume(self) -> None:
        """Go on from the checkpoint in the output folder, if there is one."""
        path = self.out / CHECKPOINT
        if not path.exists():
            return
        metadata = read_metadata(path)
        if (metadata["settings"], metadata["data"]) != (self.settings, self.data.images.sha256):
            raise InputError(
                f"{self.out} holds an unfinished training with other settings or images: "
                "give another folder, or delete it first."
            )
        tensors = load_file(path)
        part = {key: strip(tensors, f"{key}.") for key in ("network", "best", "momentum")}
        self.network.load_state_dict(part["network"])
        self.best = part["best"]
        for name, parameter in self.network.named_parameters():
            if name in part["momentum"]:
                self.optimiser.state[parameter]["momentum_buffer"] = part["momentum"][name]
        self.history = json.loads(metadata["history"])
        self.epoch = len(self.history)

    def save(self) -> Classifier:
        """Write the best classifier and remove the checkpoint."""
        self.network.load_state_dict(self.best)
        save_classifier(self.out, self.network, self.card())
        (self.out / CHECKPOINT).unlink(missing_ok=True)
        return self.classifier()


def read_metadata(path: Path) -> dict[str, str]:
    """Return the text that was stored beside the tensors of a safetensors file."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as stream:
        return dict(stream.metadata() or {})


def strip(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
