"""A training run: epoch by epoch, with a checkpoint after each."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from straylight.cohort.cohort import Cohort
from straylight.cohort.identity import digest_labels
from straylight.core.bounded_read import sha256_of_file
from straylight.core.code_version import code_versions, digest_class_source
from straylight.core.errors import InputError, reason_of
from straylight.core.tensors import Images, Labels
from straylight.models.card import ModelCard, save_classifier
from straylight.models.classifier import Classifier
from straylight.training.augmentation import augment_images
from straylight.training.checkpoint import Checkpoint, read_checkpoint
from straylight.training.recipe import PRETRAINED, RANDOM, Recipe, learning_rate_at
from straylight.training.sampling import draw_balanced, oversample_rare_classes

CHECKPOINT = "checkpoint.safetensors"
NAMES = {
    "data_sha256": "images",
    "labels_sha256": "labels",
    "classes": "class names",
    "weights_sha256": "start weights",
    "start_sha256": "start weights",
    "code": "versions of the code",
    "network": "code of the network",
}


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
        # Indices that an epoch draws from; those of the rarer classes may occur several times.
        self.pool = train
        if recipe.sampling == "oversampled":
            self.pool = train[oversample_rare_classes(data.labels[train], recipe.seed)]
        self.steps_per_epoch = max(1, len(self.pool) // recipe.batch_size)
        self.settings = asdict(replace(recipe, weights=Path(recipe.weights).name))
        self.origin: dict[str, str | None] = {}
        self.origin |= {
            "data_sha256": data.images.sha256,
            "labels_sha256": digest_labels(data),
            "weights_sha256": digest_weights_file(recipe.weights),
            "start_sha256": self.classifier().sha256,  # also of what a library downloaded
        }
        parts = self.settings | self.origin | {"classes": data.class_names, "code": code_versions()}
        self.identity = json.dumps(
            parts | {"network": digest_class_source(*map(type, network.modules()))}
        )

    def classifier(self) -> Classifier:
        """Return the network as it is now as a classifier (frozen, in evaluation mode)."""
        return self.card().classifier(self.network, str(self.out))

    def card(self) -> ModelCard:
        training = json.loads(json.dumps(self.settings)) | {
            "images": len(self.train),
            "validation_images": len(self.validation),
            **self.origin,
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

    @property
    def done(self) -> bool:
        """Whether all epochs are over, or the last `patience` of them were no better than before."""
        accuracies = [entry["validation_accuracy"] for entry in self.history]
        patience = self.recipe.patience
        stale = len(accuracies) - 1 - accuracies.index(max(accuracies)) if accuracies else 0
        return self.epoch >= self.recipe.epochs or 0 < patience <= stale

    def draw(self, generator: torch.Generator) -> Tensor:
        """Return the indices of the images of one epoch, in order."""
        n = self.steps_per_epoch * self.recipe.batch_size
        if self.recipe.sampling == "oversampled":
            return self.pool[torch.randperm(len(self.pool), generator=generator)[:n]]
        return self.pool[draw_balanced(self.data.labels[self.pool], n, generator)]

    def train_epoch(self) -> Iterator[float]:
        """Take the steps of one epoch, and yield the loss of each."""
        # Every epoch has its own seed, so that a resumed run repeats the undisturbed one.
        torch.manual_seed(self.recipe.seed * 100_003 + self.epoch + 1)
        generator = torch.Generator().manual_seed(self.recipe.seed * 100_003 + self.epoch + 1)
        classifier = self.classifier()
        self.network.requires_grad_(True).train()
        first = self.epoch * self.steps_per_epoch
        batches = torch.split(self.draw(generator), self.recipe.batch_size)
        for step, batch in enumerate(batches, first):
            rate = learning_rate_at(self.recipe, step, self.steps_per_epoch)
            self.optimiser.param_groups[0]["lr"] = rate
            images = augment_images(self.data.images.images(batch), self.recipe, generator)
            loss = self.loss(classifier, images, self.data.labels[batch])
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            self.losses.append(loss.item())
            yield loss.item()

    def loss(self, classifier: Classifier, images: Images, labels: Labels) -> Tensor:
        """Return the mean cross-entropy, with the forward pass in the recipe's precision.

        Raises:
            InputError: If it is not finite.
        """
        half = self.recipe.precision == "bfloat16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            loss = F.cross_entropy(classifier(images).float(), labels)
        if not loss.isfinite():
            raise InputError(
                f"the training has diverged (the loss of epoch {self.epoch + 1} is {loss.item()}): "
                "give another folder and a lower --learning-rate."
            )
        return loss

    def finish_epoch(self) -> None:
        """Compute the validation accuracy, keep the best weights, and write a checkpoint."""
        classifier = self.classifier()
        predictions = torch.cat(
            [
                classifier.predict(self.data.images.images(batch))
                for batch in torch.split(self.validation, 64)
            ]
        )
        hits = int((predictions == self.data.labels[self.validation]).sum())
        accuracy = hits / len(self.validation)
        if accuracy >= max((entry["validation_accuracy"] for entry in self.history), default=0.0):
            self.best = {name: t.detach().clone() for name, t in self.network.state_dict().items()}
        loss = sum(self.losses) / len(self.losses)
        self.history.append({"loss": round(loss, 4), "validation_accuracy": round(accuracy, 4)})
        self.losses.clear()
        self.epoch += 1
        self.write_checkpoint()

    def write_checkpoint(self) -> None:
        """Write weights, best weights and momentum, whole or not at all."""
        state = self.optimiser.state
        buffers = {
            name: state.get(parameter, {}).get("momentum_buffer")
            for name, parameter in self.network.named_parameters()
        }
        Checkpoint(
            identity=self.identity,
            history=self.history,
            network=self.network.state_dict(),
            best=self.best,
            momentum={name: buffer for name, buffer in buffers.items() if buffer is not None},
        ).write(self.out / CHECKPOINT)

    def resume(self) -> None:
        """Resume from the checkpoint in the output folder, if there is one."""
        path = self.out / CHECKPOINT
        if not path.exists():
            return
        found = read_checkpoint(path)
        if found.identity != self.identity:
            different = _describe_differences(found, self.identity)
            raise InputError(
                f"{self.out} holds an unfinished training with other {different}: "
                "give another folder (--out), or delete it first."
            )
        found.check_fits(self.network, path)
        self.network.load_state_dict(found.network)
        self.best = found.best
        for name, parameter in self.network.named_parameters():
            if name in found.momentum:
                self.optimiser.state[parameter]["momentum_buffer"] = found.momentum[name]
        self.history = found.history
        self.epoch = len(self.history)

    def save(self) -> Classifier:
        """Write the best classifier and remove the checkpoint."""
        self.network.load_state_dict(self.best)
        card = save_classifier(self.out, self.network, self.card())
        with suppress(FileNotFoundError):  # another process of the same training was first
            (self.out / CHECKPOINT).unlink()
        return card.classifier(self.network, str(self.out))


def digest_weights_file(weights: str) -> str | None:
    """Compute the digest of a weights file; None if the weights do not come from a file.

    Raises:
        InputError: If there is no such file.
    """
    if weights in (PRETRAINED, RANDOM):
        return None
    try:
        return sha256_of_file(Path(weights))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{weights} cannot be read ({reason_of(error)}): give a .safetensors file."
        ) from error


def _describe_differences(found: Checkpoint, identity: str) -> str:
    """Return what differs in an unfinished training, in words."""
    try:
        before, now = json.loads(found.identity), json.loads(identity)
        names = [NAMES.get(key, "settings") for key in now if before.get(key) != now[key]]
    except (ValueError, AttributeError):
        names = []
    return " and ".join(dict.fromkeys(names)) or "settings"
