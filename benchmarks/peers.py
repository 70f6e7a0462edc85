"""Peers of our attacks, as attacks that an audit can run: the one of ART, and published recipes.

    pip install adversarial-robustness-toolbox

They get the same classifier, photographs and budget, and are scored in the same way. Importing this
module adds them to the catalogue (`art`, `spgd`, `df-uap`, `cos-uap`).
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from art.attacks.evasion import TargetedUniversalPerturbation, UniversalPerturbation
from art.estimators.classification import PyTorchClassifier
from torch import Tensor

from straylight import Ball, Classifier, ImageSet
from straylight.attacks.catalogue import ATTACKS, AttackEntry
from straylight.attacks.losses import cosine_loss, cross_entropy_loss, margin_loss
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.core.tensors import Logits


@dataclass(frozen=True, kw_only=True)
class Art:
    """ART's `UniversalPerturbation`, or to a target its `TargetedUniversalPerturbation`.

    Attributes:
        inner: ``fgsm`` or ``deepfool`` (non-targeted only): the attack on one image.
        step_size: Of the FGSM, on images in [0, 1]: 0.00025 is the paper's, sized for 100,000
            photographs; 0.0012 is that of its sibling on medical images (Hirano 2021).
        epochs: Times that all photographs are gone through at most.
    """

    inner: str = "fgsm"
    step_size: float = 0.0012
    epochs: int = 1

    takes_target: ClassVar[bool] = True
    threat_model: ClassVar[ThreatModel] = "T1"

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return self.epochs * n_photographs

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        seed = int(torch.randint(2**31, (1,), generator=generator))
        random.seed(seed)
        np.random.seed(seed)
        n_classes = len(classifier.class_names)
        estimator = PyTorchClassifier(
            classifier,
            torch.nn.CrossEntropyLoss(),
            classifier.shape,
            n_classes,
            clip_values=(0.0, 1.0),
            device_type="cpu",
        )
        settings: dict[str, Any] = {
            "attacker": self.inner,
            "attacker_params": {
                "eps": self.step_size,
                "norm": np.inf,
                "targeted": target is not None,
            },
            "delta": 1e-6,
            "max_iter": self.epochs,
            "eps": ball.eps,
            "norm": 2 if ball.norm == "l2" else np.inf,
        }
        if self.inner == "deepfool":
            settings["attacker_params"] = {"max_iter": 10, "verbose": False, "batch_size": 1}
        images = photographs.images(slice(None)).numpy()
        if target is None:
            attack = UniversalPerturbation(estimator, **settings, verbose=False)
            attack.generate(images)
        else:
            attack = TargetedUniversalPerturbation(estimator, **settings)
            attack.generate(images, y=np.eye(n_classes)[np.full(len(images), target)])
        noise = torch.from_numpy(np.asarray(attack.noise, dtype=np.float32))
        yield Snapshot(noise.reshape(1, *photographs.shape), self.epochs * len(photographs))


@dataclass(frozen=True, kw_only=True)
class Spgd:
    """Projected gradient on batches of 100, with steps of 0.7 of the radius.

    Co et al. 2021, https://github.com/kenny-co/sgd-uap-torch (there L-infinity, by sign, cross-entropy
    bounded at 12, 10 epochs of 2,000 images); L2: along the normalised gradient.
    """

    epochs: int = 10
    batch_size: int = 100
    share: float = 0.7

    takes_target: ClassVar[bool] = True
    threat_model: ClassVar[ThreatModel] = "T1"

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return self.epochs * n_photographs

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        clean = classifier.logits_all(photographs)
        delta, seen = torch.zeros(1, *photographs.shape), 0
        for _ in range(self.epochs):
            order = torch.randperm(len(photographs), generator=generator)
            for batch in order.split(self.batch_size):
                delta.requires_grad_()
                logits = classifier((photographs.images(batch) + delta).clamp(0, 1))
                loss = cross_entropy_loss(logits, clean[batch], target, beta=12.0).mean()
                (grad,) = torch.autograd.grad(loss, delta)
                way = grad.sign() if ball.norm == "linf" else grad / grad.norm().clamp(min=1e-12)
                delta = ball.project(delta.detach() - self.share * ball.eps * way)
                seen += len(batch)
                yield Snapshot(delta, seen)


@dataclass(frozen=True, kw_only=True)
class DfUap:
    """Adam on batches of 32, and the margin bounded at 10, as published.

    Zhang et al. 2020, https://github.com/phibenz/uap_virtual_data.pytorch (L-infinity, 10/255, a step of
    0.005: here the same share of the radius). L2, which the paper has not: steps of that share of the
    radius as well, spread over all pixels.
    """

    steps: int = 100
    batch_size: int = 32

    takes_target: ClassVar[bool] = False
    threat_model: ClassVar[ThreatModel] = "T1"

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return self.steps * self.batch_size

    def loss(self, logits: Logits, clean: Logits) -> Tensor:
        """Return the loss of each image."""
        return margin_loss(logits, clean, None, kappa=10.0)

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        clean = classifier.logits_all(photographs)
        # A random start, since the cosine is flat at zero.
        noise = torch.randn(1, *photographs.shape, generator=generator)
        delta = (ball.scale(noise) * 0.01).requires_grad_()
        share = 0.005 / (10 / 255) * ball.eps
        rate = share if ball.norm == "linf" else share / delta.numel() ** 0.5
        optimiser = torch.optim.Adam([delta], lr=rate)
        for step in range(self.steps):
            batch = torch.randint(len(photographs), (self.batch_size,), generator=generator)
            logits = classifier((photographs.images(batch) + delta).clamp(0, 1))
            (delta.grad,) = torch.autograd.grad(self.loss(logits, clean[batch]).mean(), delta)
            optimiser.step()
            with torch.no_grad():
                delta.copy_(ball.project(delta))
            yield Snapshot(delta.detach().clone(), (step + 1) * self.batch_size)


@dataclass(frozen=True, kw_only=True)
class CosUap(DfUap):
    """The same with the cosine of the logits for its loss.

    Zhang et al. 2021, https://arxiv.org/abs/2103.11402.
    """

    def loss(self, logits: Logits, clean: Logits) -> Tensor:
        """Return the loss of each image."""
        return cosine_loss(logits, clean, None)


ATTACKS["art"] = AttackEntry(
    f"{__name__}:Art",
    "ART's universal perturbation",
    "Nicolae et al. 2018",
    "https://arxiv.org/abs/1807.01069",
)
ATTACKS["spgd"] = AttackEntry(
    f"{__name__}:Spgd",
    "projected gradient on large batches",
    "Co et al. 2021",
    "https://github.com/kenny-co/sgd-uap-torch",
)
ATTACKS["df-uap"] = AttackEntry(
    f"{__name__}:DfUap",
    "Adam on the bounded margin",
    "Zhang et al. 2020",
    "https://arxiv.org/abs/2007.06189",
)
ATTACKS["cos-uap"] = AttackEntry(
    f"{__name__}:CosUap",
    "Adam on the cosine of the logits",
    "Zhang et al. 2021",
    "https://arxiv.org/abs/2103.11402",
)
